"""Whether Outrider's memory is flat: resident memory at the 10,000th and at the 1,000,000th request.

``python tests/bench/memory.py [--requests 1000000]``

Exit codes: 0 if flat and within the figures to reach, 1 if not, 2 where a request failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import load, scrape
from tests.bench.peers import outrider, started, upstream
from tests.bench.processes import BenchError, Child, cores, end_on_sigterm, free_ports
from tests.bench.rows import bodies
from tests.bench.table import MB
from tests.bench.training import write_training_profile

FIRST = 10_000
CONNECTIONS = 16
STRETCH_S = 5
PROXY_MB, MONITOR_MB = 40.0, 130.0


def flat(before: float, after: float) -> bool:
    """Growth below 5 % + 2 MB: allocators keep some of what they were given; a leak of ten bytes a request is 10 MB."""
    return after < 1.05 * before + 2 * MB


def _show(sent: int, rss: tuple[int, int]) -> None:
    print(f"  {sent:>9,} requests: proxy {rss[0] / MB:6.1f} MB, monitor {rss[1] / MB:6.1f} MB", flush=True)


def _grow(child: Child, port: int, admin: int, core: int, lines: Path, total: int) -> tuple[tuple[int, int], tuple[int, int]]:
    first: tuple[int, int] | None = None
    sent, seconds = 0, 1
    while sent < total:
        done = load.closed(port, CONNECTIONS, seconds, core, lines)
        if done.failed:
            raise BenchError(f"{done.failed} requests failed")
        child.check()
        sent += done.completed
        if first is None and sent < FIRST:
            continue
        seconds = STRETCH_S
        if first is None:
            scrape.settled(admin)  # what still waits in the tap belongs to these requests
            first = child.rss_bytes()
        _show(sent, child.rss_bytes())
    scrape.settled(admin)
    last = child.rss_bytes()
    _show(sent, last)
    return first or last, last


def _run(total: int, folder: Path) -> int:
    proxy_core, load_core = cores()
    lines = folder / "bodies"
    lines.write_bytes(b"\n".join(bodies()) + b"\n")
    profile = write_training_profile(folder / "profile.json")
    work = folder / "outrider"
    work.mkdir()
    (port,) = free_ports(1)
    with upstream(load_core, folder / "upstream") as upstream_port:
        command = outrider(work, port, upstream_port, profile)
        with started("outrider", command, proxy_core, work) as child:
            child.wait_until_accepting(port)
            scrape.wait_until_ready(child, command.admin)
            _show(0, child.rss_bytes())
            first, last = _grow(child, port, command.admin, load_core, lines, total)
            said = scrape.settled(command.admin)
    print(f"outrider counted {said.exchanges:,} exchanges, {said.dropped:,} dropped, {said.bodies_left_out:,} without bodies")
    reached = True
    for name, before, after, bound in zip(("proxy", "monitor"), first, last, (PROXY_MB, MONITOR_MB), strict=True):
        good = flat(before, after) and after <= bound * MB
        reached = reached and good
        verdict = "reached" if good else "NOT REACHED"
        print(f"{verdict:<12} {name}: {before / MB:.1f} MB to {after / MB:.1f} MB (flat, and at most {bound:g} MB)")
    return int(not reached)


def main() -> int:
    parser = argparse.ArgumentParser(description="Whether Outrider's memory is flat.")
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    end_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as folder:
            return _run(options.requests, Path(folder))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
