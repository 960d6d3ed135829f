"""The strangest rows of the window: the right ones, for as long as the window, and few."""

from __future__ import annotations

import numpy as np

from agent.joint.anomaly import TOP
from agent.window.strangest import MAX_KEPT, Part, StrangeRow, Strangest

HOUR = 3_600_000_000_000


def fed(kept: Strangest, scores: list[float], now_ns: int) -> None:
    rows = [StrangeRow(now_ns, score, [Part("a", 0.5)]) for score in sorted(scores, reverse=True)]
    kept.update(rows, now_ns)


def test_strangest_come_first_and_no_more_than_ten() -> None:
    kept = Strangest(HOUR)
    scores = np.random.default_rng(1).permutation(100).astype(float)
    for part in np.array_split(scores, 7):
        fed(kept, part.tolist(), 5)
    assert [row.score for row in kept.result(5)] == list(range(99, 99 - TOP, -1))


def test_rows_leave_with_the_window_and_the_next_ones_follow() -> None:
    kept = Strangest(HOUR)
    for minute in range(60):
        fed(kept, [100.0 - minute, 1.0], minute * HOUR // 60)
    assert kept.result(59 * HOUR // 60)[0].score == 100.0
    assert [row.score for row in kept.result(HOUR + 29 * HOUR // 60)][:2] == [70.0, 69.0]
    assert kept.result(3 * HOUR) == []


def test_what_is_kept_is_bounded_though_each_row_is_less_strange_than_the_last() -> None:
    kept = Strangest(HOUR)
    for step in range(3 * MAX_KEPT):
        fed(kept, [-float(step)], step)
    assert len(kept._kept) <= MAX_KEPT
    assert kept.result(3 * MAX_KEPT)[0].score == 0.0


def test_ties_do_not_grow() -> None:
    kept = Strangest(HOUR)
    for step in range(100):
        fed(kept, [3.0] * 50, step)
    assert len(kept._kept) == TOP


def test_clock_set_far_back_forgets_what_lies_ahead() -> None:
    kept = Strangest(HOUR)
    fed(kept, [1.0], 10 * HOUR)
    assert kept.result(HOUR) == []


def test_nothing_gives_nothing() -> None:
    kept = Strangest(HOUR)
    fed(kept, [], 0)
    assert kept.result(0) == []
