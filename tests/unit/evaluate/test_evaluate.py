from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from agent.batch import Checked, Values
from agent.config import load
from agent.evaluate.decide import Streak, Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import ColumnReport, Decision, Report
from agent.evaluate.rule import Rule
from agent.profile.schema import ColumnSchema, Schema
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.window.ring import Ring
from tests.windows import MINUTE_NS, window_of

RULE = Rule.from_settings(load({}))
COARSE = np.arange(0, 60, 6)
TOWNS = ("Bern", "Oslo", "Rome")
SHARES = [0.5, 0.3, 0.2]
TRAINING = np.random.default_rng(1).normal(20.0, 5.0, 10_000)
EDGES = np.quantile(TRAINING, np.arange(1, 60) / 60)

Columns = dict[str, Values]


def numeric(values: NDArray[np.float64]) -> NumericSummary:
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(values)
    return sketch.result()


def column(name: str, type: str, reference: Summary | None, role: str = "feature") -> ColumnSchema:
    numbers = isinstance(reference, NumericSummary)
    categories = TOWNS if isinstance(reference, CategorySummary) else None
    return ColumnSchema(name, role, type, True, None, None, EDGES if numbers else None, COARSE, categories, reference)


SCHEMA = Schema(
    "loans",
    "3",
    (
        column("heat", "float", numeric(TRAINING)),
        column("town", "category", CategorySummary(10_000, 0, TOWNS, np.array([5000, 3000, 2000]), 0, 3.0)),
        column("note", "text", None),
    ),
    (column("score", "float", numeric(TRAINING), "prediction"),),
)


def towns(rng: np.random.Generator, rows: int, unseen: int = 0) -> Values:
    known = rng.choice(np.array(TOWNS, dtype=object), rows - unseen, p=SHARES)
    return np.concatenate([known, np.full(unseen, "Ulm", dtype=object)])


def calm(rng: np.random.Generator, rows: int = 400) -> Columns:
    return {"heat": rng.normal(20, 5, rows), "town": towns(rng, rows), "score": rng.normal(20, 5, rows)}


def disturbed(rng: np.random.Generator, rows: int = 400) -> Columns:
    score = rng.normal(20, 5, rows)
    score[: rows // 4] = np.nan
    return {"heat": rng.normal(20, 5, rows) * 1.8 + 32, "town": towns(rng, rows, rows // 4), "score": score}


def in_turn(*panes: Columns, streaks: Streaks = Streaks(), rule: Rule = RULE) -> tuple[list[Report], Streaks]:  # noqa: B008
    """Feed panes one after the other, and evaluate after each."""
    ring = Ring(SCHEMA, MINUTE_NS, 60)
    reports = []
    for minute, columns in enumerate(panes):
        feed(ring, columns, minute)
        report, streaks = evaluate(ring.window((minute + 1) * MINUTE_NS), SCHEMA, rule, streaks, {}, 5)
        reports.append(report)
    return reports, streaks


def feed(ring: Ring, columns: Columns, minute: int) -> None:
    rows = max(len(values) for values in columns.values())
    ring.update(Checked(rows, tuple(columns.get(column.name) for column in SCHEMA.columns), {}), minute * MINUTE_NS)


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
    assert (streaks.evaluations, streaks.scores) == (5, {})


def test_a_change_is_drifted_at_the_third_look_and_not_diluted_by_the_hour_before() -> None:
    rng = np.random.default_rng(4)
    reports, streaks = in_turn(*(calm(rng) for _ in range(50)), *(disturbed(rng) for _ in range(3)))
    assert {report.decision for report in reports[:50]} == {Decision.OK}
    assert [report.decision for report in reports[50:]] == [Decision.SUSPECT, Decision.SUSPECT, Decision.DRIFTED]
    columns = by_name(reports[-1])
    assert {name: c.decision for name, c in columns.items()} == {
        "heat": Decision.DRIFTED,
        "town": Decision.DRIFTED,
        "note": Decision.NO_REFERENCE,
        "score": Decision.DRIFTED,
    }
    assert {s.statistic for s in columns["score"].scores if s.decision == Decision.DRIFTED} == {"missing"}
    assert {s.statistic for s in columns["heat"].scores} == {
        "psi", "js", "hellinger", "total_variation", "ks", "cramer_von_mises", "wasserstein", "mean_shift", "variance",
        "missing", "out_of_range",
    }  # fmt: skip
    assert {s.statistic for s in columns["town"].scores} == {
        "psi", "js", "hellinger", "total_variation", "chi_square", "l_infinity", "distinct", "missing", "unseen",
    }  # fmt: skip
    assert streaks.scores["training", "score", "missing"] == Streak(3, 0, True)


def test_it_ends_soon_though_the_window_still_holds_it() -> None:
    rng = np.random.default_rng(40)
    reports, streaks = in_turn(*(disturbed(rng) for _ in range(5)), *(calm(rng) for _ in range(4)))
    assert [report.decision for report in reports[4:]] == [Decision.DRIFTED] * 4 + [Decision.OK]
    assert streaks.scores == {}


def test_one_burst_is_no_drift() -> None:
    """A client that sends one row five thousand times in one minute."""
    rng = np.random.default_rng(41)
    burst = {name: np.repeat(values[:1], 5000) for name, values in calm(rng).items()}
    reports, _ = in_turn(*(calm(rng) for _ in range(20)), burst, *(calm(rng) for _ in range(20)))
    assert Decision.DRIFTED not in {report.decision for report in reports}


def test_rows_that_come_ten_times_each_count_as_a_tenth() -> None:
    rng = np.random.default_rng(42)
    panes = [{name: np.repeat(values, 10) for name, values in calm(rng, 40).items()} for _ in range(60)]
    reports, _ = in_turn(*panes)
    heat = by_name(reports[-1])["heat"]
    assert heat.overdispersion is not None
    assert 7 < heat.overdispersion < 14
    assert {report.decision for report in reports[2:]} == {Decision.OK}  # two panes do not tell yet how traffic comes


def test_the_sentences_tell_what_changed() -> None:
    rng = np.random.default_rng(5)
    reports, _ = in_turn(*(disturbed(rng) for _ in range(3)))
    columns = by_name(reports[-1])
    assert "over 1,200 rows against 10,000 in training, 3 evaluations in a row" in columns["heat"].reason
    assert "; mean 6" in columns["heat"].reason
    assert "unseen categories in 25 % of the values" in columns["town"].reason
    assert "missing 25 % of the rows instead of 0 %" in columns["score"].reason


def test_the_report_carries_the_numbers_behind_it() -> None:
    rng = np.random.default_rng(6)
    panes = [disturbed(rng) for _ in range(5)]
    report, _ = evaluate(window_of(SCHEMA, panes), SCHEMA, RULE, Streaks(), {("heat", "range"): 9, ("gone", "type"): 1}, 77)
    heat, town = by_name(report)["heat"], by_name(report)["town"]
    assert (report.model, report.version, report.rows, report.evaluation, report.time_ns) == ("loans", "3", 2000, 1, 77)
    assert (report.window_start_ns, report.window_end_ns) == (0, 5 * MINUTE_NS - 1)
    assert heat.violations == {"range": 9}
    assert (heat.rows, heat.reference_rows, heat.missing_share, heat.unseen_share) == (2000, 10_000, 0.0, None)
    every = np.concatenate([np.asarray(pane["heat"], dtype=np.float64) for pane in panes])
    assert heat.mean == pytest.approx(every.mean())
    assert heat.median == pytest.approx(np.median(every), rel=0.02)
    assert heat.reference_median == pytest.approx(20, abs=0.5)
    assert heat.distance == pytest.approx(wasserstein_distance(every, TRAINING), rel=0.05)
    assert town.distance is None
    assert town.unseen_share == 0.25
    assert town.mean is None
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_eight_rows_decide_nothing() -> None:
    report, streaks = evaluate(window_of(SCHEMA, [disturbed(np.random.default_rng(7), 8)]), SCHEMA, RULE, Streaks(), {}, 0)
    assert report.decision == Decision.INSUFFICIENT
    assert by_name(report)["heat"].reason == "only 8 rows in the window, at least 100 are needed"
    assert (streaks.evaluations, streaks.scores) == (1, {})


def test_a_training_set_of_ten_rows_decides_nothing() -> None:
    rng = np.random.default_rng(8)
    schema = Schema("m", "", (column("heat", "float", numeric(TRAINING[:10])),), ())
    report, _ = evaluate(window_of(schema, [{"heat": rng.normal(60, 5, 1000)}]), schema, RULE, Streaks(), {}, 0)
    assert report.decision == Decision.INSUFFICIENT
    assert report.columns[0].reason == "only 10 rows in training, at least 100 are needed"


def test_a_quiet_night_keeps_what_was_said() -> None:
    rng = np.random.default_rng(9)
    rule = Rule.from_settings(load({"OUTRIDER_WINDOW": "1m"}))
    streaks = Streaks()
    decisions = []
    for rows in (400, 401, 8, 402, 9):
        report, streaks = evaluate(window_of(SCHEMA, [disturbed(rng, rows)]), SCHEMA, rule, streaks, {}, 0)
        decisions.append(by_name(report)["heat"].decision)
    assert decisions == [Decision.SUSPECT, Decision.SUSPECT, Decision.INSUFFICIENT, Decision.DRIFTED, Decision.DRIFTED]


def test_streaks_go_on_after_a_restart() -> None:
    rng = np.random.default_rng(10)
    _, streaks = in_turn(disturbed(rng), disturbed(rng))
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(streaks), type=Streaks)
    reports, _ = in_turn(disturbed(rng), streaks=restored)
    assert reports[0].decision == Decision.DRIFTED
    assert reports[0].evaluation == 3


def test_a_column_that_never_comes_is_not_seen() -> None:
    rng = np.random.default_rng(11)
    report, _ = evaluate(window_of(SCHEMA, [{"score": rng.normal(20, 5, 500)}]), SCHEMA, RULE, Streaks(), {}, 0)
    columns = by_name(report)
    for name in ("heat", "town"):
        assert columns[name].decision == Decision.INSUFFICIENT
        assert columns[name].reason == "not seen in the window"
        assert columns[name].scores == []
    assert report.decision == Decision.OK


def test_few_present_values_leave_it_to_the_missing_share() -> None:
    rng = np.random.default_rng(12)
    values = rng.normal(900, 5, 1000)
    values[30:] = np.nan
    reports, _ = in_turn({"heat": values}, {"heat": values}, {"heat": values})
    heat = by_name(reports[-1])["heat"]
    assert heat.decision == Decision.DRIFTED
    assert {s.statistic for s in heat.scores if s.decision != Decision.INSUFFICIENT} == {"missing"}


def test_without_a_schema_there_is_no_reference() -> None:
    window = window_of(Schema("", "", (), ()), [])
    report, streaks = evaluate(window, None, RULE, Streaks(3), {}, 9)
    assert (report.decision, report.columns, report.rows, report.evaluation) == (Decision.NO_REFERENCE, [], 0, 4)
    assert streaks == Streaks(4, {})


def test_an_empty_window_is_insufficient() -> None:
    report, _ = evaluate(window_of(SCHEMA, []), SCHEMA, RULE, Streaks(), {}, 9)
    assert report.decision == Decision.INSUFFICIENT
    assert by_name(report)["heat"].reason == "not seen in the window"


def test_a_column_with_its_own_tolerance_has_it() -> None:
    rng = np.random.default_rng(14)
    rule = Rule.from_settings(load({"OUTRIDER_THRESHOLDS": "score missing=0.5"}))
    reports, _ = in_turn(*(disturbed(rng) for _ in range(3)), rule=rule)
    columns = by_name(reports[-1])
    assert columns["score"].decision == Decision.OK
    assert next(s.threshold for s in columns["score"].scores if s.statistic == "missing") == 0.5
    assert next(s.threshold for s in columns["heat"].scores if s.statistic == "missing") == 0.01


def test_what_is_switched_off_is_shown_and_decides_nothing() -> None:
    rng = np.random.default_rng(15)
    rule = Rule.from_settings(load({"OUTRIDER_MISSING": "off"}))
    reports, _ = in_turn(*(disturbed(rng) for _ in range(3)), rule=rule)
    score = next(s for s in by_name(reports[-1])["score"].scores if s.statistic == "missing")
    assert (score.threshold, score.decision) == (None, Decision.OK)
    assert score.value == pytest.approx(0.25)


def test_rows_beyond_the_range_of_training_are_a_share_of_their_own() -> None:
    rng = np.random.default_rng(16)
    panes = [calm(rng) for _ in range(3)]
    report, _ = evaluate(window_of(SCHEMA, panes, {"heat": 40}), SCHEMA, RULE, Streaks(), {}, 0)
    score = next(s for s in by_name(report)["heat"].scores if s.statistic == "out_of_range")
    assert score.value == pytest.approx(0.1)
    assert score.decision == Decision.SUSPECT


def test_a_sudden_change_is_found_against_the_window_before() -> None:
    """The reference is far off already: only against the hour before is there anything new."""
    rng = np.random.default_rng(17)
    rule = Rule.from_settings(load({"OUTRIDER_AGAINST": "before"}))
    ring = Ring(SCHEMA, MINUTE_NS, 10)
    streaks = Streaks()
    decisions = []
    for minute in range(40):
        shift = 30.0 if minute < 30 else 38.0
        feed(ring, {"heat": rng.normal(shift, 5, 300)}, minute)
        report, streaks = evaluate(ring.window((minute + 1) * MINUTE_NS), SCHEMA, rule, streaks, {}, 0)
        decisions.append(by_name(report)["heat"].decision)
    assert set(decisions[12:30]) == {Decision.OK}
    assert decisions[33] == Decision.DRIFTED
    assert "in the window before" in by_name(report)["heat"].reason


def test_the_same_hour_of_earlier_days_is_no_surprise() -> None:
    rng = np.random.default_rng(18)
    rule = Rule.from_settings(load({"OUTRIDER_AGAINST": "season"}))
    ring = Ring(SCHEMA, MINUTE_NS * 10, 6, season=True)
    streaks = Streaks()
    seen: dict[int, set[Decision]] = {}
    for tick in range(3 * 24 * 6):
        day, of_day = divmod(tick, 24 * 6)
        heat = 20 + 10 * np.sin(2 * np.pi * of_day / (24 * 6)) + (9 if day == 2 and of_day > 100 else 0)
        now = tick * 10 * MINUTE_NS
        ring.update(Checked(200, (rng.normal(heat, 5, 200), None, None, None), {}), now)
        report, streaks = evaluate(ring.window(now + 10 * MINUTE_NS), SCHEMA, rule, streaks, {}, 0)
        phase = 3 if day == 2 and of_day > 100 else day
        seen.setdefault(phase, set()).add(by_name(report)["heat"].decision)
    assert Decision.DRIFTED not in seen[1] | seen[2]
    assert Decision.DRIFTED in seen[3]


@pytest.mark.parametrize("rows", [100, 1000])
def test_no_false_alarm_in_three_hundred_looks(rows: int) -> None:
    rng = np.random.default_rng(13)
    rule = Rule.from_settings(load({"OUTRIDER_CONSECUTIVE": "1", "OUTRIDER_MIN_ROWS": "50"}))  # not even several in a row
    reports, _ = in_turn(*(calm(rng, rows) for _ in range(300)), rule=rule)
    assert {report.decision for report in reports} == {Decision.OK}


def bursty(rng: np.random.Generator, columns: Columns) -> Columns:
    """Each row comes a Zipf number of times in a row, at most fifty times."""
    rows = len(next(iter(columns.values())))
    lengths = np.minimum(rng.zipf(2.0, rows), 50)
    lengths = lengths[np.cumsum(lengths) <= rows]
    return {name: np.repeat(values[: len(lengths)], lengths) for name, values in columns.items()}


@pytest.mark.parametrize("rows", [20, 200])
def test_bursts_are_no_drift(rows: int) -> None:
    rng = np.random.default_rng(rows)
    reports, _ = in_turn(*(bursty(rng, calm(rng, rows)) for _ in range(150)))
    assert Decision.DRIFTED not in {report.decision for report in reports}


def test_a_feed_that_is_stuck_at_one_row_is_found() -> None:
    rng = np.random.default_rng(20)
    one = {name: np.repeat(values[:1], 30) for name, values in calm(rng).items()}
    reports, _ = in_turn(*[one] * 60)
    assert reports[9].decision == Decision.INSUFFICIENT
    assert by_name(reports[9])["heat"].reason.startswith("300 rows repeat or come in bursts, and say as much as ")
    assert reports[-1].decision == Decision.DRIFTED


def test_a_pipeline_that_sends_only_nulls_is_found_at_once() -> None:
    rng = np.random.default_rng(21)
    nothing: Columns = {"heat": np.full(400, np.nan), "town": np.full(400, None, dtype=object), "score": rng.normal(20, 5, 400)}
    reports, _ = in_turn(*[nothing] * 3)
    assert by_name(reports[-1])["heat"].decision == Decision.DRIFTED
