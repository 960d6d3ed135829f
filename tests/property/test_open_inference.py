"""Tensors survive Open Inference over HTTP as Triton's own client writes them, and both ways of reading JSON agree."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferResult

from agent.batch import Batch, Side
from agent.decode.block import Block
from agent.decode.decoder import Decoder
from agent.decode.gather import side
from agent.decode.open_inference import read_inputs
from agent.decode.open_inference_large import large_inputs
from agent.errors import DecodeError
from tests.exchanges import as_lists, exchange, request_bytes, response_bytes

INFER = "/v2/models/m/infer"
FLOATS = {"FP16": 16, "FP32": 32, "FP64": 64}
KINDS: dict[str, Any] = {
    **{f"{sign}INT{bits}": f"{sign}int{bits}".lower() for sign in ("", "U") for bits in (8, 16, 32, 64)},
    **{datatype: f"float{bits}" for datatype, bits in FLOATS.items()},
    "BF16": ml_dtypes.bfloat16, "BOOL": "bool", "BYTES": "object",
}  # fmt: skip
"""Every datatype, and what Triton's client takes it from."""


def elements(datatype: str) -> st.SearchStrategy[Any]:
    if datatype == "BYTES":
        return st.text(max_size=6)
    if datatype == "BOOL":
        return st.booleans()
    if "INT" in datatype:
        limits = np.iinfo(KINDS[datatype])
        return st.integers(int(limits.min), int(limits.max))
    return st.floats(width=FLOATS.get(datatype, 16))  # type: ignore[arg-type]  # one of 16, 32, 64


@st.composite
def tensors(draw: st.DrawFn) -> list[tuple[str, str, NDArray[Any]]]:
    rows = draw(st.integers(1, 4))
    names = draw(st.lists(st.text('abc xé"\\', min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
    made = []
    for name in names:
        datatype = draw(st.sampled_from(sorted(KINDS)))
        shape = (rows, *draw(st.lists(st.integers(1, 4), max_size=2)))
        count = math.prod(shape)
        values = draw(st.lists(elements(datatype), min_size=count, max_size=count))
        made.append((name, datatype, np.array(values, dtype=KINDS[datatype]).reshape(shape)))
    return made


def missing(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def columns_of(made: list[tuple[str, str, NDArray[Any]]]) -> dict[str, list[Any]]:
    """What a monitor should see."""
    columns: dict[str, list[Any]] = {}
    for name, datatype, array in made:
        table = array.reshape(len(array), -1)
        values = table if datatype in ("BOOL", "BYTES") else table.astype(np.float64)
        for at, column in enumerate(values.T.tolist()):
            key = name if table.shape[1] == 1 else str(at) if len(made) == 1 else f"{name}[{at}]"
            columns[key] = [missing(value) for value in column]
    return columns


def written(made: list[tuple[str, str, NDArray[Any]]], binary: Callable[[int], bool]) -> tuple[bytes, int | None]:
    """The body of a request as Triton's client makes it, and how much of it is JSON."""
    asked = []
    for at, (name, datatype, array) in enumerate(made):
        one = InferInput(name, list(array.shape), datatype)
        asked.append(one.set_data_from_numpy(array, binary_data=datatype == "BF16" or binary(at)))  # BF16 is binary only
    return InferenceServerClient.generate_request_body(asked, request_id="id-1")  # type: ignore[no-any-return]  # untyped


def as_answer(body: bytes, size: int | None) -> tuple[bytes, int | None]:
    """The same tensors as a server's answer."""
    message = json.loads(body[:size])
    text = json.dumps({"model_name": "m", "model_version": "3", "id": "id-1", "outputs": message["inputs"]}).encode()
    return (text, None) if size is None else (text + body[size:], len(text))


def header(size: int | None) -> str:
    return "" if size is None else f"Inference-Header-Content-Length: {size}\r\n"


def decoded(body: bytes, size: int | None) -> Batch:
    answer, answer_size = as_answer(body, size)
    media = "application/json" if size is None else "application/octet-stream"
    request = request_bytes(INFER, body, "", extra=header(size))  # the client says no content type
    result = Decoder().decode([exchange(request, response_bytes(answer, media, extra=header(answer_size)))])
    assert (result.undecoded, result.unobserved) == ({}, {})
    return result.batches[0]


def check_types(got: Side, made: list[tuple[str, str, NDArray[Any]]]) -> None:
    assert [tuple(one) for one in got.tensors] == [(name, datatype, array.shape[1:]) for name, datatype, array in made]


@settings(deadline=None)
@given(tensors(), st.lists(st.booleans(), min_size=4, max_size=4))
def test_every_datatype_in_every_mix_of_raw_and_json(made: list[tuple[str, str, NDArray[Any]]], binary: list[bool]) -> None:
    batch = decoded(*written(made, binary.__getitem__))
    assert (batch.version, batch.ids) == ("3", ("id-1",))
    for got in (batch.inputs, batch.outputs):
        assert as_lists(got) == columns_of(made)
        assert got.positional == (len(made) == 1 and made[0][2].size > len(made[0][2]))
        check_types(got, made)


@settings(deadline=None)
@given(tensors())
def test_raw_answers_read_as_the_client_reads_them(made: list[tuple[str, str, NDArray[Any]]]) -> None:
    body, size = written(made, lambda _: True)
    answer, answer_size = as_answer(body, size)
    theirs = InferResult.from_response_body(answer, header_length=answer_size)
    read = [(name, datatype, theirs.as_numpy(name)) for name, datatype, _ in made]
    read = [(name, kind, np.array([text.decode() for text in array.flat], object).reshape(array.shape))
            if kind == "BYTES" else (name, kind, array) for name, kind, array in read]  # fmt: skip
    assert as_lists(decoded(body, size).outputs) == columns_of(read)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(set(KINDS) - {"BYTES", "BOOL"})), st.integers(65, 700), st.integers(1, 40), st.booleans())
def test_large_tables_of_numbers(datatype: str, rows: int, width: int, binary: bool) -> None:
    source = np.random.default_rng(rows * width)
    array = (source.normal(size=(rows, width)) * 50 + 100).clip(0, 127).astype(KINDS[datatype])
    made = [("x", datatype, array)]
    batch = decoded(*written(made, lambda _: binary))
    assert as_lists(batch.inputs) == as_lists(batch.outputs) == columns_of(made)


@settings(max_examples=25, deadline=None)
@given(st.integers(500, 900), st.lists(st.integers(1, 4), min_size=2, max_size=3))
def test_large_json_flat_and_nested_is_the_same_table(rows: int, widths: list[int]) -> None:
    source = np.random.default_rng(rows)
    arrays = [source.normal(size=(rows, width)) for width in widths]
    blocks = []
    for nested in (False, True):
        tensors = [
            {
                "name": f"t{at}",
                "shape": list(array.shape),
                "datatype": "FP64",
                "data": (array if nested else array.ravel()).tolist(),
            }
            for at, array in enumerate(arrays)
        ]
        block = large_inputs(json.dumps({"inputs": tensors}).encode())
        assert block is not None
        blocks.append(columns(block))
    assert blocks[0] == blocks[1]
    assert [column for array in arrays for column in array.T.tolist()] == list(blocks[0].values())


def columns(block: Block) -> dict[str, list[Any]]:
    return as_lists(side(block.names, block.numeric, [block.values]))


numbers = st.one_of(st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False))
odd: st.SearchStrategy[Any] = st.one_of(numbers, numbers, numbers, st.sampled_from([None, True, "x", "[", 2**70, {}]))
data: st.SearchStrategy[Any] = st.one_of(
    st.lists(numbers, max_size=6),
    st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=4),
    st.lists(st.one_of(odd, st.lists(odd, max_size=3), st.lists(st.lists(odd, max_size=2), max_size=2)), max_size=4),
)


@st.composite
def shaped(draw: st.DrawFn) -> dict[str, Any]:
    """A tensor whose shape fits its data more often than not."""
    values = draw(data)
    width = len(values[0]) if values and isinstance(values[0], list) else 1
    shape = draw(st.sampled_from([[len(values), width], [len(values)], [len(values) // 2, 2 * width], [len(values), width, 1]]))
    name = draw(st.sampled_from(["a", "b", "c", "[", "\\"]))
    return {"name": name, "shape": shape, "datatype": "FP64", "data": values}


@settings(max_examples=400, deadline=None)
@given(
    st.lists(shaped(), max_size=3),
    st.sampled_from([{}, {"id": "7"}, {"id": 7}, {"parameters": {"content_type": "np"}}, {"outputs": [{"name": "y"}]}]),
)
def test_where_the_fast_way_reads_the_complete_way_reads_the_same(made: list[dict[str, Any]], beside: Any) -> None:
    body = json.dumps({**beside, "inputs": made}).encode()
    fast = large_inputs(body)
    try:
        complete = read_inputs(body)  # too short for the fast way
    except DecodeError:
        assert fast is None
        return
    assert fast is None or (fast.names, fast.rows, fast.id, fast.tensors, columns(fast)) == (
        complete.names, complete.rows, complete.id, complete.tensors, columns(complete),
    )  # fmt: skip
