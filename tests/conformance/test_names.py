"""The same rows in every format, by position and by name in any order: one report, with the profile's names and all rows.

Of each way of asking it is also written down what the batch says of the call: format, model, version and request id.
"""

from __future__ import annotations

import csv
import io
import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent import config
from agent.decode.decoder import Decoder
from agent.decode.proto import open_inference_pb2 as v2
from agent.decode.proto import tensorflow_serving_pb2 as tf
from agent.exchange import Exchange
from agent.pipeline import Pipeline
from agent.profile.schema import schema_of
from tests.exchanges import exchange, json_exchange, request_bytes, response_bytes
from tests.grpc_captures import grpc_exchange
from tests.traffic import training, training_profile

Rows = NDArray[np.float64]
Ask = Callable[[Rows, list[float]], Exchange]

NAMES = ("age", "weight", "ratio")
SHUFFLED = (2, 0, 1)
TF_SERVING = "tensorflow.serving.PredictionService"
ROUTES = "/own model=demo version=9 inputs=$.rows outputs=$.scores"
SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND

V1, INFER = "/v1/models/demo:predict", "/v2/models/demo/infer"
LINES = "application/jsonlines"
REGRESS, TORCH_PATH = "/v1/models/demo/versions/3:regress", "/predictions/demo/1.0"


def in_any_order(rows: Rows) -> list[dict[str, float]]:
    """Objects whose keys come in an order of their own each."""
    return [
        {NAMES[place]: row[place] for place in np.roll(SHUFFLED, number).tolist()} for number, row in enumerate(rows.tolist())
    ]


def by_column(rows: Rows) -> dict[str, list[float]]:
    """Columns in another order than the profile's."""
    return {NAMES[place]: rows[:, place].tolist() for place in SHUFFLED}


def split(rows: Rows) -> dict[str, Any]:
    """Names in another order than the profile's, and rows."""
    return {"columns": [NAMES[place] for place in SHUFFLED], "data": rows[:, SHUFFLED].tolist()}


def predict(path: str, instances: Any, sums: Sequence[float]) -> Exchange:
    return json_exchange(path, {"instances": instances}, {"predictions": sums})


def both(path: str, asked: tuple[str, bytes], answered: tuple[str, bytes]) -> Exchange:
    return exchange(request_bytes(path, asked[1], asked[0]), response_bytes(answered[1], answered[0]))


def event(payload: Any, id: str) -> tuple[str, bytes]:
    whole = {"specversion": "1.0", "id": id, "source": "s", "type": "t", "data": payload}
    return "application/cloudevents+json", json.dumps(whole).encode()


def binary_event(question: Any, answer: Any) -> Exchange:
    fields = "ce-specversion: 1.0\r\nce-id: 7\r\nce-source: s\r\nce-type: t\r\n"
    request = request_bytes(V1, json.dumps(question).encode(), extra=fields)
    return exchange(request, response_bytes(json.dumps(answer).encode(), extra=fields))


def tensor(name: str, values: NDArray[Any], *, nested: bool = False) -> dict[str, Any]:
    data = (values if nested else values.ravel()).tolist()
    return {"name": name, "shape": list(values.shape), "datatype": "FP64", "data": data}


def answer_of(sums: Sequence[float]) -> dict[str, Any]:
    outputs = [tensor("predict", np.array(sums))]
    return {"model_name": "demo", "model_version": "3", "id": "q-1", "outputs": outputs}


def infer(sums: Sequence[float], *tensors: dict[str, Any]) -> Exchange:
    return json_exchange(INFER, {"id": "q-1", "inputs": tensors}, answer_of(sums))


def raw(*parts: tuple[str, NDArray[Any]]) -> tuple[list[dict[str, Any]], bytes]:
    """Descriptions of raw FP64 tensors, and the bytes behind them."""
    behind = [values.astype("<f8").tobytes() for _, values in parts]
    return [
        {"name": name, "shape": list(values.shape), "datatype": "FP64", "parameters": {"binary_data_size": len(content)}}
        for (name, values), content in zip(parts, behind, strict=True)
    ], b"".join(behind)


def binary_infer(sums: Sequence[float], *parts: tuple[str, NDArray[Any]]) -> Exchange:
    (asked, question), (answered, answer) = raw(*parts), raw(("predict", np.array(sums)))
    head = json.dumps({"id": "q-1", "inputs": asked}).encode()
    back = json.dumps(answer_of(sums) | {"outputs": answered}).encode()
    kind, name = "application/octet-stream", "Inference-Header-Content-Length"
    return exchange(
        request_bytes(INFER, head + question, kind, extra=f"{name}: {len(head)}\r\n"),
        response_bytes(back + answer, kind, extra=f"{name}: {len(back)}\r\n"),
    )


def framed(message: Any) -> bytes:
    text: bytes = message.SerializeToString()
    return struct.pack(">BI", 0, len(text)) + text


def grpc_infer(sums: Sequence[float], *parts: tuple[str, NDArray[Any]], typed: bool = False) -> tuple[Any, Any]:
    """A request and its answer."""
    asked = [
        v2.InferTensor(
            name=name, datatype="FP64", shape=values.shape, contents={"fp64_contents": values.ravel()} if typed else None
        )
        for name, values in parts
    ]
    contents = [] if typed else [values.astype("<f8").tobytes() for _, values in parts]
    request = v2.ModelInferRequest(model_name="demo", id="q-1", inputs=asked, raw_input_contents=contents)
    output = v2.InferTensor(name="predict", datatype="FP64", shape=[len(sums)], contents={"fp64_contents": sums})
    return request, v2.ModelInferResponse(model_name="demo", model_version="3", id="q-1", outputs=[output])


def unary(request: Any, response: Any) -> Exchange:
    return grpc_exchange("ModelInfer", framed(request), framed(response))


def stream(rows: Rows, sums: list[float], *, triton: bool) -> Exchange:
    """A message for each half of the rows."""
    half = len(rows) // 2
    calls = [grpc_infer(part, ("x", given)) for part, given in ((sums[:half], rows[:half]), (sums[half:], rows[half:]))]
    answers = [answer for _, answer in calls]
    if triton:
        answers = [v2.StreamAnswer(infer_response_or_model_version=answer.SerializeToString()) for answer in answers]
    asked = b"".join(framed(request) for request, _ in calls)
    return grpc_exchange("ModelStreamInfer", asked, b"".join(map(framed, answers)))


def tf_tensor(values: NDArray[Any]) -> Any:
    shape = {"dim": [{"size": size} for size in values.shape]}
    return tf.TensorProto(dtype="DT_DOUBLE", tensor_shape=shape, tensor_content=values.astype("<f8").tobytes())


def tf_predict(sums: Sequence[float], **tensors: NDArray[Any]) -> Exchange:
    request = tf.PredictRequest(model_spec={"name": "demo"}, inputs={name: tf_tensor(values) for name, values in tensors.items()})
    spec = {"name": "demo", "version": {"value": 3}}
    response = tf.PredictResponse(model_spec=spec, outputs={"scores": tf_tensor(np.array(sums))})
    return grpc_exchange("Predict", framed(request), framed(response), service=TF_SERVING)


def tf_regress(rows: Rows, sums: Sequence[float]) -> Exchange:
    features = [{name: {"float_list": {"value": [value]}} for name, value in row.items()} for row in in_any_order(rows)]
    examples = [tf.Example(features=tf.Features(feature=each)) for each in features]  # type: ignore[arg-type]  # a dict will do
    request = tf.ExamplesRequest(model_spec={"name": "demo"}, input={"example_list": {"examples": examples}})
    spec = {"name": "demo", "version": {"value": 3}}
    response = tf.RegressionResponse(model_spec=spec, result={"regressions": [{"value": each} for each in sums]})
    return grpc_exchange("Regress", framed(request), framed(response), service=TF_SERVING)


def table(rows: Rows, *header: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([*([header] if header else []), *rows.tolist()])
    return text.getvalue().encode()


def lines(values: Sequence[Any]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def saved(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def invoked(kind: str, body: bytes, sums: Sequence[float]) -> Exchange:
    return both("/invocations", (kind, body), ("application/json", json.dumps({"predictions": sums}).encode()))


def invoked_json(question: Any, sums: Sequence[float]) -> Exchange:
    return invoked("application/json", json.dumps(question).encode(), sums)


def seldon(payload: dict[str, Any], sums: Sequence[float]) -> Exchange:
    answer = {"meta": {"puid": "p-1"}, "data": {"tensor": {"shape": [len(sums), 1], "values": sums}}}
    return json_exchange("/api/v1.0/predictions", payload, answer)


KSERVE, OPEN, TENSORFLOW = (
    ("kserve-v1", "demo", "", ""),
    ("open-inference", "demo", "3", "q-1"),
    ("tensorflow-serving", "demo", "3", ""),
)
INVOKED, SELDON = ("invocations", "", "", ""), ("seldon", "", "", "p-1")
VERTEX, TORCH, OWN = ("vertex-ai", "", "", ""), ("torchserve", "demo", "1.0", ""), ("custom", "demo", "9", "")

WAYS: dict[str, tuple[tuple[str, str, str, str], Ask]] = {
    "kserve v1: arrays": (KSERVE, lambda rows, sums: predict(V1, rows.tolist(), sums)),
    "kserve v1: objects": (KSERVE, lambda rows, sums: predict(V1, in_any_order(rows), sums)),
    "kserve v1: columns": (KSERVE, lambda rows, sums: json_exchange(V1, {"inputs": by_column(rows)}, {"outputs": sums})),
    "cloud event, structured": (
        ("kserve-v1", "demo", "", "e-1"),
        lambda rows, sums: both(V1, event({"instances": in_any_order(rows)}, "e-1"), event({"predictions": sums}, "e-2")),
    ),
    "cloud event, binary": (
        ("kserve-v1", "demo", "", "7"),
        lambda rows, sums: binary_event({"instances": rows.tolist()}, {"predictions": sums}),
    ),
    "tensorflow rest: a version": (
        ("kserve-v1", "demo", "3", ""),
        lambda rows, sums: predict("/v1/models/demo/versions/3:predict", rows.tolist(), sums),
    ),
    "tensorflow rest: regress": (
        TENSORFLOW, lambda rows, sums: json_exchange(REGRESS, {"examples": in_any_order(rows)}, {"results": sums}),
    ),
    "tensorflow grpc: a matrix": (TENSORFLOW, lambda rows, sums: tf_predict(sums, x=rows)),
    "tensorflow grpc: a tensor each": (
        TENSORFLOW, lambda rows, sums: tf_predict(sums, **{name: np.array(values) for name, values in by_column(rows).items()}),
    ),
    "tensorflow grpc: regress": (TENSORFLOW, tf_regress),
    "v2 json: flat": (OPEN, lambda rows, sums: infer(sums, tensor("x", rows))),
    "v2 json: nested": (OPEN, lambda rows, sums: infer(sums, tensor("x", rows, nested=True))),
    "v2 json: a tensor each": (
        OPEN, lambda rows, sums: infer(sums, *[tensor(name, np.array(values)) for name, values in by_column(rows).items()]),
    ),
    "v2 binary": (OPEN, lambda rows, sums: binary_infer(sums, ("x", rows))),
    "v2 binary: a tensor each": (
        OPEN, lambda rows, sums: binary_infer(sums, *[(name, np.array(values)) for name, values in by_column(rows).items()]),
    ),
    "v2 grpc: raw": (OPEN, lambda rows, sums: unary(*grpc_infer(sums, ("x", rows)))),
    "v2 grpc: typed": (OPEN, lambda rows, sums: unary(*grpc_infer(sums, ("x", rows), typed=True))),
    "v2 grpc: a tensor each": (
        OPEN, lambda rows, sums: unary(*grpc_infer(sums, *[(name, np.array(part)) for name, part in by_column(rows).items()])),
    ),
    "v2 grpc: a stream as MLServer's": (OPEN, lambda rows, sums: stream(rows, sums, triton=False)),
    "v2 grpc: a stream as Triton's": (
        ("open-inference", "demo", "3", "q-1"), lambda rows, sums: stream(rows, sums, triton=True),
    ),
    "mlflow: split": (
        INVOKED,
        lambda rows, sums: invoked_json({"dataframe_split": split(rows), "params": {"a": 1}}, sums),
    ),
    "mlflow: records": (INVOKED, lambda rows, sums: invoked_json({"dataframe_records": in_any_order(rows)}, sums)),
    "mlflow: instances": (INVOKED, lambda rows, sums: invoked_json({"instances": in_any_order(rows)}, sums)),
    "mlflow: inputs, columns": (INVOKED, lambda rows, sums: invoked_json({"inputs": by_column(rows)}, sums)),
    "mlflow: inputs, arrays": (INVOKED, lambda rows, sums: invoked_json({"inputs": rows.tolist()}, sums)),
    "csv with a header": (
        INVOKED,
        lambda rows, sums: invoked("text/csv", table(rows[:, SHUFFLED], *[NAMES[at] for at in SHUFFLED]), sums),
    ),
    "csv without a header": (
        INVOKED, lambda rows, sums: both("/invocations", ("text/csv", table(rows)), ("text/csv", table(np.array(sums)[:, None]))),
    ),
    "sagemaker: json": (INVOKED, lambda rows, sums: invoked_json(rows.tolist(), sums)),
    "sagemaker: json lines": (
        INVOKED,
        lambda rows, sums: both("/invocations", (LINES, lines(in_any_order(rows))), (LINES, lines(sums))),
    ),
    "sagemaker: json lines of arrays": (INVOKED, lambda rows, sums: invoked("application/x-ndjson", lines(rows.tolist()), sums)),
    "sagemaker: npy": (
        INVOKED,
        lambda rows, sums: both("/invocations", ("application/x-npy", saved(rows)), ("application/x-npy", saved(np.array(sums)))),
    ),
    "vertex: arrays": (VERTEX, lambda rows, sums: predict("/vertex", rows.tolist(), sums)),
    "vertex: objects": (VERTEX, lambda rows, sums: predict("/vertex", in_any_order(rows), sums)),
    "torchserve: arrays": (TORCH, lambda rows, sums: json_exchange(TORCH_PATH, rows.tolist(), sums)),
    "torchserve: objects": (TORCH, lambda rows, sums: json_exchange(TORCH_PATH, {"instances": in_any_order(rows)}, sums)),
    "seldon: tensor": (
        SELDON, lambda rows, sums: seldon({"data": {"tensor": {"shape": rows.shape, "values": rows.ravel().tolist()}}}, sums),
    ),
    "seldon: ndarray with names": (
        SELDON,
        lambda rows, sums: seldon({"data": {"names": split(rows)["columns"], "ndarray": split(rows)["data"]}}, sums),
    ),
    "seldon: json": (SELDON, lambda rows, sums: seldon({"jsonData": in_any_order(rows)}, sums)),
    "custom: arrays": (OWN, lambda rows, sums: json_exchange("/own", {"rows": rows.tolist()}, {"scores": sums})),
    "custom: objects": (OWN, lambda rows, sums: json_exchange("/own", {"rows": in_any_order(rows)}, {"scores": sums})),
}  # fmt: skip


def settings() -> config.Settings:
    return config.load(
        {"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", "AIP_PREDICT_ROUTE": "/vertex", "OUTRIDER_ROUTES": ROUTES}
    )


@pytest.fixture
def call(way: str) -> tuple[Rows, Exchange]:
    rows = training(1000).astype("<f4").astype(float)  # Example has 32 bits
    return rows, WAYS[way][1](rows, rows.sum(axis=1).astype("<f4").astype(float).tolist())


@pytest.mark.parametrize("way", WAYS)
def test_what_the_batch_says_of_the_call(way: str, call: tuple[Rows, Exchange]) -> None:
    wire, model, version, request_id = WAYS[way][0]
    rows, one = call
    result = Decoder(settings().routes).decode([one])
    assert (result.undecoded, result.unobserved, result.rows) == ({}, {}, {wire: len(rows)})
    (batch,) = result.batches
    assert (batch.format, batch.model, batch.version, batch.ids) == (wire, model, version, (request_id,) if request_id else ())
    assert (batch.inputs.rows, batch.outputs.rows) == (len(rows), len(rows))


@pytest.mark.parametrize("way", WAYS)
def test_the_report_has_the_names_of_the_profile_and_every_row(way: str, call: tuple[Rows, Exchange]) -> None:
    rows, one = call
    pipeline = Pipeline(settings(), schema_of(training_profile()))
    pipeline.take([one], START)
    pipeline.tick(START + SECOND)
    report = pipeline.report
    assert report is not None
    assert report.rows == len(rows)
    columns = {column.name: column for column in report.columns if column.role != "derived"}
    assert tuple(columns) == (*NAMES, "prediction")
    means = dict(zip(NAMES, rows.mean(axis=0).tolist(), strict=True)) | {"prediction": rows.sum(axis=1).mean()}
    assert {name: column.mean for name, column in columns.items()} == {
        name: pytest.approx(mean, rel=1e-6) for name, mean in means.items()
    }
    for column in columns.values():
        assert (column.rows, column.missing_share) == (len(rows), 0)
        assert set(column.violations) <= {"out_of_range"}
