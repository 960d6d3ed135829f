"""From bounds to decisions, and the streaks that link one evaluation to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.evaluate.report import Decision
from agent.evaluate.rule import CALM, QUARTER, STILL, Rule
from agent.stats.drift.effect import Effect

RANK = {decision: rank for rank, decision in enumerate(Decision)}
"""The more alarming, the higher."""

Key = tuple[str, str, str]
"""What is compared with, the column, the statistic."""


class Streak(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one score leaves to the next evaluation.

    Parameters
    ----------
    run
        Evaluations in a row that exceeded the tolerance.
    calm
        Evaluations in a row that were calm, while it is `raised`.
    raised
        Whether it is called drifted.
    """

    run: int = 0
    calm: int = 0
    raised: bool = False


NO_STREAK = Streak()


class Streaks(msgspec.Struct, frozen=True):
    """What one evaluation leaves to the next; plain data that msgspec writes and reads.

    Parameters
    ----------
    evaluations
        How many evaluations there were.
    scores
        The scores that are suspect or drifted; all others are `NO_STREAK`.
    """

    evaluations: int = 0
    scores: Mapping[Key, Streak] = {}


class Strongest(NamedTuple):
    """Of each column the length of the window that proves most; every shape is ``(C,)``."""

    place: NDArray[np.intp]
    """Which length, as an index of the first axis."""
    newest: NDArray[np.intp]
    """The length that must show it still: a quarter of it."""
    evidence: NDArray[np.float64]
    """The factor between lower bound and tolerance."""
    decidable: NDArray[np.bool_]
    """Whether any length has rows enough."""


class Verdict(NamedTuple):
    """What one look says of each column; every shape is ``(C,)``."""

    exceeds: NDArray[np.bool_]
    """Whether the lower bound exceeds the tolerance, and the newest rows still deviate."""
    calm: NDArray[np.bool_]
    """Whether it is as clearly below the tolerance as ending a drift takes."""


def strongest(
    effect: Effect, thresholds: NDArray[np.float64], rule: Rule, overdispersion: NDArray[np.float64] | float = 1.0
) -> Strongest:
    """Find where the evidence is strongest: the largest factor between lower bound and tolerance.

    Where no bound is above 0 it is the longest stretch with rows enough, whose estimate is the best.

    Parameters
    ----------
    effect
        Of S lengths of the window, shortest first, shape ``(S, C)``.
    thresholds
        Shape ``(C,)``; infinite where switched off.
    rule
        The rule. Its rows are independent ones.
    overdispersion
        So many rows say as much as one, shape ``(S, C)``.
    """
    rows = np.minimum(effect.rows / overdispersion, effect.reference_rows)
    enough = np.isfinite(effect.value) & (rows >= rule.min_rows)
    factors = np.where(enough, effect.lower / thresholds, -1.0)
    best = np.argmax(factors, axis=0)
    evidence = factors[best, np.arange(factors.shape[1])]
    longest = len(factors) - 1 - np.argmax(enough[::-1], axis=0)
    place = np.where(evidence > 0, best, longest)
    newest = np.maximum(np.argmax(enough, axis=0), place - QUARTER)
    return Strongest(place, newest, evidence, np.asarray(enough.any(axis=0)))


def verdict(found: Strongest, recent: Effect | None, thresholds: NDArray[np.float64]) -> Verdict:
    """Say which columns exceed their tolerance, and which are calm.

    A burst that is over stands in the window for another hour: a drift has to be seen in the newest quarter of the rows that
    prove it, too, if only by half of the tolerance and with little certainty.

    Parameters
    ----------
    found
        From `strongest`.
    recent
        The same effect with bounds at the level `LIKELY`; ``None`` if nothing is near its tolerance.
    thresholds
        Shape ``(C,)``.
    """
    if recent is None:
        return Verdict(np.zeros(len(thresholds), dtype=bool), found.decidable)
    still = np.nan_to_num(recent.lower[found.newest, np.arange(len(thresholds))]) / thresholds
    exceeds = found.decidable & (found.evidence > 1.0) & (still > STILL)
    return Verdict(exceeds, found.decidable & ((found.evidence <= CALM) | (still <= STILL * CALM)))


def step(
    before: Streak, rule: Rule, *, decidable: bool, exceeds: bool, calm: bool, fresh: bool = True
) -> tuple[Decision, Streak]:
    """Decide one score.

    It is raised after `Rule.consecutive` evaluations in a row that exceed the tolerance, and it ends after as many that are
    calm. Where there are too few rows to decide everything stays as it was: a quiet night is no evidence of recovery, nor of
    drift, and nobody should be woken twice by the same one. So it does where it is not `fresh`: no row came since the last
    evaluation. That is for groups (`agent.evaluate.bias`), of which the same rows must not count twice.

    Examples
    --------
    >>> rule = Rule(100, 2, 0.05, 1440, {})
    >>> step(Streak(1), rule, decidable=True, exceeds=True, calm=False)
    (<Decision.DRIFTED: 'drifted'>, Streak(run=2, calm=0, raised=True))
    >>> step(Streak(0, 1, True), rule, decidable=True, exceeds=False, calm=True)
    (<Decision.OK: 'ok'>, Streak(run=0, calm=0, raised=False))
    """
    if before.raised and not (decidable and fresh):
        return Decision.DRIFTED, before
    if not decidable:
        return Decision.INSUFFICIENT, before
    if not fresh:
        return (Decision.SUSPECT if before.run else Decision.OK), before
    run = before.run + 1 if exceeds else 0
    quiet = before.calm + 1 if calm and before.raised else 0
    raised = run >= rule.consecutive or (before.raised and quiet < rule.consecutive)
    if raised:
        return Decision.DRIFTED, Streak(run, quiet, True)
    return (Decision.SUSPECT if run else Decision.OK), Streak(run)


def worst(decisions: Iterable[Decision]) -> Decision:
    """Give the most alarming of some decisions; `Decision.NO_REFERENCE` where there are none.

    Examples
    --------
    >>> worst([Decision.OK, Decision.SUSPECT, Decision.INSUFFICIENT])
    <Decision.SUSPECT: 'suspect'>
    """
    return max(decisions, key=RANK.__getitem__, default=Decision.NO_REFERENCE)
