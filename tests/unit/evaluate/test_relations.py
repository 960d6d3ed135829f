from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.batch import Checked
from agent.config import load
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import Decision, RelationReport, Report
from agent.evaluate.rule import Rule
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.validate.rows import RowScorer
from agent.window.ring import Ring

MINUTE = 60 * 10**9
RULE = Rule.from_settings(load({}))

Columns = dict[str, NDArray[Any]]


def rows(rng: np.random.Generator, count: int, r: float = 0.7, weight: float = 2.0) -> Columns:
    """Two columns that go together by `r`, two that don't, and a prediction that one of these makes."""
    x = rng.normal(size=count)
    y = r * x + np.sqrt(1 - r * r) * rng.normal(size=count)
    a, b = rng.normal(size=count), rng.exponential(size=count)
    return {"x": x, "y": y, "a": a, "b": b, "answer": weight * a + 0.3 * rng.normal(size=count)}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return schema_of(build(rows(np.random.default_rng(1), 20_000), prediction="answer"))


def in_turn(schema: Schema, panes: Sequence[Mapping[str, NDArray[Any]]], rule: Rule = RULE) -> list[Report]:
    ring, scorer, streaks = Ring(schema, MINUTE, 60), RowScorer(schema), Streaks()
    names = [column.name for column in schema.features + schema.outputs]
    reports = []
    for minute, columns in enumerate(panes):
        checked, _ = scorer.score(Checked(len(columns["x"]), tuple(columns[name] for name in names), {}))
        ring.update(checked, minute * MINUTE)
        report, streaks = evaluate(ring.window((minute + 1) * MINUTE), schema, rule, streaks, {}, 0)
        reports.append(report)
    return reports


def of_kind(report: Report, kind: str, *columns: str) -> RelationReport | None:
    return next((one for one in report.relations if one.kind == kind and set(columns) <= set(one.columns)), None)


def test_calm_traffic_has_no_relation_but_the_discrepancy(schema: Schema) -> None:
    rng = np.random.default_rng(2)
    reports = in_turn(schema, [rows(rng, 200) for _ in range(30)])
    assert {report.decision for report in reports} == {Decision.OK}
    assert [one.kind for one in reports[-1].relations] == ["discrepancy"]
    assert reports[-1].relations[0].reason == ""


def test_a_correlation_that_flipped_is_found_though_no_column_changed(schema: Schema) -> None:
    rng = np.random.default_rng(3)
    reports = in_turn(schema, [rows(rng, 200) for _ in range(20)] + [rows(rng, 200, -0.7) for _ in range(4)])
    pair = of_kind(reports[-1], "correlation", "x", "y")
    assert pair is not None
    assert pair.decision == Decision.DRIFTED
    assert pair.before == pytest.approx(0.7, abs=0.05)
    assert pair.now == pytest.approx(-0.7, abs=0.1)
    assert pair.threshold == 0.2
    assert pair.reason.startswith("correlation of x and y -0.")
    assert " instead of 0." in pair.reason
    assert "evaluations in a row" in pair.reason
    assert reports[-1].decision == Decision.DRIFTED
    assert {c.decision for c in reports[-1].columns if c.role != "derived"} == {Decision.OK}
    assert msgspec.json.decode(msgspec.json.encode(reports[-1]), type=Report) == reports[-1]


def test_it_ends_when_the_columns_go_together_again(schema: Schema) -> None:
    rng = np.random.default_rng(4)
    panes = [rows(rng, 200, -0.7) for _ in range(4)] + [rows(rng, 200) for _ in range(15)]
    reports = in_turn(schema, panes)
    assert of_kind(reports[3], "correlation", "x", "y") is not None
    pair = of_kind(reports[-1], "correlation", "x", "y")
    assert pair is None or pair.decision == Decision.OK


def test_a_feature_that_lost_its_say_is_told(schema: Schema) -> None:
    rng = np.random.default_rng(5)
    panes = []
    for _ in range(12):
        columns = rows(rng, 300)
        columns["answer"] = rng.permutation(columns["answer"])
        panes.append(columns)
    reports = in_turn(schema, panes)
    feature = of_kind(reports[-1], "association", "a")
    assert feature is not None
    assert feature.decision == Decision.DRIFTED
    assert feature.reason.startswith("a says less of the prediction than in training: association 0")


def test_the_discrepancy_grows_with_a_shift_of_all_columns(schema: Schema) -> None:
    rng = np.random.default_rng(6)
    panes = [{name: np.asarray(values, dtype=np.float64) + 0.6 for name, values in rows(rng, 300).items()} for _ in range(6)]
    whole = in_turn(schema, panes)[-1].relations[-1]
    assert (whole.kind, whole.decision) == ("discrepancy", Decision.DRIFTED)
    assert whole.lower > 1.0
    assert " times as far from training as if one of them had shifted by a quarter σ, at least " in whole.reason


def test_what_is_switched_off_decides_nothing(schema: Schema) -> None:
    rng = np.random.default_rng(7)
    rule = Rule.from_settings(load({"OUTRIDER_CORRELATION": "off", "OUTRIDER_DISCREPANCY": "off"}))
    reports = in_turn(schema, [rows(rng, 200, -0.7) for _ in range(4)], rule)
    assert {one.decision for one in reports[-1].relations} <= {Decision.OK}
    assert {one.threshold for one in reports[-1].relations if one.kind != "association"} == {None}


def test_a_burst_of_one_row_moves_nothing(schema: Schema) -> None:
    rng = np.random.default_rng(8)
    burst = {name: np.repeat(values[:1], 3000) for name, values in rows(rng, 1).items()}
    reports = in_turn(schema, [rows(rng, 200) for _ in range(20)] + [burst] + [rows(rng, 200) for _ in range(20)])
    assert {one.decision for report in reports for one in report.relations} <= {Decision.OK, Decision.SUSPECT}


def test_eight_rows_say_nothing(schema: Schema) -> None:
    assert in_turn(schema, [rows(np.random.default_rng(9), 8)])[0].relations == []
