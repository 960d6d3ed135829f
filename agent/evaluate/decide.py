"""From bounds to decisions, and the streaks that link one evaluation to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from agent.evaluate.report import Decision, Score
from agent.evaluate.rule import Rule
from agent.stats.drift.effect import Effect

_ORDER = {decision: rank for rank, decision in enumerate(Decision)}


class Streaks(msgspec.Struct, frozen=True):
    """What one evaluation leaves to the next; plain data that msgspec writes and reads.

    Parameters
    ----------
    evaluations
        How many evaluations there were.
    looks
        How many of them had a column with rows enough to decide; only those spend error.
    runs
        By column, by statistic: evaluations in a row whose bound exceeded the tolerance. Zeros are left out.
    """

    evaluations: int = 0
    looks: int = 0
    runs: Mapping[str, Mapping[str, int]] = {}

    def run(self, column: str, statistic: str) -> int:
        """Give the streak of one score, 0 where there is none."""
        return self.runs.get(column, {}).get(statistic, 0)


def score_of(statistic: str, effect: Effect, rule: Rule, run: int) -> Score:
    """Decide one score.

    The streak grows where the lower bound exceeds the tolerance and goes back to 0 where it does not. Where there are too
    few rows to decide it stays as it was: a quiet night is no evidence of recovery, nor of drift.

    Parameters
    ----------
    statistic
        Its name.
    effect
        Effect size and bound.
    rule
        The rule.
    run
        The streak before this evaluation.
    """
    threshold = rule.thresholds[statistic]
    if min(effect.rows, effect.reference_rows) < rule.min_rows:
        decision = Decision.INSUFFICIENT
    elif not effect.lower > threshold:
        decision, run = Decision.OK, 0
    else:
        run += 1
        decision = Decision.DRIFTED if run >= rule.consecutive else Decision.SUSPECT
    return Score(statistic, effect.value, effect.lower, threshold, decision, run, effect.p_value)


def worst(decisions: Iterable[Decision]) -> Decision:
    """Give the most alarming of some decisions; `Decision.NO_REFERENCE` where there are none.

    Examples
    --------
    >>> worst([Decision.OK, Decision.SUSPECT, Decision.INSUFFICIENT])
    <Decision.SUSPECT: 'suspect'>
    """
    return max(decisions, key=_ORDER.__getitem__, default=Decision.NO_REFERENCE)
