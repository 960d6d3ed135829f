from __future__ import annotations

import time

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.config import load
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import ColumnReport, Decision, Report
from agent.evaluate.rule import Rule
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.window.ring import Window

RULE = Rule.from_settings(load({}))
COARSE = np.arange(0, 60, 6)
TOWNS = ("Bern", "Oslo", "Rome")
SHARES = [0.5, 0.3, 0.2]
TRAINING = np.random.default_rng(1).normal(20.0, 5.0, 10_000)
EDGES = np.quantile(TRAINING, np.arange(1, 60) / 60)


def numeric(values: NDArray[np.float64]) -> NumericSummary:
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(values)
    return sketch.result()


def towns(rng: np.random.Generator, rows: int, unseen: int = 0, missing: int = 0) -> CategorySummary:
    return CategorySummary(rows + unseen + missing, missing, TOWNS, rng.multinomial(rows, SHARES), unseen, 3.0)


def column(name: str, type: str, reference: Summary | None, role: str = "feature") -> ColumnSchema:
    numbers = isinstance(reference, NumericSummary)
    categories = TOWNS if isinstance(reference, CategorySummary) else None
    return ColumnSchema(name, role, type, True, None, None, EDGES if numbers else None, COARSE, categories, reference)


SCHEMA = Schema(
    "loans",
    "3",
    (
        column("heat", "float", numeric(TRAINING)),
        column("town", "category", towns(np.random.default_rng(2), 10_000)),
        column("note", "text", None),
    ),
    (column("score", "float", numeric(TRAINING), "prediction"),),
)


def window(*summaries: Summary | None) -> Window:
    return Window(1, 2, max((s.rows for s in summaries if s is not None), default=0), summaries)


def calm(rng: np.random.Generator, rows: int = 2000) -> Window:
    return window(numeric(rng.normal(20, 5, rows)), towns(rng, rows), None, numeric(rng.normal(20, 5, rows)))


def disturbed(rng: np.random.Generator, rows: int = 2000) -> Window:
    heat = rng.normal(20, 5, rows) * 1.8 + 32
    score = rng.normal(20, 5, rows)
    score[: rows // 4] = np.nan
    return window(numeric(heat), towns(rng, rows, unseen=rows // 3), None, numeric(score))


def in_turn(*windows: Window, streaks: Streaks = Streaks()) -> tuple[list[Report], Streaks]:  # noqa: B008 - frozen
    reports = []
    for current in windows:
        report, streaks = evaluate(current, SCHEMA, RULE, streaks, {}, 5)
        reports.append(report)
    return reports, streaks


def by_name(report: Report) -> dict[str, ColumnReport]:
    return {c.name: c for c in report.columns}


def test_calm_traffic_is_ok_and_says_nothing() -> None:
    rng = np.random.default_rng(3)
    reports, streaks = in_turn(*(calm(rng) for _ in range(5)))
    assert [report.decision for report in reports] == [Decision.OK] * 5
    columns = by_name(reports[-1])
    assert columns["heat"].decision == Decision.OK
    assert columns["heat"].reason == ""
    assert columns["note"].decision == Decision.NO_REFERENCE
    assert columns["note"].reason == "columns of type text are not compared"
    assert (streaks.evaluations, streaks.looks, streaks.runs) == (5, 5, {})


def test_disturbed_traffic_is_drifted_at_the_third_look() -> None:
    rng = np.random.default_rng(4)
    reports, streaks = in_turn(calm(rng), disturbed(rng), disturbed(rng), disturbed(rng), calm(rng))
    assert [report.decision for report in reports] == [
        Decision.OK, Decision.SUSPECT, Decision.SUSPECT, Decision.DRIFTED, Decision.OK,
    ]  # fmt: skip
    columns = by_name(reports[3])
    assert {name: c.decision for name, c in columns.items()} == {
        "heat": Decision.DRIFTED,
        "town": Decision.DRIFTED,
        "note": Decision.NO_REFERENCE,
        "score": Decision.DRIFTED,
    }
    assert {s.statistic for s in columns["score"].scores if s.decision == Decision.DRIFTED} == {"missing"}
    assert {s.statistic for s in columns["heat"].scores} == {"psi", "js", "ks", "wasserstein", "mean_shift", "missing"}
    assert {s.statistic for s in columns["town"].scores} == {"psi", "js", "chi_square", "l_infinity", "missing"}
    assert streaks.runs == {}


def test_the_sentences_tell_what_changed() -> None:
    rng = np.random.default_rng(5)
    reports, _ = in_turn(disturbed(rng), disturbed(rng), disturbed(rng))
    columns = by_name(reports[-1])
    assert "tolerance 0.1" in columns["heat"].reason
    assert "over 2,000 rows against 10,000 in training, 3 evaluations in a row" in columns["heat"].reason
    assert "; mean 6" in columns["heat"].reason
    assert "unseen categories in 25 % of the values" in columns["town"].reason
    assert "missing 25 % of the rows instead of 0 %" in columns["score"].reason


def test_the_report_carries_the_numbers_behind_it() -> None:
    rng = np.random.default_rng(6)
    report, _ = evaluate(disturbed(rng), SCHEMA, RULE, Streaks(), {("heat", "range"): 9, ("gone", "type"): 1}, 77)
    heat, town = by_name(report)["heat"], by_name(report)["town"]
    assert (report.model, report.version, report.rows, report.evaluation, report.time_ns) == ("loans", "3", 2666, 1, 77)
    assert (report.window_start_ns, report.window_end_ns) == (1, 2)
    assert heat.violations == {"range": 9}
    assert (heat.rows, heat.reference_rows, heat.missing_share, heat.unseen_share) == (2000, 10_000, 0.0, None)
    assert heat.mean is not None
    assert heat.reference_median is not None
    assert abs(heat.mean - 68) < 1
    assert abs(heat.reference_median - 20) < 0.5
    assert town.unseen_share == 666 / 2666
    assert town.mean is None
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_eight_rows_decide_nothing_and_spend_no_error() -> None:
    reports, streaks = in_turn(*[disturbed(np.random.default_rng(7), 8)] * 5)
    assert {report.decision for report in reports} == {Decision.INSUFFICIENT}
    assert by_name(reports[-1])["heat"].reason == "only 8 rows in the window, at least 100 are needed"
    assert (streaks.evaluations, streaks.looks, streaks.runs) == (5, 0, {})


def test_a_training_set_of_ten_rows_decides_nothing() -> None:
    rng = np.random.default_rng(8)
    schema = Schema("m", "", (column("heat", "float", numeric(TRAINING[:10])),), ())
    report, _ = evaluate(window(numeric(rng.normal(60, 5, 1000))), schema, RULE, Streaks(), {}, 0)
    assert report.decision == Decision.INSUFFICIENT
    assert report.columns[0].reason == "only 10 rows in training, at least 100 are needed"


def test_a_quiet_night_keeps_the_streak() -> None:
    rng = np.random.default_rng(9)
    reports, _ = in_turn(disturbed(rng), disturbed(rng), disturbed(rng, 8), disturbed(rng))
    assert [report.decision for report in reports][2:] == [Decision.INSUFFICIENT, Decision.DRIFTED]


def test_streaks_go_on_after_a_restart() -> None:
    rng = np.random.default_rng(10)
    _, streaks = in_turn(disturbed(rng), disturbed(rng))
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(streaks), type=Streaks)
    reports, _ = in_turn(disturbed(rng), streaks=restored)
    assert reports[0].decision == Decision.DRIFTED
    assert reports[0].evaluation == 3


def test_a_column_that_never_comes_is_not_seen() -> None:
    rng = np.random.default_rng(11)
    report, _ = evaluate(
        window(numeric(np.empty(0)), None, None, numeric(rng.normal(20, 5, 500))), SCHEMA, RULE, Streaks(), {}, 0
    )
    columns = by_name(report)
    for name in ("heat", "town"):
        assert columns[name].decision == Decision.INSUFFICIENT
        assert columns[name].reason == "not seen in the window"
        assert columns[name].scores == []
    assert report.decision == Decision.OK


def test_few_present_values_leave_it_to_the_missing_share() -> None:
    rng = np.random.default_rng(12)
    values = rng.normal(900, 5, 1000)
    values[50:] = np.nan
    reports, _ = in_turn(*[window(numeric(values), None, None, None)] * 3)
    heat = by_name(reports[-1])["heat"]
    assert heat.decision == Decision.DRIFTED
    assert {s.statistic for s in heat.scores if s.decision != Decision.INSUFFICIENT} == {"missing"}


def test_without_a_schema_there_is_no_reference() -> None:
    report, streaks = evaluate(Window(1, 2, 40, ()), None, RULE, Streaks(3, 2, {"x": {"psi": 1}}), {}, 9)
    assert (report.decision, report.columns, report.rows, report.evaluation) == (Decision.NO_REFERENCE, [], 40, 4)
    assert (streaks.evaluations, streaks.looks, streaks.runs) == (4, 2, {})


def test_no_false_alarm_in_three_hundred_windows_of_a_hundred_rows() -> None:
    rng = np.random.default_rng(13)
    rule = Rule(50, 1, 0.05, RULE.thresholds)  # not even several in a row
    streaks = Streaks()
    for _ in range(300):
        report, streaks = evaluate(calm(rng, 100), SCHEMA, rule, streaks, {}, 0)
        assert report.decision == Decision.OK


def test_a_column_takes_about_a_millisecond_at_most() -> None:
    rng = np.random.default_rng(14)
    current = calm(rng, 20_000)
    took = []
    for _ in range(20):
        start = time.perf_counter()
        evaluate(current, SCHEMA, RULE, Streaks(), {}, 0)
        took.append((time.perf_counter() - start) / 3)
    assert min(took) < 0.003  # 0.6 ms on the machine it was written on; a slower one shall pass
