"""Blocks: some rows of the training data as plain numpy columns, whatever they came from.

Every source cuts its rows alike, into blocks of `block_rows` rows, so that sums are added up in the same order and two
sources of the same data give the same profile to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.sketch.categorical import canonical

Kind = Literal["integer", "number", "boolean", "text", "category", "datetime", "null"]
"""What a source knows of a column before it has seen its values; ``category`` where the data type itself says so, ``null``
where there are no values to tell by."""

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
    """A column whose values are not looked at: only how many are missing."""

    missing: int


Values = NDArray[np.float64] | Texts | Opaque
"""Numbers (NaN where missing), texts, or neither."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows: one entry of `columns` per name that was asked for."""

    rows: int
    columns: tuple[Values, ...]


class Source(Protocol):
    """Data that can be read as often as needed."""

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    rows: int

    def blocks(self, wanted: Sequence[int], rows: int) -> Iterator[Block]:
        """Give the columns at the places `wanted`, `rows` rows at a time; the last block may be shorter."""


def block_rows(columns: int) -> int:
    """How many rows a block has: 65,536, fewer for tables with more than 64 columns."""
    return max(1024, min(BLOCK_ROWS, BLOCK_VALUES // max(1, columns)))


def as_texts(values: Values) -> Texts:
    """Turn numbers into categories; texts stay what they are. Infinities are categories, NaN is missing."""
    if isinstance(values, Texts):
        return values
    if isinstance(values, Opaque):
        raise TypeError("values that are not looked at have no categories")
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
    return value is None or bool(value != value)  # noqa: PLR0124 - NaN, NaT


def canonical_text(value: object) -> str:
    """Write a Python value as a category, as the sketches do; bytes count as the text that they encode."""
    if isinstance(value, np.generic):
        value = value.item()
    return canonical(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
