"""Calls of TensorFlow Serving in TensorFlow's and TensorFlow Serving's own messages come out as they went in.

tensorflow-serving-api wants all of TensorFlow; tensorflow-protobuf has the same messages without it. A tensor is
written in each way that TensorFlow's `make_tensor_proto` has: raw, a value for each element, or one for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.batch import Batch
from agent.decode.decoder import Decoder
from agent.decode.tensorflow_tensor import ENCODINGS
from tests.exchanges import as_lists
from tests.grpc_captures import grpc_exchange
from tests.property.test_grpc_decoding import NUMPY, arrays, check_side, framed, raw_bytes, shapes, texts


def messages(module: str) -> Any:
    return pytest.importorskip(module, reason="part missing: tensorflow-protobuf, TensorFlow's own messages")


tensor_pb2, types_pb2 = messages("tensorflow.core.framework.tensor_pb2"), messages("tensorflow.core.framework.types_pb2")
example_pb2 = messages("tensorflow.core.example.example_pb2")
predict_pb2, input_pb2 = messages("tensorflow_serving.apis.predict_pb2"), messages("tensorflow_serving.apis.input_pb2")
classification_pb2 = messages("tensorflow_serving.apis.classification_pb2")
regression_pb2, inference_pb2 = (
    messages("tensorflow_serving.apis.regression_pb2"),
    messages("tensorflow_serving.apis.inference_pb2"),
)

BY_TYPE = {"DT_STRING": "BYTES"} | {datatype: encoding.raw for datatype, encoding in ENCODINGS.items()}
SERVICE = "tensorflow.serving.PredictionService"
MODEL = {"name": "m", "version": {"value": 2}, "signature_name": "s"}

Tensor = tuple[str, str, NDArray[Any]]


@st.composite
def tensor_protos(draw: st.DrawFn, name: str, rows: int) -> tuple[Tensor, Any]:
    """A tensor, and its message in one of the encodings it may have."""
    datatype = draw(st.sampled_from(sorted(BY_TYPE)))
    raw, shape = BY_TYPE[datatype], [rows, *draw(shapes)[:2]]
    message = tensor_pb2.TensorProto(dtype=datatype, tensor_shape={"dim": [{"size": size} for size in shape]})
    constant, size = draw(st.booleans()), int(np.prod(shape))
    if raw == "BYTES":
        flat = draw(st.lists(texts, min_size=1 if constant else size, max_size=1 if constant else size))
        message.string_val.extend([text.encode() for text in flat])
        return (name, datatype, np.array(flat * (size // len(flat)), dtype=object).reshape(shape)), message
    values = draw(arrays(NUMPY[raw], [1] if constant else shape))
    if raw == "BF16":
        values = (values.view("<u4") & 0xFFFF0000).view("<f4")
    if not constant and draw(st.booleans()):
        message.tensor_content = raw_bytes(raw, values)
    elif raw in ("FP16", "BF16"):
        message.half_val.extend(np.frombuffer(raw_bytes(raw, values), "<u2").tolist())
    else:
        getattr(message, ENCODINGS[datatype].field).extend(values.ravel().tolist())
    return (name, datatype, np.broadcast_to(values, shape) if constant else values), message


@st.composite
def several(draw: st.DrawFn) -> list[tuple[Tensor, Any]]:
    """Tensors of as many rows, by name: a map has no order, and columns are sorted."""
    rows = draw(st.integers(1, 4))
    names = draw(st.lists(st.sampled_from(["a", "b", "c d", "ö"]), min_size=1, max_size=3, unique=True))
    return [draw(tensor_protos(name, rows)) for name in sorted(names)]


def batch_of(method: str, asked: Any, answered: Any) -> Batch:
    question, answer = framed(bytes_of(asked)), framed(bytes_of(answered))
    result = Decoder().decode([grpc_exchange(method, question, answer, service=SERVICE)])
    assert (result.undecoded, result.unobserved) == ({}, {})
    (batch,) = result.batches
    assert (batch.format, batch.model, batch.version) == ("tensorflow-serving", "m", "2")
    return batch


def bytes_of(message: Any) -> bytes:
    text: bytes = message.SerializeToString()
    return text


@settings(max_examples=200, deadline=None)
@given(several(), several())
def test_predict(asked: list[tuple[Tensor, Any]], answered: list[tuple[Tensor, Any]]) -> None:
    question = predict_pb2.PredictRequest(
        model_spec={"name": "m"}, inputs={tensor[0]: message for tensor, message in asked}, output_filter=["a"]
    )
    answer = predict_pb2.PredictResponse(model_spec=MODEL, outputs={tensor[0]: message for tensor, message in answered})
    batch = batch_of("Predict", question, answer)
    check_side(batch.inputs, [tensor for tensor, _ in asked])
    check_side(batch.outputs, [tensor for tensor, _ in answered])


KINDS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "float": ("float_list", st.floats(width=32, allow_nan=False)),
    "int": ("int64_list", st.integers(-(2**53), 2**53)),
    "text": ("bytes_list", texts),
}
Rows = dict[str, list[Any]]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Rows, Any, Rows]:
    """Features by name, the input in which they are, and those that its context gives to all rows."""
    count = draw(st.integers(1, 4))
    rows: Rows = {}
    examples = [example_pb2.Example() for _ in range(count)]
    context, shared = example_pb2.Example(), {}
    for name in sorted(draw(st.lists(st.sampled_from(["a", "b", "ö", "x y"]), min_size=1, max_size=3, unique=True))):
        field, cells = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        rows[name] = draw(st.lists(cells, min_size=count, max_size=count))
        for example, value in zip(examples, rows[name], strict=True):
            put(example, name, field, value)
    if draw(st.booleans()):
        shared["context"] = [draw(texts)] * count
        put(context, "context", "bytes_list", shared["context"][0])
        given = input_pb2.Input(example_list_with_context={"examples": examples, "context": context})
    else:
        given = input_pb2.Input(example_list={"examples": examples})
    return rows, given, shared


def put(example: Any, name: str, field: str, value: Any) -> None:
    getattr(example.features.feature[name], field).value.append(value.encode() if isinstance(value, str) else value)


def expected(rows: Rows) -> Rows:
    return {name: [value if isinstance(value, str) else float(value) for value in rows[name]] for name in sorted(rows)}


scores = st.floats(width=32, allow_nan=False, allow_infinity=False)


def classes_of(rows: list[list[float]]) -> tuple[Any, Rows]:
    """Scores of as many labels for each row, and their columns."""
    labels = [f"l{place}" for place in range(len(rows[0]))]
    result = classification_pb2.ClassificationResult(
        classifications=[
            {"classes": [{"label": label, "score": score} for label, score in zip(labels, row, strict=True)]} for row in rows
        ]
    )
    best = [labels[max(range(len(row)), key=row.__getitem__)] for row in rows]
    by_label = {f"scores.{label}": [row[place] for row in rows] for place, label in enumerate(labels)}
    return result, {"label": best, **by_label}


@settings(deadline=None)
@given(tables(), st.data())
def test_classify_regress_and_both_at_once(table: tuple[Rows, Any, Rows], data: st.DataObject) -> None:
    rows, given, shared = table
    count, width = len(next(iter(rows.values()))), data.draw(st.integers(1, 3))
    table_of_scores = data.draw(st.lists(st.lists(scores, min_size=width, max_size=width), min_size=count, max_size=count))
    values = data.draw(st.lists(scores, min_size=count, max_size=count))
    classes, columns = classes_of(table_of_scores)
    values_of = regression_pb2.RegressionResult(regressions=[{"value": value} for value in values])

    asked = classification_pb2.ClassificationRequest(model_spec={"name": "m"}, input=given)
    batch = batch_of("Classify", asked, classification_pb2.ClassificationResponse(model_spec=MODEL, result=classes))
    assert as_lists(batch.inputs) == expected(rows | shared)
    assert as_lists(batch.outputs) == columns

    asked = regression_pb2.RegressionRequest(model_spec={"name": "m"}, input=given)
    batch = batch_of("Regress", asked, regression_pb2.RegressionResponse(model_spec=MODEL, result=values_of))
    assert as_lists(batch.inputs) == expected(rows | shared)
    assert as_lists(batch.outputs) == {"0": values}

    tasks = [{"model_spec": {"name": "m", "signature_name": name}} for name in ("c", "r")]
    asked = inference_pb2.MultiInferenceRequest(tasks=tasks, input=given)
    answered = inference_pb2.MultiInferenceResponse(
        results=[
            {"model_spec": MODEL | {"signature_name": "c"}, "classification_result": classes},
            {"model_spec": MODEL | {"signature_name": "r"}, "regression_result": values_of},
        ]
    )
    batch = batch_of("MultiInference", asked, answered)
    assert as_lists(batch.inputs) == expected(rows | shared)
    assert as_lists(batch.outputs) == {f"c.{name}": column for name, column in columns.items()} | {"r.value": values}


def test_every_datatype_of_tensorflow_that_has_values_is_read_or_known_not_to_be() -> None:
    """References, resources and variants are no values; complex numbers are no columns."""
    values = {name for name, _ in types_pb2.DataType.items() if not name.endswith("_REF")}
    assert set(BY_TYPE) == values - {"DT_INVALID", "DT_COMPLEX64", "DT_COMPLEX128", "DT_RESOURCE", "DT_VARIANT"}
