"""Open Inference (V2) JSON tensors."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from agent.batch import TensorType
from agent.decode.decoder import Decoder
from agent.decode.json_arrays import LARGE_BODY
from agent.decode.open_inference import read_inputs, read_outputs
from agent.decode.open_inference_large import large_inputs
from agent.decode.tensors import NOT_TEXT
from agent.errors import DecodeError
from tests.exchanges import as_lists, json_exchange, kinds

INFER = "/v2/models/m/infer"


def tensor(name: str, shape: list[int], data: Any, datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


ANSWER = {"model_name": "m", "model_version": "7", "outputs": [tensor("y", [1], [1], "INT64")]}


def inputs_of(*tensors: dict[str, Any], **more: Any) -> Any:
    result = Decoder().decode([json_exchange(INFER, {"inputs": list(tensors), **more}, ANSWER)])
    assert not result.undecoded
    assert not result.unobserved
    (batch,) = result.batches
    return batch.inputs


@pytest.mark.parametrize("data", [[1, 2.5, None, 4], [[1, 2.5], [None, 4]]])
def test_one_matrix_is_columns_by_position(data: Any) -> None:
    side = inputs_of(tensor("x", [2, 2], data))
    assert side.positional
    assert as_lists(side) == {"0": [1.0, None], "1": [2.5, 4.0]}


@pytest.mark.parametrize(("shape", "data"), [([3], [1, 2, 3]), ([3, 1], [1, 2, 3]), ([3, 1], [[1], [2], [3]])])
def test_one_vector_is_a_named_column(shape: list[int], data: Any) -> None:
    side = inputs_of(tensor("x", shape, data))
    assert not side.positional
    assert as_lists(side) == {"x": [1.0, 2.0, 3.0]}


def test_vectors_are_named_columns() -> None:
    side = inputs_of(
        tensor("age", [2], [30, None]),
        tensor("city", [2, 1], ["Bern", "Zug"], "BYTES"),
        tensor("new", [2], [True, False], "BOOL"),
        parameters={"content_type": "pd"},
    )
    assert as_lists(side) == {"age": [30.0, None], "city": ["Bern", "Zug"], "new": [True, False]}
    assert kinds(side) == ["f", "O", "O"]


def test_single_values_as_vectors() -> None:
    assert as_lists(inputs_of(tensor("a", [1], [1]), tensor("b", [1, 1], [2]))) == {"a": [1.0], "b": [2.0]}
    assert as_lists(inputs_of(tensor("a", [1, 1], [[1]]), tensor("b", [1, 1], [[None]]))) == {"a": [1.0], "b": [None]}


def test_matrices_among_vectors_get_indexed_names() -> None:
    side = inputs_of(tensor("label", [2, 1], [0, 2]), tensor("probs", [2, 2], [1.0, 0.0, 0.25, 0.75]))
    assert as_lists(side) == {"label": [0.0, 2.0], "probs[0]": [1.0, 0.25], "probs[1]": [0.0, 0.75]}


def test_deeper_tensors_are_flattened() -> None:
    for data in ([1, 2, 3, 4, 5, 6, 7, 8], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]):
        assert as_lists(inputs_of(tensor("x", [2, 2, 2], data))) == {
            "0": [1.0, 5.0],
            "1": [2.0, 6.0],
            "2": [3.0, 7.0],
            "3": [4.0, 8.0],
        }


def test_mlserver_reads_only_the_first_input_as_an_array() -> None:
    tensors = [tensor("x", [1, 2], [1, 2]), tensor("z", [3], [1, 2, 3])]
    assert as_lists(inputs_of(*tensors, parameters={"content_type": "np"})) == {"0": [1.0], "1": [2.0]}
    words = [tensor("x", [1], ["a"], "BYTES"), tensor("z", [3], [1, 2, 3])]
    assert as_lists(inputs_of(*words, parameters={"content_type": "str"})) == {"x": ["a"]}


def test_the_answer_says_the_version_if_the_path_does_not() -> None:
    question = {"inputs": [tensor("x", [1], [1])]}
    (batch,) = Decoder().decode([json_exchange(INFER, question, ANSWER)]).batches
    assert (batch.model, batch.version) == ("m", "7")
    (batch,) = Decoder().decode([json_exchange("/v2/models/m/versions/3/infer", question, ANSWER)]).batches
    assert batch.version == "3"
    (batch,) = Decoder().decode([json_exchange(INFER, question, {**ANSWER, "model_version": None})]).batches
    assert batch.version == ""


def test_a_batch_tells_ids_datatypes_and_shapes() -> None:
    question = {"id": "q-1", "inputs": [tensor("x", [1, 2], [1, 2], "FP32"), tensor("s", [1, 1], ["a"], "BYTES")]}
    (batch,) = Decoder().decode([json_exchange(INFER, question, ANSWER)]).batches
    assert batch.ids == ("q-1",)
    assert batch.inputs.tensors == (TensorType("x", "FP32", (2,)), TensorType("s", "BYTES", (1,)))
    assert batch.outputs.tensors == (TensorType("y", "INT64", ()),)
    plain = {"inputs": [{"name": "x", "shape": [1, 2], "data": [1, 2]}]}
    (batch,) = Decoder().decode([json_exchange(INFER, plain, {**ANSWER, "id": "a-1"})]).batches
    assert batch.ids == ("a-1",)
    assert batch.inputs.tensors == (TensorType("x", "", (2,)),)


def test_the_answer_says_the_model_if_the_path_does_not() -> None:
    block = read_outputs(json.dumps(ANSWER).encode())
    assert (block.model, block.version, block.id) == ("m", "7", "")


@pytest.mark.parametrize(("written", "read"), [("7", "7"), (7, "7"), (None, ""), ({}, ""), (True, "")])
def test_names_may_be_numbers(written: Any, read: str) -> None:
    answer = {**ANSWER, "id": written, "model_name": written, "model_version": written}
    block = read_outputs(json.dumps(answer).encode())
    assert (block.model, block.version, block.id) == (read, read, read)


@pytest.mark.parametrize("rows", [1, 5000])
def test_values_win_over_what_they_say(rows: int) -> None:
    side = inputs_of(tensor("x", [rows], [1.5] * rows, "INT64"), tensor("b", [rows], [0] * rows, "BOOL"))
    assert as_lists(side) == {"x": [1.5] * rows, "b": [0.0] * rows}
    assert [one.datatype for one in side.tensors] == ["INT64", "BOOL"]


def test_text_of_mlservers_content_types() -> None:
    words = ["QmVybg==", "/9g=", "no base64", None]
    own = tensor("x", [4], words, "BYTES", parameters={"content_type": "base64"})
    when = tensor("t", [4], ["2026-11-23T10:00:00"] * 4, "BYTES", parameters={"content_type": "datetime"})
    for parameters in ({"content_type": "pd"}, {}, None):
        side = inputs_of(own, when, parameters=parameters)
        assert as_lists(side) == {"x": ["Bern", NOT_TEXT, "no base64", None], "t": ["2026-11-23T10:00:00"] * 4}
    other = tensor("x", [4], words, "BYTES", parameters={"content_type": "str"})
    assert as_lists(inputs_of(other, when, parameters={"content_type": "base64"}))["x"] == words
    bare = tensor("x", [4, 1], words, "BYTES")
    assert as_lists(inputs_of(bare, when, parameters={"content_type": "base64"}))["x"][0] == "Bern"


def test_columns_of_mixed_kinds_as_mlservers_pandas_writes_them() -> None:
    words = ['"x"', "1.5", "2", "null", "true", "x", "[1]", '{"a": 1}', "NaN", "1e999", None, 3]
    mixed = tensor("s", [12, 1], words, "BYTES", parameters={"content_type": "pd_json"})
    (column,) = as_lists(inputs_of(mixed, parameters={"content_type": "pd"})).values()
    assert column == ["x", 1.5, 2, None, True, "x", "[1]", '{"a": 1}', None, "1e999", None, 3]


def test_columns_of_mixed_kinds_that_are_numbers_are_numbers() -> None:
    side = inputs_of(tensor("s", [3, 1], ["1.5", "null", "2"], "BYTES", parameters={"content_type": "pd_json"}))
    assert side.columns[0].dtype == float
    assert as_lists(side) == {"s": [1.5, None, 2]}


def test_one_text_need_not_be_a_list() -> None:
    assert as_lists(inputs_of(tensor("x", [1], "one", "BYTES"))) == {"x": ["one"]}


@pytest.mark.parametrize("nested", [False, True])
def test_a_large_table_of_numbers_is_an_array(nested: bool) -> None:
    rows = [[row + column / 8 for column in range(5)] for row in range(1000)]
    data = rows if nested else [value for row in rows for value in row]
    message = {"id": "7", "inputs": [tensor("x", [1000, 5], data)], "outputs": [{"name": "y[0]"}]}
    body = json.dumps(message).encode()
    assert len(body) > LARGE_BODY
    block = read_inputs(body)
    assert isinstance(block.values, np.ndarray)
    assert block.values.T.tolist() == rows
    assert (block.names, block.id, block.tensors) == (5, "7", (TensorType("x", "FP64", (5,)),))
    block = read_outputs(json.dumps({"model_name": "m", "model_version": "2", "outputs": message["inputs"]}).encode())
    assert (block.model, block.version) == ("m", "2")
    assert isinstance(block.values, np.ndarray)


def test_a_large_request_for_arrays_counts_only_its_first_input() -> None:
    tensors = [tensor("x", [2500, 2], [1.5] * 5000), tensor("z", [3], [1, 2, 3])]
    side = inputs_of(*tensors, parameters={"content_type": "np"})
    assert side.positional
    assert as_lists(side) == {"0": [1.5] * 2500, "1": [1.5] * 2500}


@pytest.mark.parametrize("beside", [{}, {"parameters": {"a": [[]]}}])
def test_large_nested_data_is_read_as_flat_data_is(beside: dict[str, Any]) -> None:
    image = np.random.default_rng(1).integers(0, 256, size=(2, 60, 70, 3))
    scores = np.random.default_rng(2).normal(size=(2, 3, 4))
    blocks = []
    for nested in (True, False):
        data = [array.tolist() if nested else array.ravel().tolist() for array in (image, scores)]
        tensors = [tensor("img", [2, 60, 70, 3], data[0]), tensor("s", [2, 3, 4], data[1]), tensor("age", [2], [3, 4])]
        body = json.dumps({"id": "7", "inputs": tensors, **beside}).encode()
        block = large_inputs(body)
        assert block is not None
        assert block.names == read_inputs(body).names
        blocks.append(block)
    one, other = blocks
    assert (one.names, one.rows, one.values, one.id, one.tensors) == (other.names, 2, other.values, "7", other.tensors)
    np.testing.assert_array_equal(one.tables[0].values, image.reshape(2, -1))
    np.testing.assert_array_equal(other.tables[0].values, image.reshape(2, -1))


@pytest.mark.parametrize("last", [[[1, 2, 3], [4]], [1, 2, 3, 4], [[1, 2], 3, 4], [[[1], [2]], [3, 4]]])
def test_large_nested_data_that_is_not_regular_is_counted(last: Any) -> None:
    data = [[[1, 2], [3, 4]]] * 2999 + [last]
    body = json.dumps({"inputs": [tensor("x", [3000, 2, 2], data)]}).encode()
    assert large_inputs(body) is None
    with pytest.raises(DecodeError) as error:
        read_inputs(body)
    assert error.value.reason == "shape"


@pytest.mark.parametrize("tensors", [4, 400])
def test_many_columns_in_a_large_body(tensors: int) -> None:
    rows = 8000 // tensors
    made = {f"x{at}": [at + row / 8 for row in range(rows)] for at in range(tensors)}
    assert as_lists(inputs_of(*(tensor(name, [rows], data) for name, data in made.items()))) == made


@pytest.mark.parametrize("nested", [False, True])
def test_missing_values_in_a_large_table(nested: bool) -> None:
    rows = [[row / 8, None if row == 7 else -0.5] for row in range(2000)]
    data = rows if nested else [value for row in rows for value in row]
    side = inputs_of(tensor("x", [2000, 2], data))
    assert kinds(side) == ["f", "f"]
    assert list(as_lists(side).values()) == [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([[1, 2]] * 4998 + [[1], [1, 2, 3]], "shape"),
        ([[1, 2]] * 4999 + [1, 2], "shape"),
        ([[1, 2]] * 4999, "shape"),
        ([[1, 2]] * 4999 + [[1, [2]]], "shape"),
        ([1] * 9998 + [[1, 2]], "shape"),
        ([1] * 9997 + [[1, 2], 1], "shape"),
        ([1] * 9997 + [[1, 2], [], 3], "shape"),
    ],
)
def test_large_data_of_another_shape_is_counted(data: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_inputs(json.dumps({"inputs": [tensor("x", [5000, 2], data)]}).encode())
    assert error.value.reason == reason


@pytest.mark.parametrize("odd", [None, "x", True])
def test_large_data_with_other_values_is_read_the_complete_way(odd: Any) -> None:
    data = [1.0] * 4999 + [odd]
    assert as_lists(inputs_of(tensor("x", [5000], data))) == {"x": data}


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([tensor("x", [2, 5], [1, 2, 3])], "shape"),
        ([tensor("x", [2], [1, 2, 3])], "shape"),
        ([tensor("x", [-1, 3], [1, 2, 3])], "shape"),
        ([tensor("x", [-1, -3], [1, 2, 3])], "shape"),
        ([tensor("x", [2, 2], [[1, 2], [3]])], "shape"),
        ([tensor("x", [2, 2], [[1], [2, 3, 4]])], "shape"),
        ([tensor("x", [2, 2], [[1, 2], 3, 4])], "shape"),
        ([tensor("x", [1], [{"a": 1}])], "shape"),
        ([tensor("x", [1] * 9, [1])], "shape"),
        ([tensor("x", [2], [1, 2]), tensor("y", [3], [1, 2, 3])], "shape"),
        ([tensor("x", [1], [1]), tensor("x", [1], [2])], "duplicate_names"),
        ([tensor("x", [1], [1]), tensor("y" * 300, [1, 2], [2, 3])], "name_too_long"),
        ([tensor("x", [1, 6_000], ["a"] * 6_000), tensor("y", [1, 6_000], ["a"] * 6_000)], "too_many_columns"),
        ([tensor("x", [1, 20_000], [0] * 20_000)] * 2, "duplicate_names"),
        ([{"name": "x", "shape": [1], "datatype": "FP32"}], "fields"),
        ([{"name": "x", "data": [1]}], "fields"),
        ([tensor("x", [1.5], [1])], "fields"),  # type: ignore[list-item]  # wrong on purpose
        ([{"name": "x", "shape": [1], "parameters": {"binary_data_size": 8}}], "size"),
        ("x", "fields"),
    ],
)
def test_what_does_not_fit_is_counted(inputs: Any, reason: str) -> None:
    result = Decoder().decode([json_exchange(INFER, {"inputs": inputs}, ANSWER)])
    assert result.undecoded == {("open-inference", reason): 1}
    assert result.decoded == {"open-inference": 1}
    assert result.batches[0].inputs.rows == 0
    assert result.batches[0].outputs.rows == 1


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([{"name": "x", "shape": [1, 4], "parameters": {"shared_memory_region": "r"}}], "shared_memory"),
        ([], "no_rows"),
        ([tensor("x", [0, 4], [])], "no_rows"),
        ([tensor("x", [1, 65, 64], ["0"] * 65 * 64)], "too_wide"),
    ],
)
def test_nothing_to_see_is_not_observed(inputs: Any, reason: str) -> None:
    result = Decoder().decode([json_exchange(INFER, {"inputs": inputs}, ANSWER)])
    assert result.unobserved == {reason: 1}
    assert not result.undecoded


def test_bare_nan_in_a_tensor() -> None:
    block = read_inputs(b'{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[NaN, 1]}]}')
    assert (block.names, block.numeric, block.rows) == (("x",), True, 2)


def test_no_request_at_all() -> None:
    for body in (b"", b"{", b"[]", b"{}", b'{"inputs": 1}'):
        with pytest.raises(DecodeError):
            read_inputs(body)
