"""Unstructured inputs through the whole monitor: calls in, summaries that drift out, with the reason in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import config
from agent.evaluate.report import ColumnReport, Decision
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.schema import schema_of
from tests.exchanges import exchange, json_exchange, request_bytes, response_bytes

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND
V1 = "/v1/models/demo:predict"
V2 = "/v2/models/demo/infer"
WIDTH = 32

GERMAN = ("der", "Preis", "ist", "gut", "und", "die", "Lieferung", "kam", "schnell", "an", "aber", "nicht", "immer")
RUSSIAN = ("цена", "хорошая", "и", "доставка", "пришла", "быстро", "но", "не", "всегда", "вовремя", "спасибо")


def pipeline(profile: Profile | None, **more: str) -> Pipeline:
    settings = config.load({"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", "OUTRIDER_MIN_ROWS": "50", **more})
    return Pipeline(settings, schema_of(profile) if profile is not None else None)


def run(monitor: Pipeline, instances: Sequence[Any], answers: Sequence[Any] | None = None, start: int = 0) -> None:
    """Five seconds of calls with ten rows each."""
    answers = answers if answers is not None else [0.5] * len(instances)
    calls = [
        json_exchange(V1, {"instances": list(instances[at : at + 10])}, {"predictions": list(answers[at : at + 10])})
        for at in range(0, len(instances), 10)
    ]
    for second, at in enumerate(range(0, len(calls), max(1, len(calls) // 5))):
        monitor.take(calls[at : at + max(1, len(calls) // 5)], START + (start + second) * SECOND)
        monitor.tick(START + (start + second + 1) * SECOND)


def reports(monitor: Pipeline) -> dict[str, ColumnReport]:
    assert monitor.report is not None
    return {column.name: column for column in monitor.report.columns}


def embeddings(rows: int, seed: int, towards: int = 0) -> NDArray[np.float64]:
    centre = np.zeros(WIDTH)
    centre[towards] = 4.0
    return np.random.default_rng(seed).normal(centre, 1.0, size=(rows, WIDTH))


def images(rows: int, seed: int, light: float = 150.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    levels = rng.normal(light, 10.0, size=(rows, 1, 1, 1))
    return np.clip(rng.normal(levels, 30.0, size=(rows, 8, 8, 3)), 0, 255).round()


def sentences(rows: int, seed: int, words: Sequence[str] = GERMAN) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, size=rng.integers(5, 15))) for _ in range(rows)]


@pytest.mark.parametrize("spelled", ["by position", "by name"])
def test_embeddings_that_turn_away_drift_by_their_cosine(spelled: str) -> None:
    monitor = pipeline(build({"vec": embeddings(2000, 1)}))

    def rows(values: NDArray[np.float64]) -> list[Any]:
        return values.tolist() if spelled == "by position" else [{"vec": vector} for vector in values.tolist()]

    run(monitor, rows(embeddings(1000, 2)))
    assert {column.decision for column in reports(monitor).values()} == {Decision.OK}
    run(monitor, rows(embeddings(2000, 3, towards=7)), start=10)
    found = reports(monitor)
    assert found["vec.cosine"].decision is Decision.DRIFTED
    assert found["vec.norm"].decision is Decision.OK
    assert "instead of 0.5" in found["vec.cosine"].reason
    assert monitor.activity.faults == {}


def test_darker_images_drift_by_their_brightness() -> None:
    monitor = pipeline(build({"img": images(1000, 1)}))
    run(monitor, [{"img": image} for image in images(500, 2).tolist()])
    assert {column.decision for column in reports(monitor).values()} == {Decision.OK}
    run(monitor, images(1000, 3, light=90.0).tolist(), start=10)
    found = reports(monitor)
    assert found["img.brightness"].decision is Decision.DRIFTED
    assert found["img.width"].decision is Decision.OK
    assert monitor.activity.violations.keys() <= {("img.brightness", "out_of_range"), ("img.contrast", "out_of_range")}


def test_texts_in_another_language_drift_by_their_script() -> None:
    monitor = pipeline(build({"review": sentences(1000, 1)}))
    run(monitor, sentences(500, 2))
    assert {column.decision for name, column in reports(monitor).items() if name != "review"} == {Decision.OK}
    run(monitor, [{"review": text} for text in sentences(1000, 3, RUSSIAN)], start=10)
    found = reports(monitor)
    assert found["review.script"].decision is Decision.DRIFTED
    assert found["review.words"].decision is Decision.OK
    assert "'latin' 0 % of the values instead of 100 %" in found["review.script"].reason
    assert monitor.activity.violations["review.script", "unseen_category"] == 1000


def test_embeddings_that_come_back_are_predictions() -> None:
    data = {"x": np.random.default_rng(1).normal(size=2000), "vec": embeddings(2000, 1)}
    monitor = pipeline(build(data, prediction="vec"))
    inputs = [{"x": x} for x in np.random.default_rng(2).normal(size=1000).tolist()]
    run(monitor, inputs, embeddings(1000, 2).tolist())
    assert {column.decision for column in reports(monitor).values()} == {Decision.OK}
    run(monitor, inputs * 2, [{"embedding": vector} for vector in embeddings(2000, 3, towards=5).tolist()], start=10)
    found = reports(monitor)
    assert (found["vec.cosine"].decision, found["vec.cosine"].role) == (Decision.DRIFTED, "prediction")
    assert found["x"].decision is Decision.OK


def test_a_wrong_width_is_counted_under_the_vectors_name() -> None:
    monitor = pipeline(build({"vec": embeddings(2000, 1), "age": np.arange(2000.0)}))
    run(monitor, [{"vec": vector[:20], "age": 5} for vector in embeddings(100, 2).tolist()])
    assert monitor.activity.violations == {("vec", "shape"): 100}


def test_v2_tensors_bind_by_name() -> None:
    monitor = pipeline(build({"vec": embeddings(2000, 1), "age": np.arange(2000.0)}))
    vectors = embeddings(1000, 2)
    request = {
        "inputs": [
            {"name": "age", "shape": [1000], "datatype": "FP64", "data": np.arange(0.0, 2000.0, 2.0).tolist()},
            {"name": "vec", "shape": [1000, WIDTH], "datatype": "FP32", "data": vectors.reshape(-1).tolist()},
        ]
    }
    answer = {"outputs": [{"name": "y", "shape": [1000], "datatype": "FP32", "data": [0.5] * 1000}]}
    monitor.take([json_exchange(V2, request, answer)], START)
    monitor.tick(START + SECOND)
    assert {column.decision for column in reports(monitor).values()} == {Decision.OK}
    assert set(monitor.activity.violations) <= {
        ("vec.cosine", "out_of_range"),
        ("vec.norm", "out_of_range"),
        ("vec.mean", "out_of_range"),
    }


def test_binary_v2_images_bind_by_their_shape() -> None:
    monitor = pipeline(build({"img": images(1000, 1)}))
    dark = images(1000, 2, light=60.0).astype(np.uint8).tobytes()
    tensor = {"name": "input", "shape": [1000, 8, 8, 3], "datatype": "UINT8", "parameters": {"binary_data_size": len(dark)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    extra = f"Inference-Header-Content-Length: {len(head)}\r\n"
    answer = json.dumps({"outputs": [{"name": "y", "shape": [1000], "datatype": "FP32", "data": [0.5] * 1000}]}).encode()
    request = request_bytes(V2, head + dark, "application/octet-stream", extra=extra)
    monitor.take([exchange(request, response_bytes(answer), start_ns=START)], START)
    if monitor.activity.undecoded:
        pytest.fail(f"not read: {monitor.activity.undecoded}")
    monitor.tick(START + SECOND)
    assert reports(monitor)["img.brightness"].decision in (Decision.SUSPECT, Decision.DRIFTED)


def test_without_a_profile_wide_rows_are_learned_by_their_summaries() -> None:
    rng = np.random.default_rng(1)
    monitor = pipeline(None, OUTRIDER_WARMUP_ROWS="500")
    run(monitor, rng.normal(0.1, 1.0, size=(500, 400)).round(4).tolist())
    assert monitor.schema is not None
    assert [column.name for column in monitor.schema.columns if column.source] == [
        "feature.norm",
        "feature.mean",
        "feature.cosine",
    ]
    run(monitor, rng.normal(0.1, 1.0, size=(500, 400)).round(4).tolist(), start=10)
    assert reports(monitor)["feature.cosine"].decision is Decision.OK
    run(monitor, rng.normal(-0.1, 1.0, size=(1000, 400)).round(4).tolist(), start=20)
    assert reports(monitor)["feature.cosine"].decision is Decision.DRIFTED
