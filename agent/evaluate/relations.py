"""How columns go together: from the window's sums to what is reported and decided."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Set
from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.evaluate.decide import NO_STREAK, Key, Streak, step
from agent.evaluate.reason import duration, number
from agent.evaluate.report import TRAINING, Decision, RelationReport
from agent.evaluate.rule import CALM, LIKELY, QUARTER, STILL, Rule
from agent.evaluate.stretches import Stretch
from agent.joint.correlation import correlation_of
from agent.joint.reference import JointReference
from agent.profile.schema import Schema
from agent.stats.joint.association_change import association_change
from agent.stats.joint.correlation_change import correlation_change
from agent.stats.joint.mmd import mmd
from agent.stats.joint.overdispersion import overdispersion
from agent.stats.joint.report import FeatureScore, JointScore, JointTolerances, PairScore, joint_report
from agent.window.relations import RelationsFrame, RelationsSketch, side_by_side, suffixes

Floats = NDArray[np.float64]

CORRELATION = "correlation"
ASSOCIATION = "association"
DISCREPANCY = "discrepancy"
KINDS = (CORRELATION, ASSOCIATION, DISCREPANCY)

SHARE = 0.2
"""The part of alpha that is for how columns go together; the rest is for the columns themselves."""

MOST = 20
"""Pairs and features that are reported at most, the strongest first."""


class _Found(NamedTuple):
    kind: str
    columns: tuple[str, ...]
    score: JointScore
    before: float | None
    now: float | None
    again: Callable[[int], float]
    """How much it moved in another stretch."""


def relate(
    panes: Sequence[RelationsSketch],
    schema: Schema,
    rule: Rule,
    looked: Sequence[Stretch],
    streaks: dict[Key, Streak],
    repeated: Floats,
) -> list[RelationReport]:
    """Compare how columns go together with training.

    Parameters
    ----------
    panes
        Oldest first.
    schema
        Whose columns; without `Schema.relations` there is nothing to compare.
    rule
        Tolerances, and how often in a row.
    looked
        The stretches of the window that are compared.
    streaks
        Brought up to date.
    repeated
        How many rows say as much as one because they repeat, one per length.

    Returns
    -------
    list
        What moved for certain, pairs first, then features; the discrepancy of all columns together is always the last.
        Empty where too few rows came. Cost: 12 ms for 64 columns of the design and 60 panes.
    """
    reference = schema.relations
    if reference is None or not any(pane.seen for pane in panes):
        return []
    frame = suffixes(panes, [stretch.taken for stretch in looked], schema)
    spread = np.maximum(overdispersion(side_by_side(panes), reference.fourier), repeated)
    tolerances = JointTolerances(*(rule.thresholds[name] for name in (DISCREPANCY, CORRELATION, ASSOCIATION)))
    if float((frame.fourier.rows / spread).max(initial=0.0)) < rule.min_rows:
        return []
    found = joint_report(frame, reference, alpha=SHARE * rule.level(1), tolerances=tolerances, overdispersion=spread, most=MOST)
    again = _Again(frame, reference, spread)
    named = [
        *(_Found(CORRELATION, (s.left, s.right), s, s.before, s.now, again.pair(s)) for s in found.pairs),
        *(_Found(ASSOCIATION, (s.feature,), s, s.before, s.now, again.feature(s)) for s in found.features),
    ]
    if found.discrepancy is not None:
        named.append(_Found(DISCREPANCY, (), found.discrepancy, None, None, again.whole))
    reports = [_report(each, rule, looked, streaks, reference) for each in named]
    _settle(streaks, {_key(each.kind, each.columns) for each in named}, rule)
    return reports


class _Again:
    """Looks at the same effects in other stretches; only where something is near its tolerance."""

    def __init__(self, frame: RelationsFrame, reference: JointReference, spread: Floats) -> None:
        self._frame = frame
        self._reference = reference
        self._spread = spread

    def pair(self, score: PairScore) -> Callable[[int], float]:
        names = self._reference.names
        i, j = names.index(score.left), names.index(score.right)
        return lambda stretch: math.copysign(1.0, score.value) * float(self._correlations[stretch, i, j])

    def feature(self, score: FeatureScore) -> Callable[[int], float]:
        place = self._reference.features.names.index(score.feature)
        return lambda stretch: math.copysign(1.0, score.value) * float(self._associations[stretch, place])

    def whole(self, stretch: int) -> float:
        return float(mmd(self._frame.fourier, self._reference.fourier, LIKELY, self._spread).lower[stretch])

    @cached_property
    def _correlations(self) -> Floats:
        now = correlation_of(self._frame.moments)
        return correlation_change(now, self._reference.correlation, LIKELY, self._spread).value

    @cached_property
    def _associations(self) -> Floats:
        return association_change(self._frame.tables, self._reference.relevance, LIKELY, self._spread).value


def _report(
    found: _Found, rule: Rule, looked: Sequence[Stretch], streaks: dict[Key, Streak], reference: JointReference
) -> RelationReport:
    score = found.score
    unit = reference.tolerance if found.kind == DISCREPANCY else 1.0  # what a shift of a quarter deviation makes is 1
    evidence = score.lower / score.threshold
    near = evidence > CALM and found.again(max(0, score.stretch - QUARTER)) > STILL * score.threshold
    key = _key(found.kind, found.columns)
    decision, after = step(
        streaks.get(key, NO_STREAK), rule,
        decidable=score.rows >= rule.min_rows, exceeds=near and evidence > 1.0, calm=not near,
    )  # fmt: skip
    streaks[key] = after
    loud = decision in (Decision.SUSPECT, Decision.DRIFTED)
    report = RelationReport(
        kind=found.kind,
        columns=list(found.columns),
        decision=decision,
        reason="",
        before=found.before,
        now=found.now,
        value=score.value / unit,
        lower=score.lower / unit,
        threshold=score.threshold / unit if np.isfinite(score.threshold) else None,
        streak=after.run,
        rows=score.rows,
        span_s=looked[score.stretch].span_s,
    )
    return _with_reason(report) if loud else report


def _with_reason(report: RelationReport) -> RelationReport:
    times = f"{report.streak:,} evaluations in a row" if report.streak > 1 else "one evaluation so far"
    tolerance = "off" if report.threshold is None else number(report.threshold)
    proof = (
        f"at least {number(report.lower)}, tolerance {tolerance}, over the newest {report.rows:,} rows "
        f"({duration(report.span_s)}), {times}"
    )
    before, now = report.before or 0.0, report.now or 0.0
    if report.kind == CORRELATION:
        pair = " and ".join(report.columns)
        words = f"correlation of {pair} {number(now)} instead of {number(before)}, moved by {proof}"
    elif report.kind == ASSOCIATION:
        gained = "more" if abs(now) > abs(before) else "less"
        words = (
            f"{report.columns[0]} says {gained} of the prediction than in training: association {number(now)} instead of "
            f"{number(before)}, moved by {proof}"
        )
    else:
        words = (
            f"all columns together are {number(report.value)} times as far from training as if one of them had shifted by "
            f"a quarter σ, {proof}"
        )
    return msgspec.structs.replace(report, reason=words)


def _settle(streaks: dict[Key, Streak], seen: Set[Key], rule: Rule) -> None:
    """Bring up to date what moved before and is not among the strongest any more: it is calm."""
    for key in [key for key in streaks if key[2] in KINDS and key not in seen]:
        streaks[key] = step(streaks[key], rule, decidable=True, exceeds=False, calm=True)[1]


def _key(kind: str, columns: Sequence[str]) -> Key:
    return TRAINING, " ~ ".join(columns), kind
