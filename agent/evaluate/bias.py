"""Whether the model's answers favour some groups: selection rates beside those of the others, with the rule of all decisions.

Difference and ratio are decided like drift: their lower bound, at a share of the error, must exceed the tolerance over some
stretch of the window, be still there in the newest part of it, and that several times in a row. Bursts and rows that come several
times in a row widen the bounds, and count as the few rows that they are.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.evaluate.decide import NO_STREAK, RANK, Key, Streak, Strongest, step, strongest, verdict, worst
from agent.evaluate.reason import duration
from agent.evaluate.repetition import repetition
from agent.evaluate.report import TRAINING, Decision, GapReport, GroupReport
from agent.evaluate.rule import CALM, LIKELY, Rule
from agent.evaluate.stretches import stretches
from agent.stats.bias.impact_ratio import impact_ratio
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, Floats, Interval, clopper_pearson, wilson
from agent.stats.drift.effect import Effect
from agent.stats.overdispersion import overdispersion
from agent.window.selection import Selected

Statistic = Callable[[Floats, Floats, Floats, Floats, ArrayLike, Ends], Interval]
Away = Callable[[Interval], tuple[Floats, Floats]]
"""Gives how far a gap is from parity, and how far it is at least."""

DIFFERENCE, RATIO = "parity_difference", "impact_ratio"

SHOWN = 0.05
"""The error of the intervals that people read."""

_FAR = 50.0
"""Logarithms of ratios are cut here: a group that is never selected has a ratio of 0."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group.

    Parameters
    ----------
    name, column, value
        As in `GroupReport`.
    training
        Answered and selected rows of the group and of the others in training; ``None`` where the profile does not say.
    by
        How `profile build` is told of it: ``gender``, ``age<25``; the name if empty.
    favourable
        How it is told of the favourable answer; empty where it knows by itself.
    """

    name: str
    column: str
    value: str
    training: tuple[tuple[int, int], tuple[int, int]] | None = None
    by: str = ""
    favourable: str = ""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is tolerated: the largest difference, infinite if none is; the smallest ratio, 0 if none is."""

    difference: float
    ratio: float


@dataclass(frozen=True, slots=True)
class _Found:
    """One gap of all groups."""

    shown: Interval
    """At each length of the window, shape ``(S, G)``."""
    proven: Floats
    """The least magnitude at each length of the window, shape ``(S, G)``."""
    strongest: Strongest
    exceeds: NDArray[np.bool_]
    calm: NDArray[np.bool_]


class _Stretch(NamedTuple):
    """What a sentence is about."""

    counts: NDArray[np.int64]
    """Of the stretch that decides, shape ``(2, 2)``."""
    independent: Floats
    """How many rows those of the whole window say as much as: the group's, and the others'."""
    span_s: float
    newest: bool
    """Whether it is a part of the window."""


def evaluate_bias(
    groups: Sequence[Group],
    window: Selected,
    rule: Rule,
    tolerance: Tolerance,
    streaks: Mapping[Key, Streak],
    now_ns: int,
    *,
    fresh: bool = True,
) -> tuple[list[GroupReport], dict[Key, Streak]]:
    """Compare each group with the others.

    Parameters
    ----------
    groups
        G of them.
    window
        When each pane began, its counts, and how its rows repeat.
    rule
        How many rows, how often in a row, how much error.
    tolerance
        What is tolerated.
    streaks
        What the evaluation before this one returned.
    now_ns
        Wall clock.
    fresh
        Whether rows came since the evaluation before; the same rows do not count twice.

    Returns
    -------
    tuple
        A report for each group, and the streaks to hand to the next evaluation. Cost: 3 ms for 20 groups and 60 panes.
    """
    starts_ns, counts, repeats = window
    kept = dict(streaks)
    if not groups:
        return [], kept
    if not len(counts):
        counts, repeats, starts_ns = np.zeros((1, len(groups), 2, 2), dtype=np.int64), np.zeros((1, 3), dtype=np.int64), [now_ns]
    looked = stretches(starts_ns, now_ns, [1] * len(counts))
    taken, spans = [stretch.taken for stretch in looked], [stretch.span_s for stretch in looked]
    ends = np.cumsum(counts[::-1], axis=0)[np.array(taken) - 1]
    effective = ends / np.maximum(_spread(counts), repetition(repeats, taken)[:, None, None])[..., None]
    level = rule.levels(2 * len(taken) * len(groups), [stretch.panes for stretch in looked])[:, None]
    limit = -math.log(tolerance.ratio) if tolerance.ratio > 0 else math.inf
    found = {
        DIFFERENCE: _find(parity_difference, _away, effective, level, tolerance.difference, rule),
        RATIO: _find(impact_ratio, _log_away, effective, level, limit, rule),
    }
    reports = []
    for place, group in enumerate(groups):
        gaps = {}
        for name, thing in found.items():
            key = (TRAINING, group.name, name)
            exceeds, calm = bool(thing.exceeds[place]), bool(thing.calm[place])
            decidable = bool(thing.strongest.decidable[place])
            decision, after = step(kept.get(key, NO_STREAK), rule, decidable=decidable, exceeds=exceeds, calm=calm, fresh=fresh)
            kept[key] = after
            gaps[name] = _gap(name, thing, place, decision, after, tolerance, spans)
        leads = max(found, key=lambda name: (RANK[gaps[name].decision], name == DIFFERENCE))
        length = int(found[leads].strongest.place[place])
        stretch = _Stretch(ends[length, place], effective[-1, place, :, 0], spans[length], newest=length < len(taken) - 1)
        reports.append(_report(group, ends[-1, place].tolist(), gaps[DIFFERENCE], gaps[RATIO], rule, stretch))
    return reports, {key: streak for key, streak in kept.items() if streak.run or streak.raised}


def _spread(counts: NDArray[np.int64]) -> Floats:
    """Give the overdispersion of each group and of its others, shape ``(G, 2)``."""
    panes, many = counts.shape[:2]
    chosen = counts[..., 1]
    cells = np.stack((chosen, counts[..., 0] - chosen), axis=-1).reshape(panes, 2 * many, 2)
    return overdispersion(cells).reshape(many, 2)


def _away(interval: Interval) -> tuple[Floats, Floats]:
    return np.abs(interval.value), np.maximum(np.maximum(interval.lower, -interval.upper), 0.0)


def _log_away(interval: Interval) -> tuple[Floats, Floats]:
    with np.errstate(divide="ignore"):
        value, lower, upper = (np.clip(np.log(part), -_FAR, _FAR) for part in (interval.value, interval.lower, interval.upper))
    return np.abs(value), np.maximum(np.maximum(lower, -upper), 0.0)


def _find(statistic: Statistic, away: Away, effective: Floats, level: Floats, threshold: float, rule: Rule) -> _Found:
    """Look at all lengths of the window, shape ``(S, G, 2, 2)``: effective rows."""

    def compare(alpha: ArrayLike) -> Effect:
        magnitude, least = away(_interval(statistic, effective, alpha, clopper_pearson))
        return Effect(magnitude, np.minimum(least, magnitude), rows[..., 0], rows[..., 1])

    rows = effective[..., 0]
    thresholds = np.full(effective.shape[1], threshold)
    effect = compare(level)
    found = strongest(effect, thresholds, rule)
    recent = compare(LIKELY) if (found.evidence > CALM).any() else None
    said = verdict(found, recent, thresholds)
    return _Found(_interval(statistic, effective, SHOWN, wilson), effect.lower, found, said.exceeds, said.calm)


def _interval(statistic: Statistic, counts: Floats, alpha: ArrayLike, ends: Ends) -> Interval:
    group, others = counts[..., 0, :], counts[..., 1, :]
    return statistic(group[..., 1], group[..., 0], others[..., 1], others[..., 0], alpha, ends)


def _gap(
    name: str, found: _Found, place: int, decision: Decision, streak: Streak, tolerance: Tolerance, spans: Sequence[float]
) -> GapReport:
    length = int(found.strongest.place[place])
    value, lower, upper = (_finite(part[length, place]) for part in (found.shown.value, found.shown.lower, found.shown.upper))
    proven = _finite(found.proven[length, place])
    threshold = _finite(tolerance.difference)
    if name == RATIO:
        threshold = tolerance.ratio or None
        if proven is not None:
            below = value is not None and value < 1
            proven = math.exp(-proven if below else proven)
            if value is not None:  # rounding
                proven = max(proven, value) if below else min(proven, value)
    return GapReport(value, lower, upper, proven, threshold, decision, streak.run, spans[length])


def _report(
    group: Group, counts: list[list[int]], difference: GapReport, ratio: GapReport, rule: Rule, stretch: _Stretch
) -> GroupReport:
    (rows, selected), (other_rows, other_selected) = counts
    decision = worst((difference.decision, ratio.decision))
    known = group.training is not None
    (training, chosen), (training_others, chosen_others) = group.training or ((0, 0), (0, 0))
    report = GroupReport(
        name=group.name,
        column=group.column,
        value=group.value,
        decision=decision,
        reason="",
        rows=rows,
        selected=selected,
        other_rows=other_rows,
        other_selected=other_selected,
        rate=_rate(selected, rows),
        other_rate=_rate(other_selected, other_rows),
        difference=difference,
        ratio=ratio,
        training_rate=_rate(chosen, training) if known else None,
        training_other_rate=_rate(chosen_others, training_others) if known else None,
    )
    if decision is Decision.INSUFFICIENT:
        said = f"{rows:,} answered rows against {other_rows:,} of the others"
        mine, others = (float(part) for part in stretch.independent)
        if min(rows, other_rows) >= rule.min_rows:
            said += f", which repeat: they say as much as {mine:,.0f} against {others:,.0f}"
        said += f"; nothing is decided below {rule.min_rows:,}"
        return msgspec.structs.replace(report, reason=said)
    return report if decision is Decision.OK else msgspec.structs.replace(report, reason=_explain(report, group, stretch))


def _explain(report: GroupReport, group: Group, stretch: _Stretch) -> str:
    """Say in one sentence what was found, by the gap that decides."""
    (rows, selected), (other_rows, other_selected) = stretch.counts.tolist()
    rates = _percent(_rate(selected, rows)), _percent(_rate(other_selected, other_rows))
    over = f"over {rows:,} rows against {other_rows:,}"
    if stretch.newest:
        over = f"over the newest {rows:,} rows against {other_rows:,} ({duration(stretch.span_s)})"
    parts = [
        f"selected {rates[0]} of {report.name} against {rates[1]} of the others",
        over,
    ]
    for gap, leads in ((report.difference, _difference_leads(report)), (report.ratio, not _difference_leads(report))):
        if gap is None or not leads or gap.bound is None or gap.value is None:
            continue
        if gap is report.difference:
            more = "more" if gap.value > 0 else "less"
            parts.insert(1, f"at least {100 * gap.bound:.3g} points {more}, tolerance {100 * (gap.threshold or 0):.3g}")
        else:
            few = "at most" if gap.value < 1 else "at least"
            tolerated = (gap.threshold or 0.0) if gap.value < 1 else 1 / (gap.threshold or math.inf)
            parts.insert(1, f"{few} {gap.bound:.3g} times as often, tolerance {tolerated:.3g}")
    if report.training_rate is not None:
        parts.append(f"in training {_percent(report.training_rate)} against {_percent(report.training_other_rate)}")
    else:
        by = shlex.quote(group.by or group.name)
        by = by if by.startswith("'") else f"'{by}'"
        lucky = f" --favourable {shlex.quote(group.favourable)}" if group.favourable else ""
        parts.append(f"what it was in training is not known (build the profile with --by {by}{lucky})")
    return ", ".join(parts)


def _difference_leads(report: GroupReport) -> bool:
    return report.difference is not None and report.difference.decision is report.decision


def _percent(rate: float | None) -> str:
    return "none" if rate is None else f"{100 * rate:.3g} %"


def _rate(count: int, rows: int) -> float | None:
    return count / rows if rows else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
