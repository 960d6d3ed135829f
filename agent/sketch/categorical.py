"""A categorical column: exact counts per known category, and what came besides.

Only unique values pass through Python: numbers are sorted and cut into runs, objects are counted in C by `Counter`.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from numbers import Integral
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import Values
from agent.errors import OutriderError
from agent.sketch.distinct import Distinct
from agent.sketch.summary import CategorySummary
from agent.sketch.unseen import Unseen, UnseenResult
from agent.sketch.wire import pack_counts, read, unpack_counts

WHOLE_LIMIT = 2.0**63
"""Whole floats below this are written as integers; above it they are written as floats, which keeps the text short."""

_BOOLEANS = {"false": ("0", "False", "FALSE"), "true": ("1", "True", "TRUE")}
"""How servers and clients write booleans where the wire has no boolean of its own."""


def canonical(value: Any) -> str:
    """Give a value's canonical text, the same for a number however it was written.

    Parameters
    ----------
    value
        ``str``, ``bool``, ``int`` or ``float`` (numpy's too); not a missing value.

    Examples
    --------
    >>> [canonical(value) for value in (3, 3.0, -0.0, 2.5, True, "x")]
    ['3', '3', '0', '2.5', 'true', 'x']
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        whole = -WHOLE_LIMIT < value < WHOLE_LIMIT and value.is_integer()
        return str(int(value)) if whole else float.__repr__(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, Integral):
        number = int(value)
        if -WHOLE_LIMIT < number < WHOLE_LIMIT:
            return str(number)
        # str() refuses integers of more than 4,300 digits, and a sender may choose one.
        return float.__repr__(float(number)) if number.bit_length() < 1024 else "-inf" if number < 0 else "inf"
    return type(value).__name__


def tally(values: Values) -> tuple[dict[str, int], int]:
    """Count values by canonical text.

    Parameters
    ----------
    values
        A column, float64 or object, shape ``(n,)``. ``None`` and NaN are missing.

    Returns
    -------
    dict
        Rows by canonical text.
    int
        Missing rows.
    """
    return _tally_numbers(values) if values.dtype.kind == "f" else _tally_objects(values.tolist())


def _tally_numbers(values: NDArray[np.float64]) -> tuple[dict[str, int], int]:
    ordered = np.sort(values)
    present = int(ordered.searchsorted(np.nan)) if ordered.size and np.isnan(ordered[-1]) else ordered.size
    missing = ordered.size - present
    if not present:
        return {}, missing
    ordered = ordered[:present]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    ends = [*starts.tolist(), present]
    uniques = [ordered.item(0), *ordered[starts].tolist()]
    counts: dict[str, int] = {}
    start = 0
    for value, end in zip(uniques, ends, strict=True):
        counts[canonical(value)] = end - start
        start = end
    return counts, missing


def _tally_objects(values: list[Any]) -> tuple[dict[str, int], int]:
    found: Counter[Any] = Counter(values)
    pairs: list[tuple[Any, int]] = list(found.items())
    if (1 in found or 0 in found) and _mixes_booleans(values):
        typed = Counter(zip(map(type, values), values, strict=True))
        pairs = [(value, count) for (_, value), count in typed.items()]
    counts: dict[str, int] = {}
    missing = 0
    for value, count in pairs:
        if value is None or value != value:  # noqa: PLR0124 - the cheapest test for NaN
            missing += count
        else:
            text = canonical(value)
            counts[text] = counts.get(text, 0) + count
    return counts, missing


def _mixes_booleans(values: list[Any]) -> bool:
    # True == 1 and False == 0 for a dict: apart only by type.
    types = set(map(type, values))
    return bool in types and (int in types or float in types)


@lru_cache(maxsize=1024)
def places(categories: tuple[str, ...]) -> dict[str, int]:
    """Where each text counts: the index of its category. To be read only.

    Categories that are just ``true`` and ``false`` also take the other ways in which booleans are written, 0 and 1 among them.
    """
    found = {text: index for index, text in enumerate(categories)}
    if categories and found.keys() <= _BOOLEANS.keys():
        found |= {other: index for text, index in found.items() for other in _BOOLEANS[text]}
    return found


class _Wire(msgspec.Struct, array_like=True, tag="category/1", frozen=True, gc=False):
    missing: int
    unseen: int
    counts: bytes
    distinct: msgspec.Raw
    frequent: msgspec.Raw


_DECODER = msgspec.msgpack.Decoder(_Wire)


class CategorySketch:
    """What a categorical column's rows come to: 8 bytes per category, and at most 2 KB for unseen ones.

    Parameters
    ----------
    categories
        The known categories as canonical text.

    Examples
    --------
    >>> sketch = CategorySketch(("red", "3"))
    >>> sketch.update(np.array(["red", 3, 3.0, "blue", None], dtype=object))
    >>> summary = sketch.result()
    >>> summary.counts.tolist(), summary.unseen, summary.missing, round(summary.distinct)
    ([1, 2], 1, 1, 3)
    """

    __slots__ = ("_places", "categories", "counts", "distinct", "frequent", "missing", "unseen")

    def __init__(self, categories: tuple[str, ...]) -> None:
        self.categories = categories
        self._places = places(categories)
        self.missing = 0
        self.unseen = 0
        self.counts: NDArray[np.int64] = np.zeros(len(categories), dtype=np.int64)
        self.distinct = Distinct()
        self.frequent = Unseen()

    def update(self, values: Values) -> None:
        """Add a column, float64 or object, shape ``(n,)``; ``None`` and NaN are missing."""
        counts, missing = tally(values)
        self.missing += missing
        others: dict[str, int] = {}
        for text, count in counts.items():
            place = self._places.get(text)
            if place is None:
                others[text] = count
            else:
                self.counts[place] += count
        if others:
            self.unseen += sum(others.values())
            self.distinct.update(others)
            self.frequent.update(others)

    def merge(self, other: CategorySketch) -> None:
        """Add what `other` has seen; `OutriderError` if its categories differ."""
        if other.categories != self.categories:
            raise OutriderError("counts of different categories can't be added up")
        self.missing += other.missing
        self.unseen += other.unseen
        self.counts += other.counts
        self.distinct.merge(other.distinct)
        self.frequent.merge(other.frequent)

    def result(self) -> CategorySummary:
        """Summarise; all zero where there are no rows."""
        return CategorySummary(
            rows=self.missing + int(self.counts.sum()) + self.unseen,
            missing=self.missing,
            categories=self.categories,
            counts=self.counts.copy(),
            unseen=self.unseen,
            distinct=int(np.count_nonzero(self.counts)) + self.distinct.result(),
        )

    def frequent_unseen(self) -> UnseenResult:
        """Which unseen values are frequent, by hash."""
        return self.frequent.result()

    def to_bytes(self) -> bytes:
        """Write the state; the categories are not in it."""
        return msgspec.msgpack.encode(
            _Wire(
                self.missing,
                self.unseen,
                pack_counts(self.counts),
                msgspec.Raw(self.distinct.to_bytes()),
                msgspec.Raw(self.frequent.to_bytes()),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, categories: tuple[str, ...]) -> CategorySketch:
        """Read what `to_bytes` wrote for these categories; `OutriderError` if it is something else."""
        wire = read(_DECODER, data, "categorical column")
        sketch = cls(categories)
        sketch.missing, sketch.unseen = wire.missing, wire.unseen
        sketch.counts = unpack_counts(wire.counts, len(categories), "categorical column")
        sketch.distinct = Distinct.from_bytes(bytes(wire.distinct))
        sketch.frequent = Unseen.from_bytes(bytes(wire.frequent))
        return sketch
