"""Rows that are there more than once: how many rows say as much as one independent row.

Data sets repeat rows: oversampling, joins that multiply, bootstrap, logs written twice. If each row is there m times, n rows say
no more than n/m, and a difference of n rows from training would look far surer than it is. The sidecar tells repetition by how
much neighbouring minutes differ; a file has no minutes, and the order of its rows may mean anything: in a file sorted by a
column neighbouring parts differ in everything, and dealt out in turn they differ in nothing. So it is told by what repetition
is: equal rows. With mᵢ copies of the i-th row the effective number of rows is n / φ with ``φ = Σ mᵢ² / Σ mᵢ`` (Kish, "Survey
Sampling", 1965, §8.2), whatever the order.

Equal rows are no copies where rows are equal by chance, as all are that consist of a few categories. No two rows agree by
chance more often than they do in a single column, and how often that is training knows (`chance`). So many are deducted. And
the tenth of the rows that is most often there is left out: a default or a missing value that stands for all of a row is a
change to be reported, not a repetition.

Rows are told by a hash of 64 bits; of many, a share of the hashes is kept (distinct sampling: Gibbons, VLDB 2001), in 0.5 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked
from agent.profile.schema import ColumnSchema
from agent.sketch.categorical import canonical
from agent.sketch.summary import CategorySummary, NumericSummary

KEPT = 1 << 15
"""Distinct rows that are kept at most. φ is then known to a few per cent."""

TRIMMED = 0.1
"""The share of the rows, those most often there, that is left out."""

_TEXTS = 1 << 16
"""Hashes of texts that are remembered."""

Hashes = NDArray[np.uint64]


class Copies:
    """Counts how often rows are there.

    Parameters
    ----------
    columns
        The schema's; those that are not compared do not tell rows apart.
    """

    def __init__(self, columns: Sequence[ColumnSchema]) -> None:
        self._used = tuple(place for place, column in enumerate(columns) if column.reference is not None)
        self._chance = min((chance(column) for column in columns if column.reference is not None), default=1.0)
        self._texts = _TextHashes()
        self._level = 0
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._counts: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.rows = 0

    def update(self, checked: Checked) -> None:
        """Add rows. Cost: 10 ns a number, 40 ns a category."""
        self.rows += checked.rows
        hashes = np.zeros(checked.rows, dtype=np.uint64)
        for place in self._used:
            values = checked.values[place] if place < len(checked.values) else None
            if values is not None and len(values) == checked.rows:
                hashes = _mixed(hashes ^ self._bits(values))
        self._take(*np.unique(hashes, return_counts=True))

    def _bits(self, values: NDArray[Any]) -> Hashes:
        if values.dtype.kind == "f":
            steady = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, and no negative zero
            return steady.astype(np.float64).view(np.uint64)
        return self._texts.of(values.tolist())

    def _take(self, hashes: Hashes, counts: NDArray[np.int64]) -> None:
        kept = self._keeps(hashes)
        both = np.concatenate([self._hashes, hashes[kept]])
        self._hashes, places = np.unique(both, return_inverse=True)
        counted = np.bincount(places.reshape(-1), np.concatenate([self._counts, counts[kept]]), self._hashes.size)
        self._counts = counted.astype(np.int64)
        while self._hashes.size > KEPT:
            self._level += 1
            kept = self._keeps(self._hashes)
            self._hashes, self._counts = self._hashes[kept], self._counts[kept]

    def _keeps(self, hashes: Hashes) -> NDArray[np.bool_]:
        return hashes <= np.uint64(0xFFFF_FFFF_FFFF_FFFF >> self._level)

    def result(self) -> float:
        """Give φ, at least 1; 1 where there are no rows, and where equal rows may well be equal by chance.

        Examples
        --------
        >>> from agent.batch import Checked
        >>> copies = Copies(())
        >>> copies.update(Checked(0, (), {}))
        >>> copies.result()
        1.0
        """
        ordered = np.sort(self._counts)
        total = int(ordered.sum())
        ordered = ordered[np.cumsum(ordered) <= (1.0 - TRIMMED) * total] if len(ordered) > 1 else ordered
        if not ordered.size:
            return 1.0
        weight = float((ordered.astype(np.float64) ** 2).sum() / ordered.sum())
        return max(1.0, weight - self.rows * self._chance)


def chance(column: ColumnSchema) -> float:
    """Give the probability that two rows of training agree in a column, as missing values do.

    For numbers it is that of two points of the quantile sketch, each weighing as many rows as it stands for; 1 where nothing is
    known.
    """
    reference = column.reference
    if reference is None or not reference.rows:
        return 1.0
    missing = reference.missing / reference.rows
    present = 1.0 - missing
    if isinstance(reference, CategorySummary):
        total = int(reference.counts.sum()) + reference.unseen
        shares = np.append(reference.counts, reference.unseen) / max(1, total)
        return float(missing**2 + present**2 * (shares**2).sum())
    return missing**2 + present**2 * _ties(reference)


def _ties(reference: NumericSummary) -> float:
    weights = reference.weights.astype(np.float64)
    if weights.size < 2:
        return 1.0
    _, places = np.unique(reference.points, return_inverse=True)
    per_value = np.bincount(places, weights)
    alone = float((weights**2).sum())  # a point agrees with itself, which says nothing
    return float(((per_value**2).sum() - alone) / (weights.sum() ** 2 - alone))


def _mixed(hashes: Hashes) -> Hashes:
    # the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
    hashes = hashes + np.uint64(0x9E37_79B9_7F4A_7C15)
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return hashes ^ (hashes >> np.uint64(31))


class _TextHashes(dict[Any, int]):
    """The hash of each category's canonical text, the same in every process."""

    def of(self, values: list[Any]) -> Hashes:
        if len(self) > _TEXTS:
            self.clear()
        texts = [value if isinstance(value, str) else _text(value) for value in values]
        return np.fromiter(map(self.__getitem__, texts), dtype=np.uint64, count=len(texts))

    def __missing__(self, text: str) -> int:
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        found = self[text] = int.from_bytes(digest, "little")
        return found


def _text(value: Any) -> str:
    return "\0missing" if value is None or value != value else canonical(value)  # noqa: PLR0124 - NaN
