"""The decision on groups from counts alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.evaluate.bias import Group, Tolerance, evaluate_bias
from agent.evaluate.decide import Key, Streak
from agent.evaluate.report import Decision, GroupReport
from agent.evaluate.rule import Rule
from agent.window.selection import Selected

MINUTE_NS = 60 * 10**9
RULE = Rule(100, 3, 0.05, 1440, {})
TOLERANCE = Tolerance(0.1, 0.8)
GROUP = Group("gender=f", "gender", "f", ((1000, 400), (2000, 1000)), "gender")
ALONE = np.zeros((0, 3), dtype=np.int64)


def counts(panes: int, rows: int, rate: float, other_rate: float, seed: int = 1) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    selected = np.stack([rng.binomial(rows, share, panes) for share in (rate, other_rate)], axis=-1)
    return np.stack((np.full_like(selected, rows), selected), axis=-1)[:, None]


def alone(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of panes where no row repeats the one before."""
    rows = found[:, 0, :, 0].sum(axis=-1)
    return np.stack((rows, rows, rows), axis=-1)


def evaluated(
    found: NDArray[np.int64],
    times: int = 3,
    tolerance: Tolerance = TOLERANCE,
    repeats: NDArray[np.int64] | None = None,
    group: Group = GROUP,
) -> GroupReport:
    window = Selected([p * MINUTE_NS for p in range(len(found))], found, alone(found) if repeats is None else repeats)
    streaks: dict[Key, Streak] = {}
    report = None
    for _ in range(times):
        (report,), streaks = evaluate_bias([group], window, RULE, tolerance, streaks, len(found) * MINUTE_NS)
    assert report is not None
    return report


def test_no_groups_give_no_reports() -> None:
    assert evaluate_bias([], Selected([], np.zeros((0, 0, 2, 2), dtype=np.int64), ALONE), RULE, TOLERANCE, {}, 0) == ([], {})


def test_an_empty_window_decides_nothing() -> None:
    report = evaluated(np.zeros((0, 1, 2, 2), dtype=np.int64))
    assert report.decision is Decision.INSUFFICIENT
    assert (report.rate, report.other_rate) == (None, None)
    assert report.difference is not None
    assert (report.difference.value, report.difference.bound) == (None, None)


def test_a_gap_is_suspect_before_it_is_called_one() -> None:
    found = counts(60, 50, 0.3, 0.6)
    assert [evaluated(found, times).decision for times in (1, 2, 3)] == ["suspect", "suspect", "drifted"]


def test_a_new_gap_is_found_in_the_newest_panes() -> None:
    found = np.concatenate((counts(55, 200, 0.5, 0.5), counts(5, 200, 0.2, 0.5, seed=2)))
    report = evaluated(found)
    assert report.decision is Decision.DRIFTED
    assert report.difference is not None
    assert report.difference.span_s <= 8 * 60


def test_a_gap_that_is_over_is_no_gap() -> None:
    found = np.concatenate((counts(30, 200, 0.2, 0.5), counts(30, 200, 0.5, 0.5, seed=2)))
    assert evaluated(found).decision is Decision.OK


def test_alike_groups_raise_no_alarm_in_a_thousand_windows() -> None:
    decisions = {evaluated(counts(20, 30, 0.5, 0.5, seed), times=1).decision for seed in range(1000)}
    assert decisions == {Decision.OK}


def test_what_is_tolerated_off_never_decides() -> None:
    report = evaluated(counts(60, 200, 0.1, 0.9), tolerance=Tolerance(float("inf"), 0.0))
    assert report.decision is Decision.OK


@pytest.mark.parametrize(("rate", "other_rate", "words"), [(0.2, 0.6, "points less"), (0.6, 0.2, "points more")])
def test_the_sentence_says_which_way(rate: float, other_rate: float, words: str) -> None:
    reason = evaluated(counts(60, 200, rate, other_rate)).reason
    assert words in reason
    assert reason.endswith("in training 40 % against 50 %")


def test_a_small_rate_that_is_halved_is_a_matter_of_the_ratio() -> None:
    report = evaluated(counts(60, 2000, 0.01, 0.03))
    assert report.decision is Decision.DRIFTED
    assert report.difference is not None
    assert report.ratio is not None
    assert (report.difference.decision, report.ratio.decision) == (Decision.OK, Decision.DRIFTED)
    assert "at most" in report.reason
    assert "times as often, tolerance 0.8" in report.reason


def test_a_group_that_is_selected_more_is_found_by_the_ratio_too() -> None:
    report = evaluated(counts(60, 2000, 0.03, 0.01), tolerance=Tolerance(float("inf"), 0.8))
    assert report.decision is Decision.DRIFTED
    assert report.ratio is not None
    assert report.ratio.bound is not None
    assert report.ratio.bound > 1.25
    assert "at least" in report.reason


def test_a_group_that_is_selected_more_is_told_the_tolerance_above_one() -> None:
    report = evaluated(counts(60, 2000, 0.03, 0.01), tolerance=Tolerance(float("inf"), 0.8))
    assert "times as often, tolerance 1.25" in report.reason


def test_one_row_for_ever_decides_nothing() -> None:
    mixed = counts(50, 20, 0.5, 0.5)
    stuck = np.tile(np.array([[[[500, 500], [0, 0]]]]), (10, 1, 1, 1))
    squares = np.array([[500, 500**2 * (2 * place + 1), place == 0] for place in range(10)], dtype=np.int64)
    report = evaluated(np.concatenate((mixed, stuck)), repeats=np.concatenate((alone(mixed), squares)))
    assert report.decision is not Decision.DRIFTED
    assert evaluated(np.concatenate((mixed, stuck))).decision is Decision.DRIFTED


def test_rows_that_repeat_are_too_few_and_the_report_says_so() -> None:
    found = counts(4, 500, 0.2, 0.6)
    report = evaluated(found, repeats=np.array([[1000, 1000 * 50, 20]] * 4))
    assert report.decision is Decision.INSUFFICIENT
    assert "which repeat: they say as much as 40 against 40; nothing is decided below 100" in report.reason


def test_the_same_rows_do_not_count_twice() -> None:
    found = counts(60, 200, 0.2, 0.6)
    window = Selected([place * MINUTE_NS for place in range(60)], found, alone(found))
    streaks: dict[Key, Streak] = {}
    decisions = []
    for place in range(4):
        (report,), streaks = evaluate_bias([GROUP], window, RULE, TOLERANCE, streaks, 60 * MINUTE_NS, fresh=place == 0)
        decisions.append(report.decision)
    assert decisions == [Decision.SUSPECT] * 4


def test_the_sentence_is_of_the_stretch_that_decides() -> None:
    old, new = counts(56, 200, 0.5, 0.5), counts(4, 200, 0.2, 0.5, seed=2)
    report = evaluated(np.concatenate((old, new)))
    assert "over the newest 800 rows against 800 (4 minutes)" in report.reason
    rate = new[:, 0, 0, 1].sum() / 800
    assert report.reason.startswith(f"selected {100 * rate:.3g} % of gender=f")
    assert report.difference is not None
    assert report.difference.value == pytest.approx(rate - new[:, 0, 1, 1].sum() / 800)
    assert report.rows == 60 * 200


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (Group("gender=f", "gender", "f", None, "gender"), "(build the profile with --by 'gender')"),
        (Group("age<25", "age", "<25", None, "age<25"), "(build the profile with --by 'age<25')"),
        (Group("age<25", "age", "<25"), "(build the profile with --by 'age<25')"),
        (
            Group("gender=f", "gender", "f", None, "gender", ">=0.5"),
            "(build the profile with --by 'gender' --favourable '>=0.5')",
        ),
    ],
)
def test_what_training_does_not_say_can_be_had(group: Group, words: str) -> None:
    assert evaluated(counts(60, 200, 0.2, 0.6), group=group).reason.endswith("is not known " + words)
