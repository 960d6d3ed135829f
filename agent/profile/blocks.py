"""Blocks: some rows of the training data as plain numpy columns, whatever they came from.

Every source cuts its rows alike, into blocks of `block_rows` rows, so that sums are added up in the same order and two
sources of the same data give the same profile to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.sketch.categorical import canonical

Kind = Literal["integer", "number", "boolean", "text", "category", "datetime", "null", "tensor", "image_file"]
"""What a source knows of a column before it has seen its values; ``category`` where the data type itself says so, ``null``
where there are no values to tell by, ``tensor`` where each value is numbers in one or more dimensions, ``image_file`` where the
first value is one."""

NUMBER_KINDS: tuple[Kind, ...] = ("integer", "number", "null")
"""Kinds whose blocks are numbers."""

BLOCK_ROWS = 65_536
BLOCK_VALUES = 1 << 22
"""At most 32 MiB of doubles at once, however wide the table is."""


@dataclass(frozen=True, slots=True)
class Texts:
    """A column of texts as indices.

    Parameters
    ----------
    codes
        Indices into `labels`, shape ``(rows,)``; -1 where the value is missing.
    labels
        Distinct texts; some may not occur.
    """

    codes: NDArray[np.int64]
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opaque:
    """A column whose values are not looked at: only how many are missing, and for datetimes when they are.

    Parameters
    ----------
    missing
        How many are.
    times
        Nanoseconds since 1970 in UTC, int64, shape ``(rows,)``, `agent.profile.times.NEVER` where there is none; ``None`` for
        what is no point in time.
    """

    missing: int
    times: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Tensors:
    """A column whose values are numbers in one or more dimensions.

    Parameters
    ----------
    values
        Of all rows, row-major, NaN where missing.
    shapes
        Of each row, shape ``(rows, rank)``; zeros where it is missing.
    """

    values: NDArray[np.float64]
    shapes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Files:
    """A column whose values are whole files; ``None`` where missing."""

    values: tuple[bytes | None, ...]


Values = NDArray[np.float64] | Texts | Opaque | Tensors | Files
"""Numbers (NaN where missing), texts, or what is neither."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: one entry of `columns` per name that was asked for."""

    rows: int
    columns: tuple[Values, ...]


class Source(Protocol):
    """Data that can be read as often as needed."""

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    shapes: tuple[tuple[int, ...], ...]
    """The shape of each column's first value: empty but for tensors; for files the length in bytes."""
    rows: int

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """Give the columns at the places `wanted`, `rows` rows at a time; the last block may be shorter."""


def block_rows(shapes: Sequence[tuple[int, ...]]) -> int:
    """How many rows a block has: 65,536, fewer for tables with more than 64 columns, and for those with large values.

    Parameters
    ----------
    shapes
        As `Source.shapes`.
    """
    rows = max(1024, min(BLOCK_ROWS, BLOCK_VALUES // max(1, len(shapes))))
    large = sum(math.prod(shape) for shape in shapes if shape)
    return max(1, min(rows, BLOCK_VALUES // large)) if large else rows


def as_texts(values: Values) -> Texts:
    """Turn numbers into categories; texts stay what they are. Infinities are categories, NaN is missing."""
    if isinstance(values, Texts):
        return values
    if not isinstance(values, np.ndarray):
        raise TypeError(f"{type(values).__name__} have no categories")
    present = ~np.isnan(values)
    distinct, places = np.unique(values[present], return_inverse=True)
    codes = np.full(len(values), -1, dtype=np.int64)
    codes[present] = places
    return Texts(codes, tuple(canonical(value) for value in distinct.tolist()))


def texts_of(values: Sequence[Any] | NDArray[Any]) -> Texts:
    """Index Python values by their canonical text; ``None`` and NaN are missing."""
    index: dict[str, int] = {}
    codes = np.fromiter(
        (-1 if is_missing(value) else index.setdefault(canonical_text(value), len(index)) for value in values),
        dtype=np.int64,
        count=len(values),
    )
    return Texts(codes, tuple(index))


def is_missing(value: object) -> bool:
    """Whether a Python value stands for no value: ``None``, NaN, NaT, and whatever else differs from itself."""
    return value is None or (not isinstance(value, np.ndarray) and bool(value != value))  # noqa: PLR0124 - NaN, NaT


def canonical_text(value: object) -> str:
    """Write a Python value as a category, as the sketches do; bytes count as the text that they encode."""
    if isinstance(value, np.generic):
        value = value.item()
    return canonical(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
