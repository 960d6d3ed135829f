"""The result of one evaluation: what is exported, shown, and kept. Plain frozen data, JSON through msgspec."""

from __future__ import annotations

from enum import StrEnum

import msgspec

TRAINING = "training"
BEFORE = "before"
SEASON = "season"


class Decision(StrEnum):
    """What an evaluation says of a score, a column, or the whole window, from calm to alarming."""

    NO_REFERENCE = "no_reference"
    """There is nothing to compare with."""
    INSUFFICIENT = "insufficient"
    """Too few rows to say anything."""
    OK = "ok"
    """The lower bound does not exceed the threshold."""
    SUSPECT = "suspect"
    """The lower bound exceeds the threshold, but not for enough evaluations in a row yet."""
    DRIFTED = "drifted"
    """The lower bound exceeded the threshold for enough evaluations in a row, and it has not been calm for as many since."""


class Score(msgspec.Struct, frozen=True):
    """One statistic of one column, over the stretch of the window where it proves most.

    Parameters
    ----------
    statistic
        Its name in the table of statistics, such as ``psi``.
    against
        ``training``, ``before`` (the window before) or ``season`` (the same hours of earlier days).
    value
        The point estimate of the effect size.
    lower
        The lower confidence bound of the effect size at the level that was left for this score and look.
    threshold
        The tolerance: only ``lower > threshold`` counts. ``null`` where it is switched off.
    decision
        With the streak taken into account.
    streak
        Evaluations in a row that exceeded the threshold, this one included.
    rows
        Values that were compared.
    span_s
        How far back they reach, in seconds.
    p_value
        Of the test that belongs to the statistic, for those who want it; never used to decide. ``None`` where there is none.
    """

    statistic: str
    against: str
    value: float
    lower: float
    threshold: float | None
    decision: Decision
    streak: int
    rows: int
    span_s: float
    p_value: float | None = None


PLENTY = 3.0
"""From this factor over the tolerance on all statistics say the same; else the one with the smallest tolerance would lead."""


def evidence(score: Score) -> float:
    """Give by which factor a score is proven to exceed its tolerance, at most `PLENTY`: the largest one leads in words.

    Examples
    --------
    >>> calm = Score("ks", "training", 0.2, 0.05, 0.1, Decision.OK, 0, 900, 60.0)
    >>> evidence(calm), evidence(msgspec.structs.replace(calm, lower=0.9))
    (0.5, 3.0)
    """
    return min(score.lower / score.threshold, PLENTY) if score.threshold else 0.0


class ColumnReport(msgspec.Struct, frozen=True):
    """One column in the window, beside its reference. Numbers that are undefined are ``None``."""

    name: str
    role: str
    type: str
    decision: Decision
    reason: str
    """One plain sentence: what was found, with the numbers; empty where the decision is ``ok``."""
    rows: int
    missing_share: float | None
    reference_rows: int
    reference_missing_share: float | None
    scores: list[Score]
    mean: float | None = None
    reference_mean: float | None = None
    median: float | None = None
    reference_median: float | None = None
    unseen_share: float | None = None
    distance: float | None = None
    """How far the values moved on average, in the column's own unit: the Wasserstein distance from training."""
    overdispersion: float | None = None
    """So many rows say as much as one independent row: bursts and repeated rows. 1 where rows are independent."""
    violations: dict[str, int] = {}
    """Rows that broke the schema since the start, by kind."""


class RelationReport(msgspec.Struct, frozen=True):
    """Something of how columns go together that moved, or might have.

    Parameters
    ----------
    kind
        ``correlation`` of two columns, ``association`` of a feature with the prediction, or ``discrepancy`` of all columns
        together.
    columns
        Their names; a category of a column is named ``country=DE``. Empty for the discrepancy.
    decision, reason
        As those of columns.
    before, now
        Pearson's r of ranks within training's bounds, or the uncertainty coefficient; ``None`` for the discrepancy.
    value, lower, threshold, streak, rows, span_s
        As in `Score`. The discrepancy is in units of the shift of one column by a quarter of its standard deviation.
    """

    kind: str
    columns: list[str]
    decision: Decision
    reason: str
    before: float | None
    now: float | None
    value: float
    lower: float
    threshold: float | None
    streak: int
    rows: int
    span_s: float


class GapReport(msgspec.Struct, frozen=True):
    """How far a group's selection rate is from that of the others: as a difference, or as a ratio. ``None`` where undefined.

    Parameters
    ----------
    value, lower, upper
        Over the stretch that decides (`span_s`), with its interval at 95 %; an upper end of infinity is ``None``.
    bound
        What is proven at the level that was left for this look, over the stretch of the window that proves most: the least
        difference, without its sign; or of the ratio the end that is nearer to 1, which is 1 where nothing is proven.
    threshold
        The tolerance: the largest difference, or the smallest ratio (and one over it the largest). ``None`` if switched off.
    decision, streak, span_s
        As in `Score`.
    """

    value: float | None
    lower: float | None
    upper: float | None
    bound: float | None
    threshold: float | None
    decision: Decision
    streak: int
    span_s: float


class GroupReport(msgspec.Struct, frozen=True):
    """How often a model's answers favour a group, beside all others.

    Parameters
    ----------
    name
        Such as ``gender=f`` or ``age<25``.
    column, value
        The column, and its category or what it is compared with.
    decision, reason
        As those of columns; the worse of both gaps.
    rows, selected, other_rows, other_selected
        Rows in the window with an answer, and with a favourable one: of the group, and of the others.
    rate, other_rate
        The selection rates; ``None`` without rows.
    difference, ratio
        Of the two rates: statistical parity difference and disparate impact.
    training_rate, training_other_rate
        The same in training; ``None`` where the profile does not say.
    """

    name: str
    column: str
    value: str
    decision: Decision
    reason: str
    rows: int = 0
    selected: int = 0
    other_rows: int = 0
    other_selected: int = 0
    rate: float | None = None
    other_rate: float | None = None
    difference: GapReport | None = None
    ratio: GapReport | None = None
    training_rate: float | None = None
    training_other_rate: float | None = None


class Report(msgspec.Struct, frozen=True):
    """All columns at one moment."""

    time_ns: int
    window_start_ns: int
    window_end_ns: int
    rows: int
    model: str
    version: str
    evaluation: int
    """How many evaluations there were since the start, this one included."""
    decision: Decision
    columns: list[ColumnReport]
    relations: list[RelationReport] = []
    """How columns go together: what moved for certain, the strongest first, and the discrepancy of the whole."""
    groups: list[GroupReport] = []
    """How often the model's answers favour the configured groups; no part of the decision about the window."""
    reason: str = ""
    """One plain sentence where there is no decision about the window as a whole: what is missing; else empty."""
