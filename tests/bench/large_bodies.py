"""Bodies of 1 MB and 10 MB through the inference path, each way by itself: throughput and memory beside nginx.

``python tests/bench/large_bodies.py [--rounds 5] [--seconds 4] [--only outrider,nginx] [--json FILE]``

A closed loop of four connections. The proxy under test has one core to itself (Outrider's monitor shares it), load and
upstream (``bulk.py``) have the other; ``direct`` shows that these two are not what is measured. Memory is looked at after the
first tenth of the traffic and after the last request, and must not have grown between; the peak is reported. (nginx does its
work in a child.) Needs nginx (Debian: ``nginx-light``). For information, no figure is measured against them:
``nginx-buffering`` buffers requests as by default, ``nginx-wide`` has buffers of 1 MB instead of the default 32 KB.

Exit codes: 0 with every figure reached, 1 with some not, 2 where a request failed or an exchange was lost from the counts.
"""

from __future__ import annotations

import math
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import load
from tests.bench.peers import BODY_PEERS
from tests.bench.rounds import Bench, Tested, main, must_succeed
from tests.bench.rows import ANSWER, bodies
from tests.bench.table import MB, Column, Goal
from tests.bench.upstreams import bulk_upstream

CONNECTIONS = 4
WARM_S = 0.5
SMALL_REQUEST, SMALL_ANSWER = len(bodies(1)[0]), len(ANSWER)
ONE_MB, TEN_MB = 1_000_000, 10_000_000

CASES: tuple[tuple[int, int], ...] = (
    (ONE_MB, SMALL_ANSWER),
    (TEN_MB, SMALL_ANSWER),
    (SMALL_REQUEST, ONE_MB),
    (SMALL_REQUEST, TEN_MB),
)
"""Bytes of the request's body and of the answer's, in the order of the fields of `Round`."""


@dataclass(frozen=True, slots=True)
class Round:
    """What was measured of one proxy in one round: bodies in bytes a second, memory in bytes. NaN where it means nothing."""

    request_1: float
    request_10: float
    answer_1: float
    answer_10: float
    growth: float
    rss: float
    peak: float
    children_rss: float
    children_peak: float


GOALS: tuple[Goal[Round], ...] = (
    Goal("requests of 1 MB", "outrider", "nginx", lambda a, b: a.request_1 / b.request_1, True, 0.9, "x nginx"),
    Goal("requests of 10 MB", "outrider", "nginx", lambda a, b: a.request_10 / b.request_10, True, 0.9, "x nginx"),
    Goal("answers of 1 MB", "outrider", "nginx", lambda a, b: a.answer_1 / b.answer_1, True, 0.9, "x nginx"),
    Goal("answers of 10 MB", "outrider", "nginx", lambda a, b: a.answer_10 / b.answer_10, True, 0.9, "x nginx"),
    Goal("growth of the proxy's memory", "outrider", "outrider", lambda a, _: a.growth / MB, False, 5.0, "MB"),
)

COLUMNS: tuple[Column[Round], ...] = (
    Column("requests 1 MB, MB/s", lambda r: r.request_1 / MB),
    Column("10 MB, MB/s", lambda r: r.request_10 / MB),
    Column("answers 1 MB, MB/s", lambda r: r.answer_1 / MB),
    Column("10 MB, MB/s", lambda r: r.answer_10 / MB),
    Column("RSS MB", lambda r: r.rss / MB, ",.1f"),
    Column("grown by MB", lambda r: r.growth / MB, ",.1f"),
    Column("peak MB", lambda r: r.peak / MB, ",.1f"),
    Column("children MB", lambda r: r.children_rss / MB, ",.1f"),
    Column("peak MB", lambda r: r.children_peak / MB, ",.1f"),
)


class LargeBodiesBench(Bench[Round]):
    """The same traffic four times: large requests, large answers, of two sizes."""

    peers = BODY_PEERS
    columns = COLUMNS
    goals = GOALS

    def upstream(self) -> AbstractContextManager[int]:
        return bulk_upstream(self.load_core, self.folder / "upstream")

    def load(self, tested: Tested) -> Round:
        first_s = max(WARM_S, self.seconds / 9)
        warm = [load.bulk(tested.port, CONNECTIONS, first_s, self.load_core, sizes) for sizes in CASES]
        # Counted first: what still waits in the tap is not memory that the proxy keeps.
        before = self.count(tested, warm)
        first, _ = tested.rss_bytes()
        loads = [load.bulk(tested.port, CONNECTIONS, self.seconds, self.load_core, sizes) for sizes in CASES]
        must_succeed(tested, [*warm, *loads])
        self.count(tested, loads, before)
        last, children = tested.rss_bytes()
        peaks = (math.nan, math.nan) if tested.child is None else tested.child.peak_bytes()
        up_1, up_10, down_1, down_10 = (one.rate * max(sizes) for one, sizes in zip(loads, CASES, strict=True))
        return Round(up_1, up_10, down_1, down_10, last - first, last, peaks[0], children, peaks[1])


if __name__ == "__main__":
    sys.exit(main(LargeBodiesBench, "Bodies of 1 MB and 10 MB through the inference path."))
