"""Segments of traffic, from exchanges to reports: found alone, bounded, kept over a restart."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import config
from agent.evaluate.report import Decision
from agent.exchange import Exchange
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from tests.exchanges import json_exchange
from tests.traffic import PREDICT

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


def rows(count: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "age": rng.integers(18, 90, count).astype(float),
        "amount": rng.normal(100.0, 20.0, count),
        "country": rng.choice(["DE", "FR", "IT"], count, p=[0.8, 0.15, 0.05]),
        "tier": rng.choice(["gold", "iron"], count),
    }


def schema(**options: Any) -> Schema:
    columns = rows(6000, 1)
    columns["prediction"] = columns["amount"] * 2
    return schema_of(build(columns, prediction="prediction", segment="tier", **({"by": ["country", "age<25"]} | options)))


def pipeline(segments: str, known: Schema | None = None, **more: str) -> Pipeline:
    settings = {"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", "OUTRIDER_SEGMENTS": segments, **more}
    return Pipeline(config.load(settings), known or schema())


def call(columns: dict[str, Any]) -> Exchange:
    names = list(columns)
    lists = [column.tolist() for column in columns.values()]
    records = [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
    return json_exchange(PREDICT, {"instances": records}, {"predictions": (columns["amount"] * 2).tolist()})


def run(monitor: Pipeline, seconds: int, change: Any = None, start: int = 0, count: int = 1000) -> None:
    for second in range(start, start + seconds):
        columns = rows(count, 100 + second)
        if change is not None:
            change(columns)
        monitor.take([call(columns)], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
    assert monitor.activity.faults == {}


def italy_pays_more(columns: dict[str, Any]) -> None:
    columns["amount"][columns["country"] == "IT"] += 40.0


def decisions(monitor: Pipeline) -> dict[str, Decision]:
    return {segment.name: segment.decision for segment in monitor.segments()}


def test_a_segment_drifts_alone_and_is_found() -> None:
    monitor = pipeline("country, tier")
    run(monitor, 30, italy_pays_more)
    assert monitor.report is not None
    assert monitor.report.decision is Decision.OK
    found = {segment.name: segment for segment in monitor.segments()}
    assert {name: segment.decision for name, segment in found.items()} == {
        "country=DE": "ok", "country=FR": "ok", "country=IT": "drifted", "tier=gold": "ok", "tier=iron": "ok",
    }  # fmt: skip
    assert found["country=IT"].drifted == ["amount", "prediction"]
    report = monitor.segment("country=IT")
    assert report is not None
    (amount,) = (column for column in report.columns if column.name == "amount")
    assert amount.reference_mean == pytest.approx(100, abs=5)
    assert amount.mean == pytest.approx(140, abs=5)
    assert "against 282 in training" in amount.reason
    assert report.rows == found["country=IT"].rows


def test_calm_segments_stay_calm() -> None:
    monitor = pipeline("country, tier, age<25")
    run(monitor, 20)
    assert set(decisions(monitor).values()) == {Decision.OK}
    assert sum(segment.rows for segment in monitor.segments() if segment.column == "country") == 20_000


def test_a_comparison_is_a_segment() -> None:
    def the_young_pay_more(columns: dict[str, Any]) -> None:
        columns["amount"][columns["age"] < 25] += 40.0

    monitor = pipeline("age<25")
    run(monitor, 20, the_young_pay_more)
    (segment,) = monitor.segments()
    assert (segment.name, segment.column, segment.value) == ("age<25", "age", "<25")
    assert segment.decision is Decision.DRIFTED


def test_segments_kept_coarse_are_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.profile.segmenting.PROFILE_BYTES", 1)
    monkeypatch.setattr("agent.profile.segmenting.BEYOND_BYTES", 4000)
    known = schema(by=["country"])
    assert [each.detail for each in known.segments] == ["coarse", "coarse"]
    monitor = pipeline("country", known)
    run(monitor, 30, italy_pays_more)
    assert decisions(monitor) == {"country=DE": "ok", "country=FR": "ok", "country=IT": "drifted"}


def test_coarse_segments_are_compared_where_all_bins_are_coarse_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns of a handful of numbers have a bin for each, so that fine and coarse figures have the same shape."""

    def few(count: int, seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        return {"stars": rng.integers(1, 6, count).astype(float), "country": rng.choice(["DE", "IT"], count, p=[0.9, 0.1])}

    monkeypatch.setattr("agent.profile.segmenting.PROFILE_BYTES", 1)
    monkeypatch.setattr("agent.profile.segmenting.BEYOND_BYTES", 250)
    known = schema_of(build(few(6000, 1), by=["country"]))
    assert [each.detail for each in known.segments] == ["coarse"]
    monitor = pipeline("country", known)
    for second in range(30):
        columns = few(1000, 100 + second)
        columns["stars"][columns["country"] == "DE"] = 5.0
        records = [{"stars": stars, "country": country} for stars, country in zip(*map(list, columns.values()), strict=True)]
        monitor.take([json_exchange(PREDICT, {"instances": records}, {"predictions": [0.0] * 1000})], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
    assert decisions(monitor) == {"country=DE": "drifted", "country=IT": "no_reference"}  # no room for the rarer one


def test_a_segment_that_training_was_not_cut_by_is_compared_with_nothing() -> None:
    monitor = pipeline("country", schema(by=[]))
    run(monitor, 5)
    found = monitor.segments()
    assert {segment.decision for segment in found} == {Decision.NO_REFERENCE}
    assert all("--by" in segment.reason for segment in found)
    assert sum(segment.rows for segment in found) == 5000
    report = monitor.segment("country=DE")
    assert report is not None
    assert {column.decision for column in report.columns} == {Decision.NO_REFERENCE}


def test_a_segment_with_few_rows_in_training_is_compared_with_nothing() -> None:
    monitor = pipeline("country", OUTRIDER_MIN_ROWS="1000")
    run(monitor, 30)
    assert decisions(monitor) == {"country=DE": "ok", "country=FR": "no_reference", "country=IT": "no_reference"}
    assert "fewer than 1,000" in monitor.segments()[1].reason


def test_a_segment_is_still_compared_with_its_own_window_before() -> None:
    monitor = pipeline("country", schema(by=[]), OUTRIDER_WINDOW="12s", OUTRIDER_AGAINST="training,before")
    run(monitor, 24)
    run(monitor, 10, italy_pays_more, start=24)
    assert decisions(monitor) == {"country=DE": "no_reference", "country=FR": "no_reference", "country=IT": "drifted"}


def test_hostile_values_make_no_segments_and_are_counted() -> None:
    def anything(columns: dict[str, Any]) -> None:
        names = [f"x{i}" for i in range(len(columns["country"]))]
        names[:100] = ["DE"] * 100
        columns["country"] = np.array(names)

    monitor = pipeline("country")
    run(monitor, 3, anything)
    assert set(decisions(monitor)) == {"country=DE", "country=FR", "country=IT"}
    assert monitor.segment_rows() == {("country", "DE"): 300, ("country", "_other"): 2700}


def test_the_most_frequent_segments_in_training_are_watched_and_those_that_were_named() -> None:
    monitor = pipeline("country, age<25", OUTRIDER_MAX_SEGMENTS="2")
    run(monitor, 3)
    assert set(decisions(monitor)) == {"country=DE", "age<25"}
    counted = monitor.segment_rows()
    assert sum(count for (column, _), count in counted.items() if column == "country") == 3000
    assert counted["country", "_other"] == 3000 - counted["country", "DE"]


def test_rows_without_a_value_are_counted() -> None:
    monitor = pipeline("tier")
    columns = rows(100, 1)
    del columns["tier"]
    monitor.take([call(columns)], START)
    assert monitor.segment_rows() == {("tier", "_missing"): 100}
    assert monitor.segment("tier=gold") is None


def test_a_column_beside_the_features_breaks_no_schema() -> None:
    monitor = pipeline("tier")
    run(monitor, 1)
    assert monitor.activity.violations == {}


def test_what_is_no_column_is_said_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("outrider").propagate = True
    monitor = pipeline("nobody, country")
    assert "no column 'nobody'" in caplog.text
    assert len(monitor.segments()) == 3


def test_a_restart_takes_up_the_windows(tmp_path: Path) -> None:
    known = schema()
    first = pipeline("country", known, OUTRIDER_STATE_DIR=str(tmp_path))
    run(first, 25, italy_pays_more)
    second = pipeline("country", known, OUTRIDER_STATE_DIR=str(tmp_path))
    second.tick(START + 25 * SECOND)
    assert [segment.rows for segment in second.segments()] == [segment.rows for segment in first.segments()]
    assert decisions(second)["country=IT"] is Decision.DRIFTED


def test_a_damaged_state_of_one_segment_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("outrider").propagate = True
    known = schema()
    run(pipeline("country", known, OUTRIDER_STATE_DIR=str(tmp_path)), 2)
    broken = next(tmp_path.glob("segment-*/window.state"))
    broken.write_bytes(b"x")
    second = pipeline("country", known, OUTRIDER_STATE_DIR=str(tmp_path))
    second.tick(START + 2 * SECOND)
    assert sorted(segment.rows > 0 for segment in second.segments()) == [False, True, True]
    assert "a segment's saved state can't be used" in caplog.text


@pytest.mark.parametrize(("segments", "decision"), [("country", Decision.DRIFTED), ("country, amount", Decision.NO_REFERENCE)])
def test_segments_are_learned_from_the_first_rows_too(segments: str, decision: Decision) -> None:
    settings = {"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", "OUTRIDER_SEGMENTS": segments}
    monitor = Pipeline(config.load(settings | {"OUTRIDER_WARMUP_ROWS": "4000"}), None)
    run(monitor, 4)
    run(monitor, 30, italy_pays_more, start=4)
    assert decisions(monitor)["country=IT"] is decision


def test_the_error_is_shared_over_the_segments() -> None:
    known = schema()
    one, five = pipeline("country=DE", known), pipeline("country, tier", known)
    assert one._segments is not None
    assert five._segments is not None
    assert one._segments._rule.alpha == pytest.approx(5 * five._segments._rule.alpha)
