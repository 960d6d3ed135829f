"""Tensors too wide for columns come out as numpy has them, however they are written; their summaries are those of columns."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.batch import Batch, Side, Table, TensorType, joined_tables
from agent.decode.decoder import Decoder
from agent.decode.proto import open_inference_pb2, tensorflow_serving_pb2
from agent.exchange import Exchange
from agent.profile.build import build
from agent.profile.schema import schema_of
from agent.validate.summaries import Summariser
from tests.exchanges import exchange, json_exchange, request_bytes, response_bytes

Array = NDArray[Any]
V1 = "/v1/models/m:predict"
V2 = "/v2/models/m/infer"
ANSWER = {"outputs": [{"name": "y", "shape": [1], "datatype": "FP32", "data": [0.5]}]}
SHAPES = ((65, 64), (3, 40, 41), (40, 41, 3), (64, 65, 1), (10_001,), (2, 3, 5, 200))
RAW = {"u1": "UINT8", "<f4": "FP32", "<f8": "FP64", "<i2": "INT16", "<i8": "INT64", "<f2": "FP16"}


def v1(array: Array) -> Exchange:
    return json_exchange(V1, {"instances": array.tolist()}, {"predictions": [0.5]})


def v1_named(array: Array) -> Exchange:
    return json_exchange(V1, {"instances": [{"x": item, "age": 3} for item in array.tolist()]}, {"predictions": [0.5]})


def v1_columns(array: Array) -> Exchange:
    return json_exchange(V1, {"inputs": {"age": [3] * len(array), "x": array.tolist()}}, {"outputs": [0.5]})


def mlflow(array: Array) -> Exchange:
    cells = [[item] for item in array.tolist()]
    return json_exchange("/invocations", {"dataframe_split": {"columns": ["x"], "data": cells}}, {"predictions": [0.5]})


def tensor(array: Array, **more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": array.shape, "datatype": RAW[array.dtype.str.lstrip("|")], **more}


def v2(array: Array) -> Exchange:
    return json_exchange(V2, {"inputs": [tensor(array, data=array.ravel().tolist())]}, ANSWER)


def v2_nested(array: Array) -> Exchange:
    return json_exchange(V2, {"inputs": [tensor(array, data=array.tolist())]}, ANSWER)


def v2_raw(array: Array) -> Exchange:
    data = array.tobytes()
    head = json.dumps({"inputs": [tensor(array, parameters={"binary_data_size": len(data)})]}).encode()
    extra = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return exchange(
        request_bytes(V2, head + data, "application/octet-stream", extra=extra), response_bytes(json.dumps(ANSWER).encode())
    )


def called(target: str, *messages: Any) -> Exchange:
    texts = [message.SerializeToString() for message in messages]
    body = b"".join([b"\0" + struct.pack(">I", len(text)) + text for text in texts])
    return exchange(
        request_bytes(target, body, "application/grpc"), response_bytes(b"", "application/grpc"), protocol="grpc", method="POST"
    )


def grpc(array: Array) -> Exchange:
    pb: Any = open_inference_pb2
    given = pb.InferTensor(name="x", datatype=RAW[array.dtype.str.lstrip("|")], shape=array.shape)
    return called(
        "/inference.GRPCInferenceService/ModelInfer", pb.ModelInferRequest(inputs=[given], raw_input_contents=[array.tobytes()])
    )


def grpc_stream(array: Array) -> Exchange:
    pb: Any = open_inference_pb2
    datatype = RAW[array.dtype.str.lstrip("|")]
    messages = [
        pb.ModelInferRequest(
            inputs=[pb.InferTensor(name="x", datatype=datatype, shape=[1, *row.shape])], raw_input_contents=[row.tobytes()]
        )
        for row in array
    ]
    return called("/inference.GRPCInferenceService/ModelStreamInfer", *messages)


def tensorflow(array: Array) -> Exchange:
    pb: Any = tensorflow_serving_pb2
    shape = pb.TensorShapeProto(dim=[{"size": size} for size in array.shape])
    given = pb.TensorProto(dtype="DT_DOUBLE", tensor_shape=shape, double_val=array.ravel().astype(float))
    return called("/tensorflow.serving.PredictionService/Predict", pb.PredictRequest(inputs={"x": given}))


def seldon(data: dict[str, Any]) -> Exchange:
    return json_exchange("/api/v1.0/predictions", {"data": data}, {"data": {"ndarray": [[0.5]]}})


def seldon_tensor(array: Array) -> Exchange:
    return seldon({"tensor": {"shape": array.shape, "values": array.ravel().tolist()}})


def seldon_nested(array: Array) -> Exchange:
    return seldon({"ndarray": array.tolist()})


def seldon_tensorflow(array: Array) -> Exchange:
    shape = {"dim": [{"size": size} for size in array.shape]}
    return seldon({"tftensor": {"dtype": "DT_DOUBLE", "tensorShape": shape, "doubleVal": array.ravel().astype(float).tolist()}})


WRITERS: tuple[Callable[[Array], Exchange], ...] = (
    v1, v1_named, v1_columns, mlflow, v2, v2_nested, v2_raw, grpc, grpc_stream, tensorflow, seldon_tensor, seldon_nested,
    seldon_tensorflow,
)  # fmt: skip


@pytest.mark.parametrize("write", WRITERS)
@given(st.data())
@settings(max_examples=12, deadline=None)
def test_values_are_numpys(write: Callable[[Array], Exchange], data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([shape for shape in SHAPES if write is not mlflow or len(shape) > 1]))
    rows = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from(list(RAW)))
    seed = data.draw(st.integers(0, 2**32))
    arrays = [np.random.default_rng((seed, at)).normal(50, 20, (count, *shape)).astype(dtype) for at, count in enumerate(rows)]
    decoded = Decoder().decode([write(array) for array in arrays])
    assert decoded.undecoded == {}
    assert decoded.unobserved.keys() <= {"no_rows"}
    # Exchanges that answer row by row are kept apart from others, in their order.
    tables = [table for batch in decoded.batches for table in batch.inputs.tables]
    assert {table.tensor.shape for table in tables} == {shape}
    assert sum(batch.inputs.rows for batch in decoded.batches) == sum(rows)
    found = {row.tobytes() for table in tables for row in table.values.astype(float)}
    assert found == {row.tobytes() for array in arrays for row in array.reshape(len(array), -1).astype(float)}
    if write in (v1_named, v1_columns):
        assert {batch.inputs.names for batch in decoded.batches} == {("age",)}


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 2**32))
def test_tables_are_joined_in_order(rows: list[int], seed: int) -> None:
    pieces = [np.random.default_rng((seed, at)).normal(size=(count, 3)) for at, count in enumerate(rows)]
    kind = TensorType("x", "FP64", (3,))
    (table,) = joined_tables([(Table(kind, piece),) for piece in pieces])
    assert (table.values == np.concatenate(pieces)).all()


@given(st.integers(1, 40), st.sampled_from(["u1", "f4", "f8"]), st.integers(0, 2**32), st.booleans())
@settings(max_examples=25, deadline=None)
def test_summaries_of_tables_are_those_of_columns(rows: int, dtype: str, seed: int, named: bool) -> None:
    rng = np.random.default_rng(seed)
    schema = schema_of(build({"img": np.random.default_rng(1).uniform(0, 255, size=(30, 9, 8, 3)), "vec": np.eye(30)}))
    image = rng.uniform(0, 255, size=(rows, 9 * 8 * 3)).astype(dtype)
    vector = rng.normal(size=(rows, 30))
    names = (*[f"img[{at}]" for at in range(image.shape[1])], *[f"vec[{at}]" for at in range(30)])
    tensors = (TensorType("img", "", (9, 8, 3)), TensorType("vec", "", (30,)))
    columns = Side(names, tuple(np.column_stack([image, vector]).astype(float).T), rows, tensors=tensors)
    tables = (Table(TensorType("img" if named else "input_1", "", (9, 8, 3)), image), Table(tensors[1], vector))
    wanted, _ = Summariser(schema).summarise(Batch("test", "", "", columns, columns))
    for given_side in (Side((), (), rows, tables=tables), Side(names[-30:], columns.columns[-30:], rows, tables=tables[:1])):
        found, broken = Summariser(schema).summarise(Batch("test", "", "", given_side, columns))
        assert broken == {}
        assert found.inputs.tables == ()
        by_name = dict(zip(found.inputs.names, found.inputs.columns, strict=True))
        for name, values in zip(wanted.inputs.names, wanted.inputs.columns, strict=True):
            np.testing.assert_allclose(by_name[name], values, rtol=3e-4, err_msg=name)
