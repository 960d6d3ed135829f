"""Open Inference (V2) JSON tensors."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.decode.open_inference import read_inputs
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


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ([tensor("x", [2, 5], [1, 2, 3])], "shape"),
        ([tensor("x", [2], [1, 2, 3])], "shape"),
        ([tensor("x", [-1, 3], [1, 2, 3])], "shape"),
        ([tensor("x", [-1, -3], [1, 2, 3])], "shape"),
        ([tensor("x", [2, 2], [[1, 2], [3]])], "shape"),
        ([tensor("x", [2, 2], [[1, 2], 3, 4])], "shape"),
        ([tensor("x", [1], [{"a": 1}])], "shape"),
        ([tensor("x", [1] * 9, [1])], "shape"),
        ([tensor("x", [2], [1, 2]), tensor("y", [3], [1, 2, 3])], "shape"),
        ([tensor("x", [1], [1]), tensor("x", [1], [2])], "duplicate_names"),
        ([tensor("x", [1], [1]), tensor("y" * 300, [1, 2], [2, 3])], "name_too_long"),
        ([tensor("x", [1, 20_000], [0] * 20_000)], "too_many_columns"),
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
        ([tensor("x", [1, 65, 64], [0] * 65 * 64)], "too_wide"),
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
