"""Raw bytes of tensors to values, and tensors to columns."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from agent.batch import Side, TensorType
from agent.decode.block import Block, NotObserved
from agent.decode.gather import side
from agent.decode.tensors import (
    NOT_TEXT,
    SMALL_VALUES,
    RawTensor,
    block_of_columns,
    numbers_of,
    part_of,
    shape_of,
    strings_of,
)
from agent.errors import DecodeError
from tests.exchanges import as_lists


def packed(code: str, *values: Any) -> bytes:
    return struct.pack(f"<{len(values)}{code}", *values)


def words(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


def columns(block: Block) -> dict[str, list[Any]]:
    return as_lists(gathered(block))


def gathered(block: Block) -> Side:
    return side(block.names, block.numeric, [block.values], block.tensors)


def read(*tensors: RawTensor) -> Block:
    return block_of_columns([part_of(tensor) for tensor in tensors])


@pytest.mark.parametrize(
    ("datatype", "data", "values"),
    [
        ("BOOL", b"\x00\x01\x02", [0.0, 1.0, 1.0]),
        ("UINT8", b"\x00\xff", [0.0, 255.0]),
        ("UINT16", packed("H", 0, 65535), [0.0, 65535.0]),
        ("UINT32", packed("I", 0, 2**32 - 1), [0.0, 2.0**32 - 1]),
        ("UINT64", packed("Q", 1, 2**64 - 1), [1.0, 2.0**64]),
        ("INT8", packed("b", -128, 127), [-128.0, 127.0]),
        ("INT16", packed("h", -(2**15), 2**15 - 1), [-(2.0**15), 2.0**15 - 1]),
        ("INT32", packed("i", -(2**31), 7), [-(2.0**31), 7.0]),
        ("INT64", packed("q", -(2**53), 2**53), [-(2.0**53), 2.0**53]),
        ("FP16", packed("e", 1.5, -2.0), [1.5, -2.0]),
        ("FP32", packed("f", 0.1), [float(np.float32(0.1))]),
        ("FP64", packed("d", 0.1, -0.0), [0.1, -0.0]),
        ("BF16", b"\x80\x3f\x49\x40", [1.0, 3.140625]),
    ],
)
def test_every_datatype_becomes_float64(datatype: str, data: bytes, values: list[float]) -> None:
    got = numbers_of(datatype, data, len(values))
    assert got.dtype == np.float64
    assert got.tolist() == values
    assert got.flags.owndata


def test_bytes_are_text_and_what_is_no_text_is_not_missing() -> None:
    data = words(b"Bern", b"", "Zürich".encode(), b"\xff\xd8\x00", b"a\x00b")
    assert strings_of(data, 5) == ["Bern", "", "Zürich", NOT_TEXT, "a\x00b"]
    assert strings_of(memoryview(data), 5) == strings_of(data, 5)


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 1),
        (b"\x00\x00\x00", 1),
        (words(b"a"), 2),
        (words(b"a", b"b"), 1),
        (words(b"abcdefgh")[:-1], 1),
        (struct.pack("<I", 2**32 - 1) + b"abcd", 2),
        (words(b"a") + b"\x00\x00\x00", 1),
        (words(b"abcdefgh")[:8] + b"", 2),
        (b"", 10**30),
    ],
)
def test_bytes_of_another_length_are_refused(data: bytes, count: int) -> None:
    with pytest.raises(DecodeError) as error:
        strings_of(data, count)
    assert error.value.reason == "size"


@pytest.mark.parametrize(("datatype", "data", "count"), [("FP32", bytes(8), 3), ("FP64", b"", 10**30), ("BF16", bytes(3), 1)])
def test_numbers_of_another_size_are_refused(datatype: str, data: bytes, count: int) -> None:
    with pytest.raises(DecodeError) as error:
        numbers_of(datatype, data, count)
    assert error.value.reason == "size"


@pytest.mark.parametrize("datatype", ["", "FP8", "fp32", "BYTES"])
def test_datatypes_that_are_no_numbers_are_refused(datatype: str) -> None:
    with pytest.raises(DecodeError) as error:
        numbers_of(datatype, bytes(4), 1)
    assert error.value.reason == "datatype"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((-1, 2), "shape"), ((1,) * 9, "shape"), ((0, 4), "no_rows"), ((4, 0), "no_rows")],
)
def test_shapes_without_a_table(shape: Sequence[int], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        shape_of(shape)
    assert error.value.reason == reason
    assert isinstance(error.value, NotObserved) == (reason != "shape")


def test_one_matrix_is_columns_by_position() -> None:
    block = read(RawTensor("x", "FP32", (2, 3), packed("f", 1, 2, 3, 4, 5, 6)))
    assert block.names == 3
    assert block.tensors == (TensorType("x", "FP32", (3,)),)
    assert columns(block) == {"0": [1.0, 4.0], "1": [2.0, 5.0], "2": [3.0, 6.0]}


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 1, 1)])
def test_one_vector_is_a_named_column(shape: tuple[int, ...]) -> None:
    assert columns(read(RawTensor("x", "INT8", shape, b"\x01\xff"))) == {"x": [1.0, -1.0]}


def test_no_dimension_is_one_value() -> None:
    assert columns(read(RawTensor("x", "UINT8", (), b"\x07"))) == {"x": [7.0]}


def test_several_tensors_get_their_names() -> None:
    block = read(
        RawTensor("age", "INT64", (2,), packed("q", 30, 40)),
        RawTensor("city", "BYTES", (2, 1), words(b"Bern", b"Zug")),
        RawTensor("new", "BOOL", (2,), b"\x01\x00"),
        RawTensor("probs", "FP64", (2, 2), packed("d", 0.25, 0.75, 0.5, float("nan"))),
    )
    assert columns(block) == {
        "age": [30.0, 40.0], "city": ["Bern", "Zug"], "new": [True, False], "probs[0]": [0.25, 0.5], "probs[1]": [0.75, None],
    }  # fmt: skip
    assert [tensor.shape for tensor in block.tensors] == [(), (1,), (), (2,)]


def test_one_matrix_of_text_is_columns_by_position() -> None:
    block = read(RawTensor("x", "BYTES", (2, 2), words(b"a", b"b", b"c", b"d")))
    assert columns(block) == {"0": ["a", "c"], "1": ["b", "d"]}


@pytest.mark.parametrize("rows", [1, SMALL_VALUES // 3, SMALL_VALUES // 3 + 1, 2000])
def test_large_tables_are_turned_and_small_ones_packed(rows: int) -> None:
    one, two = np.arange(rows, dtype=np.int16), np.arange(2.0 * rows, dtype=np.float32).reshape(rows, 2)
    block = read(RawTensor("a", "INT16", (rows,), one.tobytes()), RawTensor("b", "FP32", (rows, 2), two.tobytes()))
    assert isinstance(block.values, bytes) == (3 * rows <= SMALL_VALUES)
    assert columns(block) == {"a": one.tolist(), "b[0]": two[:, 0].tolist(), "b[1]": two[:, 1].tolist()}


def test_signalling_nans_are_nans_without_a_warning() -> None:
    raw = b"\x01\x00\x80\x7f"
    assert np.isnan(numbers_of("FP32", raw, 1)).all()
    assert columns(read(RawTensor("x", "FP32", (1,), raw))) == {"x": [None]}


def parts(*values: tuple[str, int, Any]) -> list[Any]:
    return [(TensorType(name, "FP64", ()), rows, np.array(data)) for name, rows, data in values]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([], "no_rows"),
        (parts(("a", 2, [1.0, 2.0]), ("b", 1, [1.0])), "shape"),
        (parts(("a", 2, [1.0, 2.0, 3.0])), "shape"),
        (parts(("a", 0, [])), "shape"),
        (parts(("a", 1, [1.0]), ("a", 1, [1.0])), "duplicate_names"),
        (parts(("a", 1, [1.0, 2.0]), ("a[1]", 1, [1.0])), "duplicate_names"),
        (parts(("a" * 257, 1, [1.0, 2.0]), ("b", 1, [1.0])), "name_too_long"),
        (parts(("a", 1, [1.0] * 10_001)), "too_many_columns"),
    ],
)
def test_what_is_no_table_is_refused(given: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        block_of_columns(given)
    assert error.value.reason == reason


def test_a_block_says_what_it_is_of() -> None:
    block = block_of_columns(parts(("a", 1, [1.0])), "2", "m", "id-1")
    assert (block.version, block.model, block.id) == ("2", "m", "id-1")


@pytest.mark.parametrize(
    "begin", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\x10\x00\x00\x00WEBP", b"BM\xff\0\0\0\0\0\0\0"]
)
def test_image_files_are_text_of_one_character_a_byte(begin: bytes) -> None:
    image = begin + bytes(range(256))
    (text,) = strings_of(words(image), 1)
    assert text.encode("latin-1") == image


def test_wide_tensors_are_tables_beside_named_columns() -> None:
    image = np.arange(2 * 65 * 64, dtype=np.float32)
    wide = (TensorType("img", "FP32", (65, 64)), 2, image)
    alone = block_of_columns([wide])
    assert (alone.names, alone.rows, alone.values, alone.tensors) == ((), 2, b"", ())
    assert alone.tables[0].values.dtype == np.float32
    assert (alone.tables[0].values == image.reshape(2, -1)).all()
    vector = (TensorType("x", "FP64", (2,)), 2, np.arange(4.0))
    block = block_of_columns([vector, wide, (TensorType("age", "INT8", ()), 2, (1, 2))])
    assert block.names == ("x[0]", "x[1]", "age")
    assert [table.tensor.name for table in block.tables] == ["img"]
    assert block_of_columns([wide, vector]).names == ("x[0]", "x[1]")


def wide_parts(*widths: int, rows: int = 2) -> list[Any]:
    return [
        (TensorType(f"t{at}", "FP32", (width,)), rows, np.arange(rows * width, dtype=np.float32) + at)
        for at, width in enumerate(widths)
    ]


def test_tensors_that_are_too_wide_together_are_tables_from_the_widest_on() -> None:
    block = block_of_columns(wide_parts(1, 6000, 7000, 6000, 2))
    assert [table.tensor.name for table in block.tables] == ["t1", "t2", "t3"]
    assert block.names == ("t0", "t4[0]", "t4[1]")
    assert block.tables[0].values.tolist() == (np.arange(12_000.0) + 1).reshape(2, 6000).tolist()


def test_as_few_as_need_be_are_tables() -> None:
    block = block_of_columns(wide_parts(4000, 5000, 3000))
    assert [table.tensor.name for table in block.tables] == ["t1"]
    assert block.width == 7000


def test_what_stays_beside_one_that_is_too_wide_alone_may_be_too_wide_together() -> None:
    block = block_of_columns(wide_parts(20_000, 6000, 6000))
    assert (block.names, [table.tensor.name for table in block.tables]) == ((), ["t0", "t1", "t2"])


def test_texts_stay_columns_where_numbers_can_be_tables() -> None:
    texts = (TensorType("text", "BYTES", (6000,)), 2, ["a"] * 12_000)
    block = block_of_columns([texts, *wide_parts(5000)])
    assert [table.tensor.name for table in block.tables] == ["t0"]
    assert block.width == 6000


@pytest.mark.parametrize("widths", [(1,) * 10_001, (11,) * 1000])
def test_many_narrow_tensors_are_no_tables(widths: tuple[int, ...]) -> None:
    with pytest.raises(DecodeError) as error:
        block_of_columns(wide_parts(*widths))
    assert error.value.reason == "too_many_columns"
