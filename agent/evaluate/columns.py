"""From findings to the report of each column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.decide import NO_STREAK, Key, Streak, step, worst
from agent.evaluate.facts import CategoryFacts, Facts, NumericFacts, category_facts, medians, numeric_facts
from agent.evaluate.reason import NOT_SEEN, explain, too_few
from agent.evaluate.report import TRAINING, ColumnReport, Decision, Score, evidence
from agent.evaluate.rule import Rule
from agent.evaluate.search import Finding
from agent.evaluate.stretches import Stretch
from agent.evaluate.tolerance import median_of
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.frame import Frames
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.window.ring import Window

_CALM = (Decision.OK, Decision.INSUFFICIENT)


class ColumnReports:
    """Collects what the statistics found, by column.

    Parameters
    ----------
    window
        What was evaluated.
    schema
        Its columns; none where it is ``None``.
    rule
        The rule.
    violations
        Rows that broke the schema since the start, by (column, kind).
    medians
        Of training, one per column; none where there is nothing to compare.
    """

    def __init__(
        self,
        window: Window,
        schema: Schema | None,
        rule: Rule,
        violations: Mapping[tuple[str, str], int],
        medians: Sequence[float | None] = (),
    ) -> None:
        self._window = window
        self._columns = schema.columns if schema is not None else ()
        self._rule = rule
        self._medians = medians
        self._violations: dict[str, dict[str, int]] = {}
        for (name, kind), count in violations.items():
            self._violations.setdefault(name, {})[kind] = count
        self._scores: list[list[Score]] = [[] for _ in self._columns]
        self._lengths: list[list[int]] = [[] for _ in self._columns]
        """Of each score, which length of the window it is of."""
        self._current: Frames | None = None
        self._middles: dict[int, NDArray[np.float64]] = {}
        """Medians, by the frames they are of."""
        self._spans: Sequence[float] = ()
        layout = window.layout
        self._numeric = {place: column for column, place in enumerate(layout.numeric)}
        self._category = {place: column for column, place in enumerate(layout.category)}
        self._spread: Mapping[int, float] = {}

    def see(self, current: Frames, spread: tuple[NDArray[np.float64], NDArray[np.float64]], looked: Sequence[Stretch]) -> None:
        """Take the window at its lengths, shape ``(S, C)``, the overdispersion of its columns, and how far lengths reach."""
        self._current = current
        self._spans = [stretch.span_s for stretch in looked]
        places = (*self._window.layout.numeric, *self._window.layout.category)
        self._spread = dict(zip(places, np.concatenate([each[-1] for each in spread]).tolist(), strict=True))

    def add(self, finding: Finding, streaks: dict[Key, Streak]) -> None:
        """Take one statistic of many columns, and bring its streaks up to date."""
        family, effect, strongest = finding.family, finding.effect, finding.strongest
        best = strongest.place
        columns = np.arange(len(best))
        skipped = len(self._spans) - len(effect.value)  # some references are only compared with the whole window
        name, against, spans = family.statistic.name, family.against, self._spans
        told = zip(
            family.places,
            *(array[best, columns].tolist() for array in (effect.value, effect.lower, effect.rows.astype(np.int64))),
            _or_none(effect.p_value[best, columns] if effect.p_value is not None else np.full(len(best), np.nan)),
            _or_none(np.where(np.isfinite(family.thresholds), family.thresholds, np.nan)),
            (best + skipped).tolist(),
            *(flags.tolist() for flags in (strongest.decidable, finding.verdict.exceeds, finding.verdict.calm)),
            strict=True,
        )
        for place, value, lower, rows, p_value, threshold, length, decidable, exceeds, calm in told:
            if value != value:  # noqa: PLR0124 - undefined
                continue
            key = (against, self._columns[place].name, name)
            before = streaks.get(key, NO_STREAK)
            decision, after = step(before, self._rule, decidable=decidable, exceeds=exceeds, calm=calm)
            if after is not before:
                streaks[key] = after
            span_s = spans[length]
            score = Score(name, against, value, lower, threshold, decision, after.run, rows, span_s, p_value)
            self._scores[place].append(score)
            self._lengths[place].append(length)

    def result(self) -> list[ColumnReport]:
        """Give the reports, in the order of the schema's columns."""
        return [self._report(place, column) for place, column in enumerate(self._columns)]

    def _report(self, place: int, column: ColumnSchema) -> ColumnReport:
        reference, scores = column.reference, self._scores[place]
        current = self._facts(place, -1) if self._current is not None else None
        decision, reason = self._decide(place, reference, current)
        numeric = current if isinstance(current, NumericFacts) else None
        return ColumnReport(
            name=column.name,
            role=column.role,
            type=column.type,
            decision=decision,
            reason=reason,
            rows=current.rows if current is not None else 0,
            missing_share=_share(current.missing, current.rows) if current is not None else None,
            reference_rows=reference.rows if reference is not None else 0,
            reference_missing_share=_share(reference.missing, reference.rows) if reference is not None else None,
            scores=scores,
            mean=_finite(numeric.mean) if numeric is not None else None,
            reference_mean=_finite(reference.mean) if isinstance(reference, NumericSummary) else None,
            median=self._median(place, numeric) if numeric is not None else None,
            reference_median=self._medians[place] if self._medians else None,
            unseen_share=_share(current.unseen, current.rows - current.missing) if isinstance(current, CategoryFacts) else None,
            distance=_distance(scores, reference) if isinstance(reference, NumericSummary) else None,
            overdispersion=self._spread.get(place),
            violations=self._violations.get(column.name, {}),
        )

    def _decide(self, place: int, reference: Summary | None, current: Facts | None) -> tuple[Decision, str]:
        column, scores = self._columns[place], self._scores[place]
        if reference is None:
            return Decision.NO_REFERENCE, f"columns of type {column.type} are not compared"
        if current is None or current.rows == 0:
            return Decision.INSUFFICIENT, NOT_SEEN
        decision = worst([Decision.INSUFFICIENT, *(score.decision for score in scores)])
        if decision is Decision.INSUFFICIENT:
            return decision, too_few(current.rows, reference.rows, self._rule.min_rows, self._spread.get(place, 1.0))
        if decision in _CALM:
            return decision, ""
        return decision, self._explain(place, decision)

    def _explain(self, place: int, decision: Decision) -> str:
        scores = self._scores[place]
        loud = [index for index, score in enumerate(scores) if score.decision is decision]
        top = max(loud, key=lambda index: evidence(scores[index]))  # of equals the first in the table
        score = scores[top]
        current = self._facts(place, self._lengths[place][top])
        whole = score.span_s == self._spans[-1]
        return explain(score, current, self._reference_facts(place, score.against), whole=whole)

    def _facts(self, place: int, length: int) -> Facts | None:
        return self._facts_of(self._current, place, (length,))

    def _reference_facts(self, place: int, against: str) -> Facts | None:
        if against == TRAINING:
            median = self._medians[place] if self._medians else None
            return _facts_of_summary(self._columns[place].reference, math.nan if median is None else median)
        return self._facts_of(self._window.before if against == "before" else self._window.season, place, ())

    def _facts_of(self, frames: Frames | None, place: int, leading: tuple[int, ...]) -> Facts | None:
        if frames is None:
            return None
        if place in self._numeric:
            return numeric_facts(frames.numeric, (*leading, self._numeric[place]), self._middles_of(frames))
        if place in self._category:
            categories = self._columns[place].categories or ()
            return category_facts(frames.category, (*leading, self._category[place]), categories)
        return None

    def _middles_of(self, frames: Frames) -> NDArray[np.float64]:
        found = self._middles.get(id(frames))  # all of them live as long as this
        if found is None:
            found = self._middles[id(frames)] = medians(frames.numeric, self._window.layout.bins)
        return found

    def _median(self, place: int, facts: NumericFacts) -> float | None:
        if math.isfinite(facts.median):
            return facts.median
        # the sketch knows what the open bin does not
        return median_of(self._window.summary(place)) if facts.count else None


def _facts_of_summary(summary: Summary | None, median: float) -> Facts | None:
    if isinstance(summary, NumericSummary):
        return NumericFacts(
            summary.rows, summary.missing, summary.infinite, summary.count, summary.mean,
            math.sqrt(max(0.0, summary.variance)), summary.minimum, summary.maximum, median,
        )  # fmt: skip
    if isinstance(summary, CategorySummary):
        return CategoryFacts(summary.rows, summary.missing, summary.categories, summary.counts, summary.unseen)
    return None


def _distance(scores: Sequence[Score], reference: NumericSummary) -> float | None:
    apart = next((score.value for score in scores if (score.statistic, score.against) == ("wasserstein", TRAINING)), None)
    return None if apart is None else _finite(apart * math.sqrt(max(0.0, reference.variance)))


def _or_none(numbers: NDArray[np.float64]) -> list[float | None]:
    return [number if number == number else None for number in numbers.tolist()]  # noqa: PLR0124 - NaN


def _share(count: int, rows: int) -> float | None:
    return count / rows if rows else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
