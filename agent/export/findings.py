"""The metrics of what evaluations found: drift, segments, groups, and columns beside their reference."""

from __future__ import annotations

from agent.export import readings
from agent.export.metric import Kind, Metric

_COUNTER, _GAUGE = Kind.COUNTER, Kind.GAUGE
_COLUMN = ("column", "role")
_SEGMENT = ("segment.column", "segment.value")
_GROUP = ("group.column", "group.value")
_BIN = ("column", "bin", "coarse")
_RELATION = ("relation", "columns")
_SCORE = ("column", "role", "statistic", "against")

FINDINGS: tuple[Metric, ...] = (
    # Drift
    Metric(
        "outrider.drift.score", _GAUGE, "{score}",
        "The effect size of a statistic: how far the window is from what it is compared with.",
        _SCORE, readings.score(lambda score: score.value),
    ),
    Metric(
        "outrider.drift.lower_bound", _GAUGE, "{score}", "The lower confidence bound of that effect size.",
        _SCORE, readings.score(lambda score: score.lower),
    ),
    Metric(
        "outrider.drift.threshold", _GAUGE, "{score}", "The tolerance that the lower bound must exceed.",
        _SCORE, readings.score(lambda score: score.threshold),
    ),
    Metric(
        "outrider.drift.p_value", _GAUGE, "{probability}", "The p-value of the test that belongs to the statistic.",
        _SCORE, readings.score(lambda score: score.p_value),
    ),
    Metric(
        "outrider.drift.streak", _GAUGE, "{evaluation}", "Evaluations in a row whose lower bound exceeded the threshold.",
        _SCORE, readings.score(lambda score: score.streak),
    ),
    Metric(
        "outrider.drift.decision", _GAUGE, "{decision}",
        "-2 no reference, -1 too few rows, 0 ok, 1 suspect, 2 drifted.",
        _SCORE, readings.score(lambda score: readings.DECISION_CODES[score.decision]),
    ),
    Metric(
        "outrider.column.drifted", _GAUGE, "{column}", "1 where a column is called drifted, else 0.",
        _COLUMN, readings.column_drifted,
    ),
    Metric(
        "outrider.drifted.columns", _GAUGE, "{column}", "How many columns are called drifted.",
        (), readings.drifted_columns,
    ),
    Metric(
        "outrider.decision", _GAUGE, "{decision}",
        "The window as a whole: -2 no reference, -1 too few rows, 0 ok, 1 suspect, 2 drifted.",
        (), readings.decision,
    ),
    Metric(
        "outrider.relation.score", _GAUGE, "{score}",
        "How far a correlation, an association with the prediction, or all columns together moved from training.",
        _RELATION, readings.relation(lambda relation: relation.value),
    ),
    Metric(
        "outrider.relation.lower_bound", _GAUGE, "{score}", "What that is at least.",
        _RELATION, readings.relation(lambda relation: relation.lower),
    ),
    Metric(
        "outrider.relation.threshold", _GAUGE, "{score}", "The tolerance that the lower bound must exceed.",
        _RELATION, readings.relation(lambda relation: relation.threshold),
    ),
    Metric(
        "outrider.relation.decision", _GAUGE, "{decision}", "-1 too few rows, 0 ok, 1 suspect, 2 drifted.",
        _RELATION, readings.relation(lambda relation: readings.DECISION_CODES[relation.decision]),
    ),
    Metric(
        "outrider.drifted.relations", _GAUGE, "{relation}", "How many of them are called drifted.",
        (), readings.drifted_relations,
    ),
    Metric("outrider.evaluations", _COUNTER, "{evaluation}", "Evaluations of the window.", (), readings.evaluations),
    Metric("outrider.window.rows", _GAUGE, "{row}", "Rows in the window.", (), readings.window_rows),
    # Segments
    Metric(
        "outrider.segment.rows", _COUNTER, "{row}",
        "Rows of a segment; `_other` are values that are no segment, `_missing` rows without a value.",
        _SEGMENT, readings.segment_rows,
    ),
    Metric(
        "outrider.segment.drifted_columns", _GAUGE, "{column}", "How many columns are called drifted in a segment.",
        _SEGMENT, readings.segment_drifted_columns,
    ),
    Metric(
        "outrider.segment.decision", _GAUGE, "{decision}",
        "The segment as a whole: -2 no reference, -1 too few rows, 0 ok, 1 suspect, 2 drifted.",
        _SEGMENT, readings.segment_decision,
    ),
    # Groups
    Metric(
        "outrider.bias.selection_rate", _GAUGE, "1", "Share of a group's rows whose answer was favourable.",
        _GROUP, readings.group(lambda group: group.rate),
    ),
    Metric(
        "outrider.bias.reference.selection_rate", _GAUGE, "1", "The same in training.",
        _GROUP, readings.group(lambda group: group.training_rate),
    ),
    Metric(
        "outrider.bias.difference", _GAUGE, "{share}", "A group's selection rate minus that of the others.",
        _GROUP, readings.group(lambda group: group.difference.value if group.difference else None),
    ),
    Metric(
        "outrider.bias.ratio", _GAUGE, "{ratio}", "A group's selection rate over that of the others: disparate impact.",
        _GROUP, readings.group(lambda group: group.ratio.value if group.ratio else None),
    ),
    Metric(
        "outrider.bias.bound", _GAUGE, "{gap}",
        "Of the difference or the ratio: `lower` and `upper` end at 95 %, what is `proven`, and the `tolerance`.",
        (*_GROUP, "gap", "bound"), readings.gap_bounds,
    ),
    Metric(
        "outrider.bias.decision", _GAUGE, "{decision}",
        "-2 can't be watched, -1 too few rows, 0 ok, 1 suspect, 2 favoured or disfavoured.",
        _GROUP, readings.group(lambda group: readings.DECISION_CODES[group.decision]),
    ),
    # Columns beside their reference
    Metric(
        "outrider.column.rows", _GAUGE, "{row}", "Rows of a column in the window.",
        _COLUMN, readings.column(lambda column: column.rows),
    ),
    Metric(
        "outrider.column.distance", _GAUGE, "{value}",
        "How far the values moved on average, in the column's own unit: the Wasserstein distance from training.",
        _COLUMN, readings.column(lambda column: column.distance),
    ),
    Metric(
        "outrider.column.overdispersion", _GAUGE, "{row}",
        "How many rows say as much as an independent one, because they repeat or come in bursts.",
        _COLUMN, readings.column(lambda column: column.overdispersion),
    ),
    Metric(
        "outrider.column.missing", _GAUGE, "1", "Share of rows without a value, in the window.",
        _COLUMN, readings.column(lambda column: column.missing_share),
    ),
    Metric(
        "outrider.column.reference.missing", _GAUGE, "1", "Share of rows without a value, in training.",
        _COLUMN, readings.column(lambda column: column.reference_missing_share),
    ),
    Metric(
        "outrider.column.unseen", _GAUGE, "1", "Share of rows whose category training did not list.",
        _COLUMN, readings.column(lambda column: column.unseen_share),
    ),
    Metric(
        "outrider.column.mean", _GAUGE, "{value}", "Mean in the window.",
        _COLUMN, readings.column(lambda column: column.mean),
    ),
    Metric(
        "outrider.column.reference.mean", _GAUGE, "{value}", "Mean in training.",
        _COLUMN, readings.column(lambda column: column.reference_mean),
    ),
    Metric(
        "outrider.column.median", _GAUGE, "{value}", "Median in the window.",
        _COLUMN, readings.column(lambda column: column.median),
    ),
    Metric(
        "outrider.column.reference.median", _GAUGE, "{value}", "Median in training.",
        _COLUMN, readings.column(lambda column: column.reference_median),
    ),
    Metric(
        "outrider.column.bin.rows", _COUNTER, "{row}",
        "Rows in a frozen bin since the start; summed over pods they give the drift of the fleet. `coarse` is the bin of PSI.",
        _BIN, readings.bin_rows,
    ),
    Metric(
        "outrider.column.reference.bin.rows", _GAUGE, "{row}", "Rows of training in the same bin.",
        _BIN, readings.reference_bin_rows,
    ),
)  # fmt: skip
"""In the order of the README."""
