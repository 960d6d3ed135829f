"""One evaluation: a window against its references, all columns at once, to a report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.columns import ColumnReports
from agent.evaluate.decide import Key, Streak, Streaks, worst
from agent.evaluate.relations import relate
from agent.evaluate.repetition import repetition
from agent.evaluate.report import BEFORE, SEASON, TRAINING, RelationReport, Report
from agent.evaluate.rule import Rule
from agent.evaluate.search import Family, search
from agent.evaluate.stretches import stretches
from agent.evaluate.table import CATEGORY, NUMERIC, statistics_of
from agent.evaluate.tolerance import Tolerated
from agent.evaluate.view import views
from agent.profile.schema import Schema
from agent.sketch.frame import Frames, last, suffixes
from agent.stats.overdispersion import overdispersion
from agent.window.ring import Window

STUCK_PANE = 2
"""Rows: with 60 panes a stuck feed comes to 120 independent ones, more than the 100 that a decision takes."""


def evaluate(
    window: Window,
    schema: Schema | None,
    rule: Rule,
    streaks: Streaks,
    violations: Mapping[tuple[str, str], int],
    now_ns: int,
    tolerated: Tolerated | None = None,
) -> tuple[Report, Streaks]:
    """Compare a window with its references and decide.

    A column's decision is the worst of its scores', the window's the worst of its columns'. Statistics that are undefined
    for these samples give no score. Cost: 46 ms for 200 columns and 60 panes, 170 ms while all of them drift
    (``tests/bench/detection.py``).

    Parameters
    ----------
    window
        What the ring gave.
    schema
        ``None`` where there is no reference yet: the report is then `Decision.NO_REFERENCE` without columns.
    rule
        Tolerances and how the error is shared out.
    streaks
        What the evaluation before this one returned; ``Streaks()`` for the first.
    violations
        Rows that broke the schema since the start, by (column, kind).
    now_ns
        Wall clock.
    tolerated
        Tolerances of each column; made of rule and schema if not given.

    Returns
    -------
    tuple
        The report, and the streaks to hand to the next evaluation.
    """
    evaluation = streaks.evaluations + 1
    if schema is not None and tolerated is None:
        tolerated = Tolerated(rule, schema)
    reports = ColumnReports(window, schema, rule, violations, tolerated.medians if tolerated is not None else ())
    scores: dict[Key, Streak] = dict(streaks.scores)
    relations: list[RelationReport] = []
    if schema is not None and tolerated is not None and window.panes is not None:
        looked = stretches(window.starts_ns, window.end_ns, window.held)
        taken = [stretch.taken for stretch in looked]
        repeated = np.ones(len(taken)) if window.repeats is None else repetition(window.repeats, taken, STUCK_PANE)
        spread = _spread(window, window.panes, repeated)
        current = suffixes(window.panes, taken)
        families = _families(window, current, spread, rule, tolerated)
        reports.see(current, spread, looked)
        for finding in search(families, rule, looked):
            reports.add(finding, scores)
        relations = relate(window.relations(), schema, rule, looked, scores, repeated)
    columns = reports.result()
    report = Report(
        time_ns=now_ns,
        window_start_ns=window.start_ns,
        window_end_ns=window.end_ns,
        rows=window.rows,
        model=schema.model if schema is not None else "",
        version=schema.version if schema is not None else "",
        evaluation=evaluation,
        decision=worst([*(column.decision for column in columns), *(relation.decision for relation in relations)]),
        columns=columns,
        relations=relations,
    )
    return report, Streaks(evaluation, {key: streak for key, streak in scores.items() if streak.run or streak.raised})


def _spread(window: Window, panes: Frames, repeated: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give how many rows say as much as one, shape ``(S, C)``: by how panes differ, or by rows that repeat if that is more."""
    coarse = window.layout.bins.coarse(panes.numeric.counts.astype(np.float64))
    found = (overdispersion(coarse), overdispersion(panes.category.counts))
    numeric, category = (np.maximum(each, repeated[:, None]) for each in found)
    return numeric, category


def _families(
    window: Window, current: Frames, spread: tuple[NDArray[np.float64], NDArray[np.float64]], rule: Rule, tolerated: Tolerated
) -> list[Family]:
    layout = window.layout
    references = {TRAINING: tolerated.training, BEFORE: window.before, SEASON: window.season}
    families = []
    for against in rule.against:
        reference = references[against]
        if reference is None:
            continue
        # Part of an hour is no hour of earlier days: their figures are only known by the half hour.
        compared = last(current) if against == SEASON else current
        numeric_spread, category_spread = (each[-len(compared.numeric.missing) :] for each in spread)
        both = (numeric_spread, category_spread)
        numeric, category = views(compared, reference, layout.bins, both, independent=against == TRAINING)
        for kind, view, places in ((NUMERIC, numeric, layout.numeric), (CATEGORY, category, layout.category)):
            families += [
                Family(against, statistic, view, places, tolerated.thresholds(against, statistic.name, places))
                for statistic in statistics_of(kind)
                if places and statistic.applies(view)
            ]
    return families
