from __future__ import annotations

import msgspec
import pytest

from agent.evaluate.decide import Streaks, score_of, worst
from agent.evaluate.report import Decision
from agent.evaluate.rule import Rule
from agent.stats.drift.effect import Effect

RULE = Rule(100, 3, 0.05, {"psi": 0.1})
ABOVE = Effect(0.4, 0.3, 500, 1000)
BELOW = Effect(0.4, 0.05, 500, 1000)
FEW = Effect(4.0, 3.0, 99, 1000)
FEW_IN_TRAINING = Effect(4.0, 3.0, 500, 99)


def decisions(*effects: Effect) -> list[tuple[Decision, int]]:
    run, found = 0, []
    for effect in effects:
        score = score_of("psi", effect, RULE, run)
        run = score.streak
        found.append((score.decision, run))
    return found


def test_drifted_takes_enough_evaluations_in_a_row() -> None:
    assert decisions(ABOVE, ABOVE, ABOVE, ABOVE) == [
        (Decision.SUSPECT, 1),
        (Decision.SUSPECT, 2),
        (Decision.DRIFTED, 3),
        (Decision.DRIFTED, 4),
    ]


def test_one_calm_evaluation_starts_over() -> None:
    assert decisions(ABOVE, ABOVE, BELOW, ABOVE)[2:] == [(Decision.OK, 0), (Decision.SUSPECT, 1)]


def test_a_drift_ends_with_its_bound() -> None:
    assert decisions(ABOVE, ABOVE, ABOVE, BELOW)[-1] == (Decision.OK, 0)


@pytest.mark.parametrize("few", [FEW, FEW_IN_TRAINING])
def test_too_few_rows_decide_nothing_and_the_streak_waits(few: Effect) -> None:
    assert decisions(ABOVE, ABOVE, few, ABOVE)[2:] == [(Decision.INSUFFICIENT, 2), (Decision.DRIFTED, 3)]


def test_the_value_alone_never_decides() -> None:
    assert score_of("psi", Effect(9.0, 0.1, 500, 500), RULE, 2).decision == Decision.OK  # not more than the tolerance


def test_one_evaluation_is_enough_where_the_rule_says_so() -> None:
    assert score_of("psi", ABOVE, Rule(100, 1, 0.05, {"psi": 0.1}), 0).decision == Decision.DRIFTED


def test_the_worst_of_nothing_is_no_reference() -> None:
    assert worst([]) == Decision.NO_REFERENCE
    assert worst(list(Decision)) == Decision.DRIFTED
    assert worst([Decision.INSUFFICIENT, Decision.OK]) == Decision.OK


def test_streaks_survive_being_written() -> None:
    streaks = Streaks(7, 5, {"age": {"psi": 2}})
    assert msgspec.json.decode(msgspec.json.encode(streaks), type=Streaks) == streaks
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(streaks), type=Streaks) == streaks
    assert (streaks.run("age", "psi"), streaks.run("age", "ks"), streaks.run("town", "psi")) == (2, 0, 0)
