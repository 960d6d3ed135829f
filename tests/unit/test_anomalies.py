"""Strange rows from calls to the report: counted, told to spans, kept with or without values."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent import config
from agent.exchange import Exchange
from agent.joint.anomaly import SCORE
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.schema import schema_of
from tests.exchanges import json_exchange
from tests.traffic import PREDICT, training, training_profile

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND
TRACES = [bytes([i]) * 32 for i in range(1, 5)]


def pipeline(**more: str) -> Pipeline:
    settings = config.load({"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", **more})
    return Pipeline(settings, schema_of(training_profile()))


def call(rows: np.ndarray, trace: bytes = b"") -> Exchange:
    made = json_exchange(PREDICT, {"instances": rows.tolist()}, {"predictions": rows.sum(axis=1).tolist()})
    return msgspec.structs.replace(made, trace=trace, start_ns=START - 7)


def wild(rows: np.ndarray) -> np.ndarray:
    changed = rows.copy()
    changed[:, 1] = 1e6
    return changed


def test_strange_rows_are_counted_and_ordinary_ones_are_not() -> None:
    monitor = pipeline()
    monitor.take([call(training(2000))], START)
    usual = monitor.activity.anomalies
    assert usual <= 20
    monitor.take([call(wild(training(50)))], START)
    assert monitor.activity.anomalies == usual + 50


def test_quantile_is_the_users() -> None:
    monitor = pipeline(OUTRIDER_ANOMALY_QUANTILE="0.5")
    monitor.take([call(training(2000))], START)
    assert monitor.activity.anomalies == pytest.approx(1000, rel=0.2)


def test_spans_are_told_of_their_own_rows() -> None:
    monitor = pipeline()
    rows = training(12)
    calm, strange = rows[:5], np.concatenate((rows[5:8], wild(rows[8:10])))
    exchanges = [call(rows[:1], TRACES[0]), call(rows), call(strange, TRACES[1]), call(calm, TRACES[2])]
    monitor.take(exchanges, START)
    scored = monitor.pop_scored()
    assert set(scored) == set(TRACES[:3])
    assert scored[TRACES[1]].rows == 2
    assert scored[TRACES[1]].score > max(scored[TRACES[0]].score, scored[TRACES[2]].score)
    assert monitor.pop_scored() == {}


def test_rows_one_by_one_are_told_apart() -> None:
    monitor = pipeline()
    rows = training(3)
    monitor.take([call(rows[:1], TRACES[0]), call(wild(rows[1:2]), TRACES[1]), call(rows[2:], TRACES[2])], START)
    assert [anomaly.rows for anomaly in monitor.pop_scored().values()] == [0, 1, 0]


def test_strangest_rows_name_their_columns_and_no_values() -> None:
    monitor = pipeline()
    monitor.take([call(training(500)), call(wild(training(1)), TRACES[3])], START)
    kept = monitor.strangest(START + SECOND)
    assert kept is not None
    assert len(kept) == 10
    first = kept[0]
    assert (first.time_ns, first.trace) == (START - 7, TRACES[3][:16].hex())
    assert first.score == max(row.score for row in kept)
    assert len(first.parts) == 3
    assert "weight" in {part.column for part in first.parts}
    assert all(0 < part.probability <= 1 for part in first.parts)
    assert b"values" not in msgspec.json.encode(kept)


def test_values_are_kept_where_the_user_wants_them() -> None:
    monitor = pipeline(OUTRIDER_KEEP_ROWS="on")
    rows = wild(training(1))
    monitor.take([call(rows)], START)
    kept = monitor.strangest(START + SECOND)
    assert kept is not None
    assert kept[0].values == dict(zip(("age", "weight", "ratio"), rows[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(None, None), (float("nan"), None), ("x" * 500, "x" * 200), (True, "true"), (3, 3.0), (10**400, "inf"), ([1], None)],
)
def test_values_of_every_kind_can_be_written(sent: object, kept: object) -> None:
    rng = np.random.default_rng(1)
    data = {"a": rng.normal(size=400), "b": rng.normal(size=400), "kind": rng.choice(["x", "y"], 400)}
    settings = config.load({"OUTRIDER_KEEP_ROWS": "on"})
    monitor = Pipeline(settings, schema_of(build(data)))
    row = {"a": 0.0, "b": 0.0, "kind": sent}
    monitor.take([json_exchange(PREDICT, {"instances": [row]}, {"predictions": [1.0]})], START)
    found = monitor.strangest(START)
    assert found is not None
    assert msgspec.json.decode(msgspec.json.encode(found))[0]["values"]["kind"] == kept


def test_all_rows_of_usual_traffic_are_scored() -> None:
    monitor = pipeline()
    for second in range(3):
        monitor.take([call(training(20_000))], START + second * SECOND)
    assert monitor.activity.scored_rows == 60_000


def test_rows_beyond_the_sample_are_neither_scored_nor_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.window.sampling.ROWS_PER_PANE", 4)
    monitor = pipeline()
    rows = training(8)
    # Four rows are all taken, and of the next four one of each two: the first ones, as it happens.
    parts = [rows[:4], rows[4:5], wild(rows[5:6]), wild(rows[6:])]
    monitor.take([call(part, trace) for part, trace in zip(parts, TRACES, strict=True)], START)
    assert monitor.activity.scored_rows == 6
    assert monitor.activity.anomalies == 1
    told = monitor.pop_scored()
    assert {trace: anomaly.rows for trace, anomaly in told.items()} == {TRACES[0]: 0, TRACES[1]: 0, TRACES[3]: 1}
    kept = monitor.strangest(START)
    assert kept is not None
    assert len(kept) == 6
    assert kept[0].trace == TRACES[3][:16].hex()
    assert kept[0].score == told[TRACES[3]].score


def test_columns_count_all_rows_and_derived_ones_the_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.window.sampling.ROWS_PER_PANE", 100)
    monitor = pipeline()
    monitor.take([call(training(1000))], START)
    report = monitor.tick(START + SECOND)
    assert report is not None
    rows = {column.name: column.rows for column in report.columns}
    assert rows["age"] == 1000
    assert rows[SCORE] == monitor.activity.scored_rows < 400


def test_rows_leave_with_the_window() -> None:
    monitor = pipeline()
    monitor.take([call(training(5))], START)
    assert monitor.strangest(START + 59 * SECOND)
    assert monitor.strangest(START + 61 * SECOND) == []


def test_scores_are_columns_of_the_window() -> None:
    monitor = pipeline()
    monitor.take([call(training(200))], START)
    assert int(monitor.totals()[SCORE].counts.sum()) == 200


def test_without_a_model_of_rows_nothing_is_scored() -> None:
    settings = config.load({})
    monitor = Pipeline(settings, schema_of(build({"a": np.arange(50.0), "b": np.arange(50.0)})))
    monitor.take([json_exchange(PREDICT, {"instances": [[1e9, 1.0]]}, {"predictions": [1.0]})], START)
    assert monitor.strangest(START) is None
    assert monitor.activity.anomalies == 0
    assert Pipeline(settings, None).strangest(START) is None
