from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.evaluate.decide import NO_STREAK, Streak, Streaks, step, strongest, verdict, worst
from agent.evaluate.report import Decision
from agent.evaluate.rule import Rule
from agent.stats.drift.effect import Effect

RULE = Rule(100, 3, 0.05, 1440, {"ks": 0.1})
TENTH = np.array([0.1])


def effect(value: list[float], lower: list[float], rows: list[float]) -> Effect:
    """One column at several lengths of the window."""
    shaped = [np.array(numbers, dtype=np.float64)[:, None] for numbers in (value, lower, rows)]
    return Effect(shaped[0], shaped[1], shaped[2], np.full((len(value), 1), 10_000.0))


def run(*flags: str, rule: Rule = RULE, streak: Streak = NO_STREAK) -> tuple[list[Decision], Streak]:
    decisions = []
    for flag in flags:
        decision, streak = step(streak, rule, decidable=flag != "few", exceeds=flag == "over", calm=flag == "calm")
        decisions.append(decision)
    return decisions, streak


def test_three_in_a_row_raise_it() -> None:
    decisions, streak = run("over", "over", "over")
    assert decisions == [Decision.SUSPECT, Decision.SUSPECT, Decision.DRIFTED]
    assert streak == Streak(3, 0, True)


def test_one_calm_evaluation_starts_the_count_again() -> None:
    assert run("over", "over", "calm", "over", "over")[0] == [
        Decision.SUSPECT, Decision.SUSPECT, Decision.OK, Decision.SUSPECT, Decision.SUSPECT,
    ]  # fmt: skip


def test_it_ends_after_three_calm_ones_in_a_row_and_not_before() -> None:
    decisions, streak = run("calm", "calm", "between", "calm", "calm", "calm", streak=Streak(5, 0, True))
    assert decisions == [Decision.DRIFTED] * 5 + [Decision.OK]
    assert streak == NO_STREAK


def test_what_stands_at_the_tolerance_does_not_come_and_go() -> None:
    decisions, _ = run("between", "over", "between", "calm", "between", streak=Streak(3, 0, True))
    assert set(decisions) == {Decision.DRIFTED}


def test_too_few_rows_leave_everything_as_it_was() -> None:
    assert run("few", streak=Streak(2)) == ([Decision.INSUFFICIENT], Streak(2))
    assert run("few", streak=Streak(4, 1, True)) == ([Decision.DRIFTED], Streak(4, 1, True))


def test_the_same_rows_do_not_count_twice() -> None:
    said = {"decidable": True, "exceeds": True, "calm": False}
    assert step(Streak(2), RULE, **said, fresh=False) == (Decision.SUSPECT, Streak(2))
    assert step(NO_STREAK, RULE, **said, fresh=False) == (Decision.OK, NO_STREAK)
    assert step(Streak(0, 1, True), RULE, decidable=True, exceeds=False, calm=True, fresh=False)[0] is Decision.DRIFTED


def test_the_stretch_that_proves_most_is_taken() -> None:
    found = strongest(effect([0.4, 0.3, 0.1], [0.0, 0.15, 0.05], [100, 200, 400]), TENTH, RULE)
    assert (found.place[0], found.decidable[0], found.evidence[0]) == (1, True, pytest.approx(1.5))


def test_without_a_bound_above_zero_the_longest_stretch_is_taken() -> None:
    found = strongest(effect([0.4, 0.3, 0.02], [0.0, 0.0, 0.0], [100, 200, 400]), TENTH, RULE)
    assert (found.place[0], found.evidence[0]) == (2, 0.0)


def test_stretches_with_too_few_rows_prove_nothing() -> None:
    found = strongest(effect([0.9, 0.02], [0.8, 0.0], [99, 200]), TENTH, RULE)
    assert (found.place[0], found.newest[0], found.decidable[0], found.evidence[0]) == (1, 1, True, 0.0)


def test_undefined_stretches_are_passed_over() -> None:
    found = strongest(effect([np.nan, 0.3], [np.nan, 0.2], [500, 800]), TENTH, RULE)
    assert (found.place[0], found.evidence[0]) == (1, pytest.approx(2.0))
    nothing = strongest(effect([np.nan, np.nan], [np.nan, np.nan], [500, 800]), TENTH, RULE)
    assert not nothing.decidable[0]


def test_the_newest_quarter_of_what_proves_it_must_show_it_still() -> None:
    rows = [100.0, 200.0, 400.0, 800.0]
    found = strongest(effect([0.0, 0.0, 0.2, 0.3], [0.0, 0.0, 0.1, 0.2], rows), TENTH, RULE)
    assert (found.place[0], found.newest[0]) == (3, 1)
    over = verdict(found, effect([0.0, 0.1, 0.2, 0.3], [0.0, 0.04, 0.2, 0.3], rows), TENTH)
    still = verdict(found, effect([0.0, 0.1, 0.2, 0.3], [0.0, 0.06, 0.2, 0.3], rows), TENTH)
    assert (over.exceeds[0], over.calm[0]) == (False, True)
    assert (still.exceeds[0], still.calm[0]) == (True, False)


def test_a_bound_just_below_the_tolerance_is_neither_over_nor_calm() -> None:
    found = strongest(effect([0.3, 0.3], [0.0, 0.09], [100, 800]), TENTH, RULE)
    said = verdict(found, effect([0.3, 0.3], [0.2, 0.2], [100, 800]), TENTH)
    assert (said.exceeds[0], said.calm[0]) == (False, False)


def test_where_nothing_is_near_its_tolerance_all_is_calm() -> None:
    found = strongest(effect([0.3, 0.3], [0.0, 0.01], [100, 800]), TENTH, RULE)
    said = verdict(found, None, TENTH)
    assert (said.exceeds[0], said.calm[0]) == (False, True)


def test_what_is_switched_off_never_exceeds() -> None:
    off = np.array([np.inf])
    found = strongest(effect([5.0, 5.0], [4.0, 4.9], [500, 800]), off, RULE)
    said = verdict(found, effect([5.0, 5.0], [4.0, 4.9], [500, 800]), off)
    assert (said.exceeds[0], said.calm[0]) == (False, True)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], Decision.NO_REFERENCE),
        ([Decision.OK, Decision.INSUFFICIENT], Decision.OK),
        ([Decision.DRIFTED, Decision.SUSPECT], Decision.DRIFTED),
    ],
)
def test_the_worst_counts(decisions: list[Decision], expected: Decision) -> None:
    assert worst(decisions) is expected


def test_streaks_go_through_bytes() -> None:
    streaks = Streaks(7, {("training", "age", "ks"): Streak(2, 0, False), ("before", "x", "psi"): Streak(0, 1, True)})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(streaks), type=Streaks) == streaks
