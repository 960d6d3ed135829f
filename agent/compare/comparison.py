"""The result of a comparison: the sidecar's report, and what a page of it is drawn from. Plain frozen data."""

from __future__ import annotations

import msgspec

from agent.evaluate.report import Report
from agent.evaluate.segments import SegmentSummary


class Bars(msgspec.Struct, frozen=True):
    """A numeric column as bars of equal width, for drawing.

    Parameters
    ----------
    edges
        Ascending, one more than bars. What lies below the first or above the last edge is in the outermost bars.
    shares, reference_shares
        Of the values in each bar, in the data and in training; all zero where there are no values.
    """

    edges: list[float]
    shares: list[float]
    reference_shares: list[float]


class Distribution(msgspec.Struct, frozen=True):
    """A column's values in the data, beside training: exact counts of rows in the profile's frozen bins, or of its categories.

    Parameters
    ----------
    name
        The column's.
    counts, reference_counts
        Rows per bin, or per category.
    edges
        Interior edges of the bins, of which there is one more; empty for categories.
    categories
        Of training; empty for numbers.
    missing, reference_missing
        Rows without a value.
    unseen, reference_unseen
        Rows in none of the categories.
    bars
        For numbers.
    """

    name: str
    counts: list[int]
    reference_counts: list[int]
    edges: list[float] = []
    categories: list[str] = []
    missing: int = 0
    reference_missing: int = 0
    unseen: int = 0
    reference_unseen: int = 0
    bars: Bars | None = None


class Comparison(Report, frozen=True, kw_only=True):
    """A data set against a training profile.

    `decision` is `Decision.DRIFTED` if a column, a relation, a segment or a group is.

    Parameters
    ----------
    data
        What it is called.
    training_rows
        Rows of training.
    repeated
        So many rows count as one because rows are equal (`agent.compare.copies`). 1 where rows are not repeated.
    anomalies
        Rows that are as strange as next to none in training (``OUTRIDER_ANOMALY_QUANTILE``); ``None`` where rows are not scored.
    missing_columns, absent_outputs, extra_columns
        Features that the data lacks, which count as missing in every row; predictions that it lacks, which are not compared;
        and columns that the profile does not know, which are not looked at.
    broken_rows
        Rows that broke the schema as a whole or in columns that the profile does not know, by kind.
    distributions
        Of the compared columns, in the order of `columns`.
    segments
        What ``OUTRIDER_SEGMENTS`` asks for, in that order, with what drifted first in `SegmentSummary.reason`; a grouping that
        can't be watched stands there with its own name, no value, and the reason. `groups` are what ``OUTRIDER_GROUPS`` asks for.
    """

    data: str
    training_rows: int
    repeated: float
    anomalies: int | None
    missing_columns: list[str]
    absent_outputs: list[str]
    extra_columns: list[str]
    broken_rows: dict[str, int]
    distributions: list[Distribution]
    segments: list[SegmentSummary]
