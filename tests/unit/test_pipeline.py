"""Records in, a report out; whatever breaks on the way is counted and the rest goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from agent import config
from agent.decode.decoder import Decoded, Decoder
from agent.evaluate.report import Decision
from agent.exchange import Bare, Exchange
from agent.joint.anomaly import DISTANCES, SCORE
from agent.pipeline import Pipeline
from agent.profile.schema import schema_of
from tests.exchanges import json_exchange
from tests.traffic import PREDICT, training, training_profile

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND
DERIVED = (*DISTANCES, SCORE)


def settings(**more: str) -> config.Settings:
    return config.load({"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", **more})


def with_profile(**more: str) -> Pipeline:
    return Pipeline(settings(**more), schema_of(training_profile()))


def calls(rows: np.ndarray, target: str = PREDICT, batch: int = 100) -> list[Exchange]:
    return [
        json_exchange(target, {"instances": part.tolist()}, {"predictions": part.sum(axis=1).tolist()})
        for part in np.split(rows, range(batch, len(rows), batch))
    ]


def decisions(pipeline: Pipeline) -> dict[str, Decision]:
    assert pipeline.report is not None
    return {column.name: column.decision for column in pipeline.report.columns}


def run(pipeline: Pipeline, rows: np.ndarray, seconds: int, start_ns: int = START) -> None:
    for second, part in enumerate(np.array_split(rows, seconds)):
        pipeline.take(calls(part), start_ns + second * SECOND)
        pipeline.tick(start_ns + (second + 1) * SECOND)


def test_calm_rows_are_ok_and_a_changed_unit_drifts() -> None:
    pipeline = with_profile()
    run(pipeline, training(3000), 5)
    assert set(decisions(pipeline).values()) == {Decision.OK}
    pounds = training(3000)
    pounds[:, 1] *= 2.2
    run(pipeline, pounds, 5, START + 5 * SECOND)
    assert decisions(pipeline)["weight"] is Decision.DRIFTED
    assert decisions(pipeline)["age"] is Decision.OK


@pytest.mark.parametrize("break_it", [lambda row: row.pop("ratio"), lambda row: row.update(ratio=str(row["ratio"]))])
def test_a_renamed_column_and_a_changed_type_drift(break_it: Callable[[dict[str, Any]], object]) -> None:
    pipeline = with_profile()
    for second in range(5):
        named = [dict(zip(("age", "weight", "ratio"), row, strict=True)) for row in training(500).tolist()]
        for row in named:
            break_it(row)
        answer = {"predictions": training(500).sum(axis=1).tolist()}
        pipeline.take([json_exchange(PREDICT, {"instances": named}, answer)], START + second * SECOND)
        pipeline.tick(START + (second + 1) * SECOND)
    assert decisions(pipeline)["ratio"] is Decision.DRIFTED
    assert decisions(pipeline)["age"] is Decision.OK


def test_feedback_is_counted_but_is_no_traffic() -> None:
    pipeline = with_profile()
    pipeline.take(calls(training(100)), START)
    feedback = {"request": {"data": {"ndarray": training(50).tolist()}}, "truth": {"data": {"ndarray": [1.0] * 50}}}
    pipeline.take([json_exchange("/api/v1.0/feedback", feedback, {})], START)
    assert pipeline.activity.rows == {"kserve-v1": 100, "seldon-feedback": 50}
    pipeline.tick(START + SECOND)
    assert {int(total.counts.sum()) for total in pipeline.totals().values()} == {100}


def test_counts_add_up() -> None:
    pipeline = with_profile()
    rows = training(1000)
    routes = pipeline.take(calls(rows), START)
    pipeline.take([json_exchange(PREDICT, "{", {"error": "bad"}, status=400), json_exchange(PREDICT, "{", "{")], START)
    activity = pipeline.activity
    assert set(routes) == {"/v1/models/{model}:predict"}
    assert sum(known.duration.count for known in activity.calls.values()) == 12
    assert activity.decoded == {"kserve-v1": 10}
    assert activity.rows == {"kserve-v1": 1000}
    assert activity.unobserved == {"status": 1}
    assert sum(activity.undecoded.values()) == 2
    assert {name: int(total.counts.sum()) for name, total in pipeline.totals().items()} == dict.fromkeys(
        ("age", "weight", "ratio", "prediction", *DERIVED), 1000
    )


def test_rows_of_another_model_are_left_out_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    pipeline = with_profile()
    logging.getLogger("outrider").propagate = True
    with caplog.at_level(logging.WARNING, "outrider.monitor"):
        for _ in range(3):
            pipeline.take(calls(training(100), "/v1/models/other:predict"), START)
    pipeline.tick(START + SECOND)
    assert pipeline.activity.unobserved == {"other_model": 3}
    assert pipeline.report is not None
    assert pipeline.report.rows == 0
    assert len(caplog.records) == 1


def test_the_first_rows_become_the_reference() -> None:
    pipeline = Pipeline(settings(OUTRIDER_WARMUP_ROWS="500"), None)
    assert pipeline.tick(START) is None
    run(pipeline, training(500), 1)
    assert pipeline.schema is not None
    assert [column.name for column in pipeline.schema.columns] == [
        "feature_0", "feature_1", "feature_2", "prediction", *DERIVED,
    ]  # fmt: skip
    shifted = training(3000)
    shifted[:, 0] += 3
    run(pipeline, shifted, 5, START + SECOND)
    assert decisions(pipeline)["feature_0"] is Decision.DRIFTED


def test_without_profile_and_learning_rows_are_only_counted() -> None:
    pipeline = Pipeline(settings(), None, learns=False)
    run(pipeline, training(2000), 2)
    assert pipeline.schema is None
    assert pipeline.report is None
    assert pipeline.activity.rows == {"kserve-v1": 2000}


@pytest.mark.parametrize("stage", ["decode", "sketch", "evaluate", "activity"])
def test_a_defect_of_ours_is_counted_and_the_rest_goes_on(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("a defect")

    pipeline = with_profile()
    where = {
        "decode": "agent.decode.decoder.Decoder.decode",
        "sketch": "agent.window.ring.Ring.update",
        "evaluate": "agent.pipeline.evaluate",
        "activity": "agent.window.activity.Activity.record",
    }[stage]
    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        pipeline.take(calls(training(100)), START)
        pipeline.tick(START + SECOND)
    assert pipeline.activity.faults == {stage: 1}
    run(pipeline, training(1000), 1, START + SECOND)
    assert pipeline.report is not None
    assert pipeline.report.rows >= 1000


def test_the_window_is_taken_up_again(tmp_path: Path) -> None:
    first = with_profile(OUTRIDER_STATE_DIR=str(tmp_path))
    run(first, training(1000), 2)
    second = with_profile(OUTRIDER_STATE_DIR=str(tmp_path))
    second.tick(START + 3 * SECOND)
    assert second.report is not None
    assert second.report.rows == 1000


def test_a_damaged_state_is_counted_and_the_window_starts_empty(tmp_path: Path) -> None:
    run(with_profile(OUTRIDER_STATE_DIR=str(tmp_path)), training(1000), 1)
    (state,) = tmp_path.iterdir()
    state.write_bytes(state.read_bytes()[:-9])
    pipeline = with_profile(OUTRIDER_STATE_DIR=str(tmp_path))
    pipeline.tick(START + 2 * SECOND)
    assert pipeline.activity.faults == {"state": 1}
    assert pipeline.report is not None
    assert pipeline.report.rows == 0


def test_a_state_folder_that_can_not_be_written_is_counted() -> None:
    pipeline = with_profile(OUTRIDER_STATE_DIR="/proc/nowhere")
    run(pipeline, training(100), 2)
    assert pipeline.activity.faults["state"] >= 2
    assert pipeline.report is not None


def test_exchanges_without_bodies_are_counted_with_their_times() -> None:
    pipeline = with_profile()
    numbers = np.array([[1_000, 5_000, 9_000, 200, 150, 0, 0], [0, 0, 7_000, 200, 0, 0, 0]], dtype=np.int64)
    pipeline.take_bare(Bare("http/1.1", "POST", PREDICT, 200, 0, -1, numbers.tobytes()))
    pipeline.take_bare(Bare("http/1.1", "GET", "/nothing", 404, 0, -1, numbers[:1].tobytes()))
    calls_of = {key.route: known for key, known in pipeline.activity.calls.items()}
    known = calls_of["/v1/models/{model}:predict"]
    assert (known.duration.count, known.duration.sum_ns) == (2, 16_000)
    assert (known.upstream.count, known.upstream.sum_ns) == (1, 4_000)
    assert (known.request_bytes, known.response_bytes) == (400, 150)
    assert calls_of["other"].duration.count == 1
    assert pipeline.activity.unobserved == {"bodies_left_out": 2}


GRPC_METHOD = "/shop.Pricing/Predict"


@pytest.mark.parametrize(("grpc_status", "reason"), [(0, "bodies_left_out"), (-1, "bodies_left_out"), (14, "status")])
def test_grpc_calls_without_bodies_are_unobserved_by_their_status(grpc_status: int, reason: str) -> None:
    pipeline = with_profile(OUTRIDER_ROUTES=GRPC_METHOD + " inputs=$")
    numbers = np.array([[1_000, 5_000, 9_000, 200, 150, 1, 1]], dtype=np.int64)
    pipeline.take_bare(Bare("grpc", "POST", GRPC_METHOD, 200, 0, grpc_status, numbers.tobytes()))
    assert pipeline.activity.unobserved == {reason: 1}
    assert pipeline.activity.faults == {}


@pytest.mark.parametrize(
    ("sizes", "portions"),
    [
        ([], [0]),
        ([100], [1]),
        ([100] * 300, [300]),
        ([100] * 200, [200]),
        ([600_000] * 5, [2, 2, 1]),
        ([100, 2_000_000, 100, 100], [2, 2]),
        ([2_000_000] * 2, [1, 1]),
    ],
)
def test_large_bodies_are_decoded_in_portions(sizes: list[int], portions: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = with_profile()
    decoded: list[int] = []
    decode = Decoder.decode

    def counted(self: Decoder, exchanges: Sequence[Exchange]) -> Decoded:
        decoded.append(len(exchanges))
        return decode(self, exchanges)

    monkeypatch.setattr(Decoder, "decode", counted)
    taken = [json_exchange(f"/unknown/{place}" if place % 2 else "/ping", " " * size, {}) for place, size in enumerate(sizes)]
    routes = pipeline.take(taken, START)
    assert decoded == portions
    assert list(routes) == ["other" if place % 2 else "/ping" for place in range(len(sizes))]


def test_calls_that_a_defect_kept_from_being_read_do_not_hint_at_a_route(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("a defect")

    pipeline = with_profile()
    logging.getLogger("outrider").propagate = True
    monkeypatch.setattr("agent.decode.decoder.Decoder.decode", fail)
    with caplog.at_level(logging.WARNING, "outrider.monitor"):
        pipeline.take(calls(training(100)), START)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "matched no known route" not in pipeline.waiting


@pytest.mark.parametrize(("protocol", "said"), [("http/2", 1), ("grpc", 0)])
def test_only_calls_that_a_route_could_make_readable_hint_at_one(
    protocol: str, said: int, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = with_profile()
    logging.getLogger("outrider").propagate = True
    unknown = json_exchange("/my.own/Method", {}, {}, protocol=protocol)
    with caplog.at_level(logging.WARNING, "outrider.monitor"):
        pipeline.take([unknown] * 30, START)
    assert len(caplog.records) == said
