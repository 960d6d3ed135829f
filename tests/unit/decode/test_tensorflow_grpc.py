"""TensorFlow Serving over gRPC."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from agent.batch import Batch, TensorType
from agent.decode.block import MAX_COLUMNS, MAX_FLATTENED, MAX_PADDED_CELLS, MAX_REPEATED_CELLS, MAX_ROWS, NotObserved
from agent.decode.decoder import Decoded, Decoder
from agent.decode.proto import tensorflow_serving_pb2 as pb
from agent.decode.tensorflow_grpc import (
    MAX_EXAMPLES,
    read_classes,
    read_examples,
    read_multi_inference_outputs,
    read_predict_inputs,
    read_values,
)
from agent.decode.tensorflow_tensor import ENCODINGS
from agent.decode.tensors import NOT_TEXT
from agent.errors import DecodeError
from tests.exchanges import as_lists
from tests.grpc_captures import grpc_exchange

SERVICE = "tensorflow.serving.PredictionService"


def spec(name: str = "m", *, version: int | None = None, label: str = "", signature: str = "") -> Any:
    if label:
        return pb.ModelSpec(name=name, version_label=label, signature_name=signature)
    return pb.ModelSpec(name=name, version=None if version is None else pb.Int64Value(value=version), signature_name=signature)


def tensor(datatype: str, shape: list[int], **values: Any) -> Any:
    dims = pb.TensorShapeProto(dim=[pb.TensorShapeProto.Dim(size=size) for size in shape])
    return pb.TensorProto(dtype=pb.DataType.Value(datatype), tensor_shape=dims, **values)


def predict(inputs: dict[str, Any], model: Any = None) -> bytes:
    message: bytes = pb.PredictRequest(model_spec=model or spec(), inputs=inputs).SerializeToString()
    return message


def framed(message: bytes) -> bytes:
    return struct.pack(">BI", 0, len(message)) + message


def call(method: str, asked: bytes, answered: Any) -> Decoded:
    return Decoder().decode([grpc_exchange(method, framed(asked), framed(answered.SerializeToString()), service=SERVICE)])


def batch_of(method: str, asked: bytes, answered: Any) -> Batch:
    result = call(method, asked, answered)
    assert (result.undecoded, result.unobserved) == ({}, {})
    (batch,) = result.batches
    assert batch.format == "tensorflow-serving"
    return batch


ANSWER = pb.PredictResponse(model_spec=spec(version=3), outputs={"y": tensor("DT_FLOAT", [1], float_val=[0.5])})


def inputs_of(**inputs: Any) -> dict[str, list[Any]]:
    return as_lists(batch_of("Predict", predict(inputs), ANSWER).inputs)


def reason_of(message: bytes, read: Any = read_predict_inputs) -> str:
    with pytest.raises(DecodeError) as caught:
        read(message)
    return ("not observed: " if isinstance(caught.value, NotObserved) else "") + caught.value.reason


LISTED: list[tuple[str, str, list[Any], list[Any]]] = [
    ("DT_FLOAT", "float_val", [0.5, -2], [0.5, -2]),
    ("DT_DOUBLE", "double_val", [0.1, 1e300], [0.1, 1e300]),
    ("DT_HALF", "half_val", [0x3C00, 0xC000], [1, -2]),
    ("DT_BFLOAT16", "half_val", [0x3F80, 0xC000], [1, -2]),
    ("DT_INT8", "int_val", [-1, 2], [-1, 2]),
    ("DT_INT16", "int_val", [-1, 2], [-1, 2]),
    ("DT_INT32", "int_val", [-(2**31), 2], [-(2**31), 2]),
    ("DT_UINT8", "int_val", [1, 255], [1, 255]),
    ("DT_UINT16", "int_val", [1, 65535], [1, 65535]),
    ("DT_QINT8", "int_val", [-1, 2], [-1, 2]),
    ("DT_QINT16", "int_val", [-1, 2], [-1, 2]),
    ("DT_QINT32", "int_val", [-1, 2], [-1, 2]),
    ("DT_QUINT8", "int_val", [1, 2], [1, 2]),
    ("DT_QUINT16", "int_val", [1, 2], [1, 2]),
    ("DT_INT64", "int64_val", [-(2**53), 2], [-(2**53), 2]),
    ("DT_UINT32", "uint32_val", [1, 2**32 - 1], [1, 2**32 - 1]),
    ("DT_UINT64", "uint64_val", [1, 2**53], [1, 2**53]),
    ("DT_BOOL", "bool_val", [True, False], [True, False]),
    ("DT_STRING", "string_val", ["ö".encode(), b"\xff"], ["ö", NOT_TEXT]),
]


def test_every_datatype_is_in_the_table_of_the_test() -> None:
    assert {datatype for datatype, _, _, _ in LISTED} == {*ENCODINGS, "DT_STRING"}


@pytest.mark.parametrize(("datatype", "field", "written", "read"), LISTED)
def test_values_one_by_one(datatype: str, field: str, written: list[Any], read: list[Any]) -> None:
    batch = batch_of("Predict", predict({"x": tensor(datatype, [2], **{field: written})}), ANSWER)
    assert as_lists(batch.inputs) == {"x": read}
    assert batch.inputs.tensors == (TensorType("x", datatype, ()),)


@pytest.mark.parametrize(("datatype", "field", "written", "read"), LISTED)
def test_the_last_value_fills_the_shape(datatype: str, field: str, written: list[Any], read: list[Any]) -> None:
    assert inputs_of(x=tensor(datatype, [3], **{field: written[:1]})) == {"x": read[:1] * 3}
    assert inputs_of(x=tensor(datatype, [4], **{field: written})) == {"x": [read[0], *read[1:] * 3]}


def test_no_values_are_zeros_and_empty_texts() -> None:
    assert inputs_of(x=tensor("DT_FLOAT", [2])) == {"x": [0, 0]}
    assert inputs_of(x=tensor("DT_HALF", [2])) == {"x": [0, 0]}
    assert inputs_of(x=tensor("DT_BOOL", [2])) == {"x": [False, False]}
    assert inputs_of(x=tensor("DT_STRING", [2])) == {"x": ["", ""]}


CONTENT = [
    ("DT_FLOAT", "<2f"), ("DT_DOUBLE", "<2d"), ("DT_HALF", "<2e"), ("DT_INT8", "<2b"), ("DT_INT16", "<2h"), ("DT_INT32", "<2i"),
    ("DT_INT64", "<2q"), ("DT_UINT8", "<2B"), ("DT_UINT16", "<2H"), ("DT_UINT32", "<2I"), ("DT_UINT64", "<2Q"),
    ("DT_QINT8", "<2b"), ("DT_QINT16", "<2h"), ("DT_QINT32", "<2i"), ("DT_QUINT8", "<2B"), ("DT_QUINT16", "<2H"),
    ("DT_BOOL", "<2?"),
]  # fmt: skip


@pytest.mark.parametrize(("datatype", "layout"), CONTENT)
def test_values_as_they_lie_in_memory(datatype: str, layout: str) -> None:
    values = [True, False] if datatype == "DT_BOOL" else [3, 1]
    content = struct.pack(layout, *values)
    assert inputs_of(x=tensor(datatype, [2, 1], tensor_content=content)) == {"x": values}
    assert reason_of(predict({"x": tensor(datatype, [3], tensor_content=content)})) == "size"


def test_bfloat16_in_memory() -> None:
    assert inputs_of(x=tensor("DT_BFLOAT16", [2], tensor_content=b"\x80\x3f\x00\xc0")) == {"x": [1, -2]}


def test_texts_in_memory() -> None:
    content = b"\x01\x00\xac\x02" + b"a" + b"x" * 300
    assert inputs_of(x=tensor("DT_STRING", [3], tensor_content=content)) == {"x": ["a", "", "x" * 300]}
    for bad in (content[:-1], content + b"a", b"\xff" * 9, b"\x01\x01", b"\x80", b"\x05\x01\x01abcdefg\xff\xff\xff\xff\xff"):
        assert reason_of(predict({"x": tensor("DT_STRING", [3], tensor_content=bad)})) == "size"


def test_rows_and_columns() -> None:
    assert inputs_of(x=tensor("DT_INT32", [2, 3], int_val=range(6))) == {"0": [0, 3], "1": [1, 4], "2": [2, 5]}
    assert inputs_of(x=tensor("DT_INT32", [2, 2, 2], int_val=range(8))) == {"0": [0, 4], "1": [1, 5], "2": [2, 6], "3": [3, 7]}


def test_columns_are_sorted_by_name() -> None:
    names = ["b", "a", "ab", "c", "0"]
    asked = predict({name: tensor("DT_INT64", [1], int64_val=[at]) for at, name in enumerate(names)})
    batch = batch_of("Predict", asked, ANSWER)
    assert batch.inputs.names == tuple(sorted(names))
    assert as_lists(batch.inputs)["ab"] == [2]


def test_tensors_without_dimensions_belong_to_every_row() -> None:
    flag, text = tensor("DT_BOOL", [], bool_val=[True]), tensor("DT_STRING", [], string_val=[b"t"])
    rate = tensor("DT_FLOAT", [], float_val=[0.5])
    given = tensor("DT_INT32", [3], int_val=[1, 2, 3])
    assert inputs_of(a=flag, b=text, c=rate, x=given) == {"a": [True] * 3, "b": ["t"] * 3, "c": [0.5] * 3, "x": [1, 2, 3]}
    assert inputs_of(a=flag, c=rate) == {"a": [True], "c": [0.5]}
    assert inputs_of(c=rate) == {"c": [0.5]}
    many = predict({"x": tensor("DT_INT8", [MAX_ROWS], int_val=[1]), **dict.fromkeys("abc", rate)})
    assert reason_of(many) == "too_many_values"


def test_model_and_version() -> None:
    x = {"x": tensor("DT_FLOAT", [1], float_val=[1])}
    asked = [predict(x, given) for given in (spec(), spec(version=0), spec(version=2), spec(label="canary"))]
    batches = [batch_of("Predict", message, ANSWER) for message in asked]
    assert [(batch.model, batch.version) for batch in batches] == [("m", "3"), ("m", "0"), ("m", "2"), ("m", "canary")]
    assert as_lists(batches[0].outputs) == {"y": [0.5]}


HUGE = 10**9
FAULTS: dict[str, list[Any]] = {
    "datatype": [
        *[tensor(name, [1]) for name in ("DT_INVALID", "DT_COMPLEX64", "DT_COMPLEX128")],
        pb.TensorProto.FromString(b"\x08\x63"),
    ],
    "shape": [
        tensor("DT_FLOAT", [1], float_val=[1, 2]), tensor("DT_STRING", [1], string_val=[b"", b""]), tensor("DT_FLOAT", [-1]),
        tensor("DT_FLOAT", [2, -1], float_val=[1]), tensor("DT_FLOAT", [1] * 9), tensor("DT_FLOAT", [1] * 5000),
        pb.TensorProto(dtype="DT_FLOAT", tensor_shape=pb.TensorShapeProto(unknown_rank=True)),
    ],
    "too_many_rows": [
        tensor("DT_FLOAT", [HUGE], float_val=[1]), tensor("DT_STRING", [MAX_ROWS + 1]), tensor("DT_FLOAT", [2**62, 2**62]),
    ],
    "too_many_values": [
        tensor("DT_FLOAT", [1, HUGE], float_val=[1]), tensor("DT_STRING", [1000, 2**20], string_val=[b"x"]),
        tensor("DT_STRING", [MAX_REPEATED_CELLS + 1]),
        tensor("DT_INT8", [MAX_ROWS, 3], int_val=[1, 2]), tensor("DT_HALF", [1, MAX_PADDED_CELLS + 1]),
    ],
    "size": [
        tensor("DT_FLOAT", [HUGE // 1000, HUGE], tensor_content=b"1234"), tensor("DT_STRING", [1, HUGE], tensor_content=b"ab"),
    ],
    "not observed: no_rows": [tensor("DT_FLOAT", [0]), tensor("DT_FLOAT", [3, 0])],
    "not observed: too_wide": [
        tensor("DT_FLOAT", [1, 100, 100]), tensor("DT_FLOAT", [1, MAX_COLUMNS + 1]),
        tensor("DT_BOOL", [1, 100, 100], tensor_content=bytes(10_000)),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "given"), [pytest.param(reason, given, id=reason) for reason, tensors in FAULTS.items() for given in tensors]
)
def test_faults_are_counted(reason: str, given: Any) -> None:
    assert reason_of(predict({"x": given})) == reason


def test_requests_that_cannot_be_read() -> None:
    assert reason_of(b"\xff") == "protobuf"
    assert reason_of(b"") == "not observed: no_rows"
    two, three = tensor("DT_FLOAT", [2], float_val=[1]), tensor("DT_FLOAT", [3], float_val=[1])
    assert reason_of(predict({"a": two, "b": three})) == "shape"


def example(**features: Any) -> Any:
    def feature(values: list[Any]) -> Any:
        if values and isinstance(values[0], float):
            return pb.Feature(float_list=pb.FloatList(value=values))
        if values and isinstance(values[0], int):
            return pb.Feature(int64_list=pb.Int64List(value=values))
        return pb.Feature(bytes_list=pb.BytesList(value=values)) if values else pb.Feature()

    return pb.Example(features=pb.Features(feature={name: feature(values) for name, values in features.items()}))


def examples(*rows: Any, context: Any = None) -> bytes:
    if context is None:
        given = pb.Input(example_list=pb.ExampleList(examples=rows))
    else:
        given = pb.Input(example_list_with_context=pb.ExampleListWithContext(examples=rows, context=context))
    message: bytes = pb.ExamplesRequest(model_spec=spec(version=1), input=given).SerializeToString()
    return message


REGRESSED = pb.RegressionResponse(
    model_spec=spec(version=1), result=pb.RegressionResult(regressions=[pb.Regression(value=0.5), pb.Regression()])
)


def features_of(*rows: Any, context: Any = None) -> dict[str, list[Any]]:
    return as_lists(batch_of("Regress", examples(*rows, context=context), REGRESSED).inputs)


def test_examples_are_rows_and_regressions_are_numbers() -> None:
    batch = batch_of("Regress", examples(example(b=[2.5], a=[1]), example(a=[3], b=[4.5])), REGRESSED)
    assert (batch.model, batch.version, batch.inputs.names) == ("m", "1", ("a", "b"))
    assert as_lists(batch.inputs) == {"a": [1, 3], "b": [2.5, 4.5]}
    assert as_lists(batch.outputs) == {"0": [0.5, 0]}


def test_features_of_every_kind() -> None:
    assert features_of(example(a=[1], b=[b"x"], c=[0.5]), example(a=[2], b=[b"\xff"], c=[1.5])) == {
        "a": [1, 2], "b": ["x", NOT_TEXT], "c": [0.5, 1.5],
    }  # fmt: skip


def test_features_that_lack_or_are_empty_are_missing() -> None:
    assert features_of(example(a=[1], b=[b"x"]), example(a=[], b=[])) == {"a": [1, None], "b": ["x", None]}
    assert features_of(example(a=[1]), example(b=[2.5])) == {"a": [1, None], "b": [None, 2.5]}


def test_features_of_several_values() -> None:
    expected = {"a[0]": [1, 3], "a[1]": [2, None], "b": [5, 6]}
    assert features_of(example(a=[1, 2], b=[5]), example(a=[3], b=[6])) == expected


def test_features_of_the_context_are_in_every_row() -> None:
    assert features_of(example(a=[1]), example(a=[2]), context=example(q=[b"x"])) == {"a": [1, 2], "q": ["x", "x"]}


def test_examples_that_cannot_be_read() -> None:
    assert reason_of(examples(), read_examples) == "not observed: no_rows"
    assert reason_of(b"", read_examples) == "not observed: no_rows"
    assert reason_of(examples(example()), read_examples) == "no_columns"
    assert reason_of(examples(example(a=[b"1"] * 5000)), read_examples) == "not observed: too_wide"
    assert reason_of(b"\x12", read_examples) == "protobuf"


def classified(*rows: list[tuple[str, float]]) -> Any:
    found = [pb.Classifications(classes=[pb.Class(label=label, score=score) for label, score in row]) for row in rows]
    return pb.ClassificationResponse(model_spec=spec(version=5), result=pb.ClassificationResult(classifications=found))


def classes_of(*rows: list[tuple[str, float]]) -> dict[str, list[Any]]:
    asked = examples(*[example(a=[at]) for at in range(len(rows))])
    return as_lists(batch_of("Classify", asked, classified(*rows)).outputs)


def test_classes() -> None:
    assert classes_of([("cat", 0.25), ("dog", 0.75)], [("cat", 0.5), ("dog", 0.0)]) == {
        "label": ["dog", "cat"], "scores.cat": [0.25, 0.5], "scores.dog": [0.75, 0.0],
    }  # fmt: skip
    assert classes_of([("cat", 0.25)]) == {"label": ["cat"], "scores.cat": [0.25]}


def test_the_best_classes_of_each_row() -> None:
    assert classes_of([("a", 0.5)], [("b", 0.5)]) == {"label": ["a", "b"], "scores.a": [0.5, None], "scores.b": [None, 0.5]}


@pytest.mark.parametrize("label", ["", "same"])
def test_classes_that_labels_do_not_tell_apart(label: str) -> None:
    assert classes_of([(label, 0.25), (label, 0.75)]) == {"scores[0]": [0.25], "scores[1]": [0.75]}


def test_answers_that_cannot_be_read() -> None:
    for read in (read_classes, read_values, read_multi_inference_outputs):
        assert reason_of(b"", read) == "not observed: no_rows"
        assert reason_of(b"\xff", read) == "protobuf"


def test_multi_inference() -> None:
    given = pb.Input(example_list=pb.ExampleList(examples=[example(a=[1]), example(a=[2])]))
    tasks = [pb.InferenceTask(model_spec=spec(signature="c")), pb.InferenceTask(model_spec=spec(signature="r"))]
    asked = pb.MultiInferenceRequest(tasks=tasks, input=given).SerializeToString()
    classes = classified([("x", 0.5)], [("x", 0.25)]).result
    answered = pb.MultiInferenceResponse(results=[
        pb.InferenceResult(model_spec=spec(version=2, signature="c"), classification_result=classes),
        pb.InferenceResult(model_spec=spec(version=2, signature="r"), regression_result=REGRESSED.result),
    ])  # fmt: skip
    batch = batch_of("MultiInference", asked, answered)
    assert (batch.model, batch.version) == ("m", "2")
    assert as_lists(batch.inputs) == {"a": [1, 2]}
    assert as_lists(batch.outputs) == {"c.label": ["x", "x"], "c.scores.x": [0.5, 0.25], "r.value": [0.5, 0]}


def test_results_that_signatures_do_not_tell_apart() -> None:
    result = pb.InferenceResult(regression_result=REGRESSED.result)
    block = read_multi_inference_outputs(pb.MultiInferenceResponse(results=[result, result]).SerializeToString())
    assert (block.names, block.values) == (("0.value", "1.value"), np.array([0.5, 0.5, 0, 0]).tobytes())
    other = pb.InferenceResult(regression_result=pb.RegressionResult(regressions=REGRESSED.result.regressions[:1]))
    message = pb.MultiInferenceResponse(results=[result, other]).SerializeToString()
    assert reason_of(message, read_multi_inference_outputs) == "shape"
    too_many = pb.MultiInferenceResponse(results=[pb.InferenceResult()] * (MAX_COLUMNS + 1)).SerializeToString()
    assert reason_of(too_many, read_multi_inference_outputs) == "too_many_columns"


def test_messages_of_many_empty_things_are_refused() -> None:
    assert reason_of(examples(*[example()] * (MAX_EXAMPLES + 1)), read_examples) == "too_many_rows"
    assert reason_of(classified(*[[]] * (MAX_EXAMPLES + 1)).SerializeToString(), read_classes) == "too_many_rows"
    assert reason_of(classified([("", 0)] * (MAX_FLATTENED + 1)).SerializeToString(), read_classes) == "not observed: too_wide"


@pytest.mark.parametrize("values", [[1, 2, 3, 4], [1.0] * 4, [b""] * 4])
def test_a_context_is_not_copied_without_bounds(values: list[Any]) -> None:
    rows = [example()] * (MAX_REPEATED_CELLS // 4 + 1)
    assert reason_of(examples(*rows, context=example(c=values)), read_examples) == "too_many_values"
