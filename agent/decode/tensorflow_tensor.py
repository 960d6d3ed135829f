"""TensorFlow's TensorProto to values, in all of its encodings.

Either ``tensor_content`` holds the elements as they lie in memory, little-endian; or the list for the datatype holds them one by
one, and where it is shorter than the shape says, its last value fills the rest, a zero where there is none. FP16 and BF16 in
``half_val`` are their bits. Strings in ``tensor_content`` are all their lengths as varints, then all their bytes.

Complex numbers, resources and variants are no values that a column could have.

Sources: tensorflow/tensorflow ``core/framework/tensor.proto``, ``tensor.cc`` (FromProtoField) and ``tensor_util.MakeNdarray``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.arrays import is_wide
from agent.decode.block import MAX_PADDED_CELLS, MAX_RANK, MAX_REPEATED_CELLS, MAX_ROWS, NotObserved, Scalar
from agent.decode.proto.tensorflow_serving_pb2 import DataType, TensorProto
from agent.decode.tensors import Part, array_of, shape_of, text_of
from agent.errors import DecodeError

NAME = "tensorflow-serving"


class Encoding(NamedTuple):
    """How the elements of a datatype are written."""

    raw: str
    """The same type in the words of the Open Inference Protocol."""
    field: str
    """The list that holds them one by one."""
    dtype: type[np.generic]
    """Of the elements of that list."""


_INTEGERS = ("int_val", np.int32)

ENCODINGS: dict[str, Encoding] = {
    "DT_FLOAT": Encoding("FP32", "float_val", np.float32),
    "DT_DOUBLE": Encoding("FP64", "double_val", np.float64),
    "DT_HALF": Encoding("FP16", "half_val", np.int32),
    "DT_BFLOAT16": Encoding("BF16", "half_val", np.int32),
    "DT_INT8": Encoding("INT8", *_INTEGERS),
    "DT_INT16": Encoding("INT16", *_INTEGERS),
    "DT_INT32": Encoding("INT32", *_INTEGERS),
    "DT_INT64": Encoding("INT64", "int64_val", np.int64),
    "DT_UINT8": Encoding("UINT8", *_INTEGERS),
    "DT_UINT16": Encoding("UINT16", *_INTEGERS),
    "DT_UINT32": Encoding("UINT32", "uint32_val", np.uint32),
    "DT_UINT64": Encoding("UINT64", "uint64_val", np.uint64),
    "DT_QINT8": Encoding("INT8", *_INTEGERS),
    "DT_QINT16": Encoding("INT16", *_INTEGERS),
    "DT_QINT32": Encoding("INT32", *_INTEGERS),
    "DT_QUINT8": Encoding("UINT8", *_INTEGERS),
    "DT_QUINT16": Encoding("UINT16", *_INTEGERS),
    "DT_BOOL": Encoding("BOOL", "bool_val", np.bool_),
}
"""All datatypes that are numbers or booleans. Strings are in ``string_val``; quantised ones are read as the integers they are."""

_STRING = "DT_STRING"
_NAMES = {number: name for name, number in DataType.items() if name in ENCODINGS or name == _STRING}


def part_of(name: str, tensor: TensorProto) -> Part:
    """Read a tensor.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide`` where what is too wide for columns would have to be filled.
    DecodeError
        ``datatype``; ``shape`` where it is none, or there are more values than it says; ``size`` where ``tensor_content`` is not
        what the shape says; ``too_many_rows``, ``too_many_values`` where too much would have to be filled.
    """
    shape = _shape(tensor)
    rows, width = shape_of(shape)
    if rows > MAX_ROWS:
        raise DecodeError(NAME, "too_many_rows")
    datatype = _NAMES.get(tensor.dtype)
    if datatype is None:
        raise DecodeError(NAME, "datatype")
    read = _texts if datatype == _STRING else _numbers
    return TensorType(name, datatype, shape[1:]), rows, read(datatype, tensor, rows * width)


def _shape(tensor: TensorProto) -> tuple[int, ...]:
    shape = tensor.tensor_shape
    if shape.unknown_rank or len(shape.dim) > MAX_RANK:
        raise DecodeError(NAME, "shape")
    return tuple([dim.size for dim in shape.dim])


def _numbers(datatype: str, tensor: TensorProto, count: int) -> NDArray[Any]:
    encoding = ENCODINGS[datatype]
    if tensor.tensor_content:
        return array_of(encoding.raw, tensor.tensor_content, count)
    listed = getattr(tensor, encoding.field)
    _check_fill(len(listed), count)
    if len(listed) < count and is_wide(_shape(tensor)[1:]):
        raise NotObserved(NAME, "too_wide")  # a few bytes would ask for megabytes, and one colour is no picture
    values: NDArray[Any] = np.array(listed[:] or [0], encoding.dtype)
    if encoding.field == "half_val":
        values = array_of(encoding.raw, values.astype("<u2").tobytes(), len(values))
    return values if len(values) == count else np.pad(values, (0, count - len(values)), "edge")


def _texts(_datatype: str, tensor: TensorProto, count: int) -> Sequence[Scalar]:
    if tensor.tensor_content:
        return _listed_texts(tensor.tensor_content, count)
    _check_fill(len(tensor.string_val), count, MAX_REPEATED_CELLS)
    texts = [text_of(value) for value in tensor.string_val] or [""]
    return texts if len(texts) == count else texts + texts[-1:] * (count - len(texts))


def _check_fill(given: int, count: int, most: int = MAX_PADDED_CELLS) -> None:
    if given > count:
        raise DecodeError(NAME, "shape")
    if given < count > most:
        raise DecodeError(NAME, "too_many_values")


def _listed_texts(content: bytes, count: int) -> list[Scalar]:
    if count > len(content):
        raise DecodeError(NAME, "size")
    lengths: list[int] = []
    at = 0
    for _ in range(count):
        length = shift = 0
        while True:
            if at == len(content) or shift > 28:
                raise DecodeError(NAME, "size")
            byte = content[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise DecodeError(NAME, "size")
    texts: list[Scalar] = []
    for length in lengths:
        texts.append(text_of(content[at : at + length]))
        at += length
    return texts
