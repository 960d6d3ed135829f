"""NumPy's file format, written by numpy."""

from __future__ import annotations

import io
import pickle
import struct
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy_format

from agent.decode.gather import side
from agent.decode.npy import MAX_HEADER, read_npy
from agent.errors import DecodeError
from tests.exchanges import as_lists


def saved(array: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    npy_format.write_array(file, np.asanyarray(array), version=version, allow_pickle=True)
    return file.getvalue()


def columns(body: bytes, *, flat_is_row: bool = False) -> dict[str, list[Any]]:
    block = read_npy(body, flat_is_row=flat_is_row)
    assert isinstance(block.names, int)
    return as_lists(side(block.names, block.numeric, [block.values]))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["i1", "u1", "<i2", ">i4", "<u8", "<f2", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_every_type_order_and_version(version: tuple[int, int], dtype: str, order: Any) -> None:
    array = np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype, order=order)
    assert columns(saved(array, version)) == {"0": [1.0, 4.0], "1": [2.0, 5.0], "2": [3.0, 6.0]}


def test_one_dimension_is_a_row_or_a_column() -> None:
    assert columns(saved([1, 2]), flat_is_row=True) == {"0": [1.0], "1": [2.0]}
    assert columns(saved([1, 2])) == {"0": [1.0, 2.0]}
    assert columns(saved(7)) == {"0": [7.0]}


def test_more_dimensions_are_flattened() -> None:
    array = np.arange(12).reshape(2, 3, 2)
    for order in ("C", "F"):
        body = saved(np.asarray(array, order=order))
        assert list(columns(body).values()) == array.reshape(2, 6).T.tolist()
    assert read_npy(saved(array), flat_is_row=True).tensors[0] == ("", "int64", (3, 2))


def test_booleans_and_texts() -> None:
    assert columns(saved([[True, False]])) == {"0": [True], "1": [False]}
    assert columns(saved([["a", "größer 😀"], ["", "b"]])) == {"0": ["a", ""], "1": ["größer 😀", "b"]}
    assert columns(saved([[b"a", b"\xff"]])) == {"0": ["a"], "1": ["(bytes)"]}
    assert read_npy(saved(["a"]), flat_is_row=False).tensors == read_npy(saved(["abc"]), flat_is_row=False).tensors


def test_nothing_is_unpickled() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    for array in (np.array([None, 1], dtype=object), np.zeros(2, dtype=[("a", "O")])):
        with pytest.raises(DecodeError) as error:
            read_npy(saved(array), flat_is_row=True)
        assert error.value.reason in ("pickle", "datatype")
    file = saved(np.array([1], dtype=object))
    head = file[: 10 + struct.unpack("<H", file[8:10])[0]]
    with pytest.raises(DecodeError) as error:
        read_npy(head + pickle.dumps(Trap()), flat_is_row=True)
    assert error.value.reason == "pickle"


def test_arrays_that_are_too_wide_for_columns_are_tables() -> None:
    image = np.arange(2 * 70 * 70, dtype="f4").reshape(2, 70, 70)
    block = read_npy(saved(image), flat_is_row=False)
    assert (block.width, block.rows, block.tables[0].tensor.shape) == (0, 2, (70, 70))
    assert (block.tables[0].values == image.reshape(2, -1)).all()


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((0, 3)), "no_rows"),
        (np.zeros((3, 0)), "no_rows"),
        (np.zeros((1, 70, 70), dtype="S1"), "too_wide"),
        (np.zeros((1, 10_001), dtype="?"), "too_wide"),
        (np.zeros(2, dtype="c16"), "datatype"),
        (np.zeros(2, dtype="M8[s]"), "datatype"),
        (np.zeros(2, dtype="V3"), "datatype"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]), "datatype"),
        (np.zeros((1,) * 9), "shape"),
    ],
)
def test_arrays_that_are_no_table(array: Any, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_npy(saved(array), flat_is_row=False)
    assert error.value.reason == reason


def file_of(header: str, data: bytes = b"", version: int = 2) -> bytes:
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack("<I", len(header)) + header.encode() + data


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "npy"),
        (b"\x93NUMPY\x01\x00", "npy"),
        (b"PK\x03\x04" + bytes(20), "npy"),
        (file_of("{}", version=4), "npy"),
        (file_of("{}"), "npy"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "npy"),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }" + " " * MAX_HEADER, bytes(8)), "npy"),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os'),), }"), "npy"),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", bytes(8)), "npy"),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(8)), "size"),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", bytes(9)), "size"),
        (
            file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999, 999999999999), }", bytes(8)),
            "size",
        ),
        (file_of("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 9999999999999999999), }", bytes(8)), "shape"),
        (file_of("{'descr': '<U0', 'fortran_order': False, 'shape': (999999999,), }"), "datatype"),
        (file_of("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"\x80"), "pickle"),
        (file_of("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff\xff\xff\xff"), "charset"),
        (file_of("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\x00\xd8\x00\x00"), "charset"),
    ],
)
def test_what_is_no_file_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_npy(body, flat_is_row=False)
    assert error.value.reason == reason


def test_a_header_may_be_written_otherwise() -> None:
    header = '{"shape":(1L, 2),"descr":"<i2","fortran_order":False}\n'
    assert columns(file_of(header, b"\x01\x00\x02\x00", version=3)) == {"0": [1.0], "1": [2.0]}
