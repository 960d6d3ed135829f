"""Large arrays of numbers from JSON text to float64, without a Python object for each value.

simdjson parses the text to a tape, and copies an array's numbers from there into one buffer: 20 ns a value, where msgspec's
floats and their packing take 33. The buffer is flat whatever the nesting was, so the nesting is proved apart: rows by their
lengths, and that there are no other arrays by counting brackets. Rows that are arrays themselves (images) have too many arrays to
ask each for its length: `json_nested` proves those.

What is not a regular table of numbers (missing values, text, duplicate keys, escapes, whole numbers beyond 64 bits, bare NaN)
gives ``None``, and the caller's complete way reads it, or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import simdjson
from numpy.typing import NDArray

from agent.batch import TensorType
from agent.decode.arrays import is_wide, table_of
from agent.decode.block import Block
from agent.decode.json_nested import NotRegular, is_deep, members_of, nested_numbers, prove_regular
from agent.decode.tensors import joined
from agent.errors import DecodeError

LARGE_BODY = 16 << 10
"""Bodies from this size on are worth a try. It costs 17 µs before the first value, which pays from about 1,000 values on: 8 KiB
of short numbers, 20 of long ones."""

MAX_KEPT = 1 << 20
"""A parser keeps its memory, 10 to 25 times the largest body; behind a larger one than this it is thrown away. A new parser
nearly doubles the time of bodies of 200 to 600 KB (nested images of 623 KB: 6.4 ms instead of 3.3); beyond 1 MiB, which is
more than is captured unless set otherwise, it makes no difference."""

_PROBED = 1 << 13
"""So many bytes tell what a body holds. To look through 1 MB takes a third of the time that it takes to read it."""

_MOST_QUOTES = 64
"""Three tensors' names and kinds have fewer."""

Result = TypeVar("Result")

_spare: list[Any] = []  # taking and giving back are atomic: each parser has one user at a time


def read_large(body: bytes, read: Callable[[Any, int], Result]) -> Result | None:
    """Parse a body and read it; ``None`` where it is no JSON, or `read` can't.

    Parameters
    ----------
    read
        Called with the document, a `simdjson.Object`, and with the number of opening brackets in the body. It must keep no
        part of the document. Where it can't read it may raise `DecodeError`, `ValueError`,
        `LookupError`, `TypeError` or `AttributeError`.
    """
    if b"\\" in body:
        return None  # an escaped bracket would be counted where there is none
    if _has_missing(body):
        return None  # `read` can't, and to find that out behind the parser costs up to a third more
    brackets = int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord("[")))
    parser = _spare.pop() if _spare else simdjson.Parser()
    document = result = None
    try:
        document = parser.parse(body)
        if isinstance(document, simdjson.Object):
            result = read(document, brackets)
    except RuntimeError:
        return None  # too deep, or too large a number; this parser is given up, for it may still be taken
    except (ValueError, LookupError, TypeError, AttributeError, DecodeError):
        pass
    document = None  # a parser refuses to work while parts of its last document live
    if len(body) <= MAX_KEPT:
        _spare.append(parser)
    return result


def holds_texts(body: bytes) -> bool:
    """Tell whether there are texts among the values, which no array of numbers is read from; told from the middle of the body."""
    start = len(body) // 2
    return body.count(b'"', start, start + _PROBED) > _MOST_QUOTES


def _has_missing(body: bytes) -> bool:
    start = len(body) // 2
    at = body.find(b"null", start, start + _PROBED)
    return at >= 0 and body[max(0, at - 64) : at].rstrip()[-1:] in (b",", b"[")


def large_rows(body: bytes, *paths: Sequence[str], names: Sequence[str] = ()) -> Block | None:
    """Read a large list of rows of numbers, or of numbers.

    Parameters
    ----------
    paths
        Where the list may be, as keys: ``("instances",)``. The first that is there counts.
    names
        Where the names of the columns are; by position if empty.

    Returns
    -------
    Block or None
        ``None`` where the complete way has to look.
    """

    def read(document: Any, brackets: int) -> Block:
        path, data = first_of(document, paths)
        return rows_in(body, document, brackets, path, data, names)

    return read_large(body, read) if names or not holds_texts(body) else None


def first_of(document: Any, paths: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], Any]:
    """Give the first of some paths that is in a document, and what is there.

    Raises
    ------
    NotRegular
        Where none is.
    """
    for path in paths:
        if path[0] in document.keys() and document[path[0]] is not None:  # noqa: SIM118 - an Object is no dict
            return tuple(path), _at(document, path)
    raise NotRegular


def rows_in(body: bytes, document: Any, brackets: int, path: tuple[str, ...], data: Any, names: Sequence[str] = ()) -> Block:
    """Read rows of numbers from a parsed document.

    Parameters
    ----------
    body, document, brackets
        As `read_large` has them.
    path, data
        Where the rows are, and what is there.
    names
        As in `large_rows`.

    Raises
    ------
    NotRegular, LookupError, TypeError, ValueError, DecodeError
        Where the complete way has to look.
    """
    if not names and is_deep(data):
        values, shape = nested_numbers(data)
        prove_regular(body, document, {path: shape})
        return _block(values, shape)
    values, known = numbers_in(data)
    rows = len(data)
    width = len(values) // rows
    if not names:
        columns = None
    else:
        columns = tuple(_at(document, names).as_list())
        known += 1
        if len(columns) != width or len(set(columns)) != width or {*map(type, columns)} != {str}:
            raise NotRegular
    if known + brackets_beside(document, [path, names]) != brackets:
        raise NotRegular
    return _block(values, (rows, width), columns)


def _block(values: NDArray[np.float64], shape: tuple[int, ...], names: tuple[str, ...] | None = None) -> Block:
    rows, width = shape[0], len(values) // shape[0]
    if is_wide(shape[1:]):
        return Block((), True, rows, b"", tables=(table_of(TensorType("", "", shape[1:]), rows, values),))
    return Block(names or width, True, rows, joined([values.reshape(rows, width)], rows, width))


def _at(document: Any, path: Sequence[str]) -> Any:
    for key in path:
        document = document[key]
    return document


def numbers_in(data: Any) -> tuple[NDArray[np.float64], int]:
    """Give the numbers of an array, or of an array of arrays of equal length, flat; and how many arrays it holds, itself too.

    An array somewhere among numbers is not noticed here, but by the number of brackets.

    Raises
    ------
    NotRegular, TypeError
        For anything else, and for an array without numbers.
    """
    values = np.frombuffer(data.as_buffer(of_type="d"))
    if not len(values):
        raise NotRegular
    if not isinstance(data[0], simdjson.Array):
        if len(values) != len(data):
            raise NotRegular
        return values, 1
    lengths = set(map(len, data))  # a number has none: TypeError
    if len(lengths) != 1 or len(values) != len(data) * lengths.pop():
        raise NotRegular
    return values, 1 + len(data)


def brackets_beside(value: Any, paths: Sequence[Sequence[str]]) -> int:
    """Count the opening brackets in all members of an object but those at these paths.

    Raises
    ------
    NotRegular
        As `members_of`.
    """
    count = 0
    for key, member in members_of(value):
        count += key.count("[")
        inside = [path[1:] for path in paths if path and path[0] == key]
        if not inside:
            count += _brackets(member)
        elif all(inside):
            count += brackets_beside(member, inside)
    return count


def _brackets(value: Any) -> int:
    if isinstance(value, str):
        return value.count("[")
    if not isinstance(value, (simdjson.Array, simdjson.Object)):
        return 0
    text: Any = value.mini
    return int(text.count(b"["))
