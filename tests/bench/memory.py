"""Whether Outrider's memory is flat: over a million requests, or over one long HTTP/2 connection with many streams.

``python tests/bench/memory.py [--requests 1000000]`` looks at resident memory at the 10,000th and at the last request.

``python tests/bench/memory.py --streams 200000`` makes so many gRPC calls on a single connection. Memory is looked at before it,
after a tenth as many calls on another connection, and as long as it is open: what a connection keeps for its streams would be
free again after it. What may wait for the monitor is set small here, so that it does not pass for what is looked for.

Exit codes: 0 if flat and within the figures to reach, 1 if not, 2 where a request failed or was lost from the counts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agent.demo.processes import free_ports
from tests.bench import load, model_infer, scrape
from tests.bench.load import Call
from tests.bench.peers import outrider, started
from tests.bench.processes import BenchError, Child, cores, end_on_sigterm
from tests.bench.rounds import Counts, lost_from_counts
from tests.bench.rows import bodies
from tests.bench.table import MB
from tests.bench.training import write_training_profile
from tests.bench.upstreams import grpc_upstream, upstream

FIRST = 10_000
CONNECTIONS = 16
STRETCH_S = 5
PROXY_MB, MONITOR_MB = 40.0, 130.0
STREAMS_AT_A_TIME = 32
STREAMS_GROWTH_MB = 2.0

SMALL_TAP = {"OUTRIDER_CAPTURE_BYTES": "64KiB", "OUTRIDER_TAP_BYTES": "256KiB"}
"""What waits for the monitor is bounded, but by 8 MiB: enough to hide, or to look like, what a connection keeps."""

Rss = tuple[int, int]
"""Bytes of the proxy and of the monitor."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Outrider under test, and the core of the load."""

    child: Child
    port: int
    admin: int
    load_core: int


@contextmanager
def _sidecar(folder: Path, upstream_port: int, settings: Mapping[str, str] | None = None) -> Iterator[Sidecar]:
    proxy_core, load_core = cores()
    work = folder / "outrider"
    work.mkdir()
    (port,) = free_ports(1)
    command = outrider(work, port, upstream_port, write_training_profile(folder / "profile.json"))
    command = replace(command, environ={**command.environ, **(settings or {})})
    with started("outrider", command, proxy_core, work) as child:
        child.wait_until_accepting(port)
        scrape.wait_until_ready(child, command.admin)
        yield Sidecar(child, port, command.admin, load_core)


def flat(before: float, after: float) -> bool:
    """Growth below 5 % + 2 MB: allocators keep some of what they were given; a leak of ten bytes a request is 10 MB."""
    return after < 1.05 * before + 2 * MB


def _show(sent: int, rss: Rss) -> None:
    print(f"  {sent:>9,} requests: proxy {rss[0] / MB:6.1f} MB, monitor {rss[1] / MB:6.1f} MB", flush=True)


def _grow(sidecar: Sidecar, lines: Path, total: int) -> tuple[Rss, Rss]:
    child = sidecar.child
    first: Rss | None = None
    sent, seconds = 0, 1
    while sent < total:
        done = load.closed(sidecar.port, CONNECTIONS, seconds, sidecar.load_core, lines)
        if done.failed:
            raise BenchError(f"{done.failed} requests failed")
        child.check()
        sent += done.completed
        if first is None and sent < FIRST:
            continue
        seconds = STRETCH_S
        if first is None:
            scrape.settled(sidecar.admin)  # what still waits in the tap belongs to these requests
            first = child.rss_bytes()
        _show(sent, child.rss_bytes())
    scrape.settled(sidecar.admin)
    last = child.rss_bytes()
    _show(sent, last)
    return first or last, last


def requests(total: int, folder: Path) -> int:
    """Make so many requests over HTTP/1.1; give the exit code."""
    lines = folder / "bodies"
    lines.write_bytes(b"\n".join(bodies()) + b"\n")
    with upstream(cores()[1], folder / "upstream") as upstream_port, _sidecar(folder, upstream_port) as sidecar:
        _show(0, sidecar.child.rss_bytes())
        first, last = _grow(sidecar, lines, total)
        said = scrape.settled(sidecar.admin)
    print(f"outrider counted {said.exchanges:,} exchanges, {said.dropped:,} dropped, {said.bodies_left_out:,} without bodies")
    reached = True
    for name, before, after, bound in zip(("proxy", "monitor"), first, last, (PROXY_MB, MONITOR_MB), strict=True):
        good = flat(before, after) and after <= bound * MB
        reached = reached and good
        verdict = "reached" if good else "NOT REACHED"
        print(f"{verdict:<12} {name}: {before / MB:.1f} MB to {after / MB:.1f} MB (flat, and at most {bound:g} MB)")
    return int(not reached)


def _one_connection(sidecar: Sidecar, call: Call, number: int) -> list[Rss]:
    """Make so many calls on a single connection; give the memory seen while it was open."""
    seen: list[Rss] = []

    def watch() -> None:
        seen.append(sidecar.child.rss_bytes())

    done = load.streams(sidecar.port, 1, STREAMS_AT_A_TIME, call, sidecar.load_core, number=number, watch=watch)
    if done.failed or done.completed != number:
        raise BenchError(f"{done.completed} of {number} calls were answered, {done.failed} failed")
    sidecar.child.check()
    return seen


def streams(total: int, folder: Path) -> int:
    """Make so many calls on one HTTP/2 connection; give the exit code."""
    request, answer = folder / "request", folder / "answer"
    request.write_bytes(model_infer.request())
    answer.write_bytes(model_infer.answer())
    call = Call(model_infer.PATH, request, len(model_infer.answer()))
    served: AbstractContextManager[int] = grpc_upstream(cores()[1], folder / "upstream", model_infer.PATH, answer)
    with served as upstream_port, _sidecar(folder, upstream_port, SMALL_TAP) as sidecar:
        child = sidecar.child
        _show(0, child.rss_bytes())
        warm = max(1, total // 10)
        _one_connection(sidecar, call, warm)
        before_counts = scrape.settled(sidecar.admin)
        before = child.rss_bytes()
        _show(warm, before)
        seen = _one_connection(sidecar, call, total)
        counts = Counts(total, total, scrape.settled(sidecar.admin).since(before_counts))
        after = child.rss_bytes()
        peak, _ = child.peak_bytes()
    if not seen:
        raise BenchError("the connection was over before it could be looked at: more streams are needed")
    _show(warm + total, after)
    said = counts.said
    print(
        f"outrider counted {said.exchanges:,} exchanges, {said.tunnels:,} of them tunnels, {said.dropped:,} dropped, "
        f"{said.bodies_left_out:,} without bodies"
    )
    print(f"proxy at most {max(rss for rss, _ in seen) / MB:.1f} MB while it was open, {peak / MB:.1f} MB ever")
    faults = lost_from_counts([counts])
    for fault in faults:
        print(f"FAULT {fault}")
    reached = True
    for what, rss in (("while it was open", seen[-1][0]), ("after it", after[0])):
        good = rss - before[0] <= STREAMS_GROWTH_MB * MB
        reached = reached and good
        verdict = "reached" if good else "NOT REACHED"
        print(f"{verdict:<12} proxy {what}: {before[0] / MB:.1f} MB to {rss / MB:.1f} MB (at most {STREAMS_GROWTH_MB:g} MB more)")
    return 2 if faults else int(not reached)


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether Outrider's memory is flat.")
    parser.add_argument("--requests", type=int, default=1_000_000, help="over HTTP/1.1")
    parser.add_argument("--streams", type=int, default=0, help="on one HTTP/2 connection, instead of the requests")
    options = parser.parse_args()
    end_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as name:
            folder = Path(name)
            return streams(options.streams, folder) if options.streams else requests(options.requests, folder)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
