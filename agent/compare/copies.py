"""Rows that are there more than once: how many rows say as much as one independent row.

Data sets repeat rows: oversampling, joins that multiply, bootstrap, logs written twice. If each row is there m times, n rows say
no more than n/m, and what differs from training by chance would look like a sure difference. The sidecar tells repetition by
how much neighbouring minutes differ; a file has no minutes, and the order of its rows may mean anything: in a file sorted by a
column neighbouring parts differ in everything, and dealt out in turn they differ in nothing. So it is told by what repetition
is: equal rows. If all have m copies, the effective number of rows is n / m (Kish, "Survey Sampling", 1965, §8.2), in any order.

Equal rows are no copies where rows are equal by chance, as those are that consist of a few categories. So only rows count that
have a number which hardly any other row of training has: in a column whose values are fine, and no value that stands by itself
there, such as 0. A default that suddenly stands for many values of a column makes rows equal, too, but is a change to be
reported. So only rows with two such numbers count each with its own copies: the counts of n rows vary as those of n / φ, with
φ = Σ c² / n over the different rows and their numbers of copies c (Kish, §5.4, with an intra-class correlation of 1). Rows with
one such number count as repeated as often as three quarters of them are at least. Where no column is fine, nothing is known,
and rows count as they are.

Rows are told by a hash of 64 bits; of many, a share of the hashes is kept (distinct sampling: Gibbons, VLDB 2001), in 0.5 MB,
beside those that are there most often, which no sample may miss (Misra and Gries, 1982).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked
from agent.profile.schema import ColumnSchema
from agent.sketch.categorical import canonical
from agent.sketch.summary import NumericSummary

KEPT = 1 << 15
"""Distinct rows that are kept at most. φ is then known to a few per cent."""

QUANTILE = 0.25
"""At least as often as rows count, all but this share of them is there."""

ENOUGH = 0.1
"""Below this share of rows that can be told apart nothing is known."""

BY_CHANCE = 0.5
"""A column is fine if fewer rows than this are expected to agree with a given one."""

HEAVY = 0.005
"""A value with this share of training stands by itself."""

FREQUENT = 1 << 10
"""Rows that are there most often are counted beside the sample, so many at most."""

_TEXTS = 1 << 16
"""Hashes of texts that are remembered."""

_TWICE = np.uint64(1)

Hashes = NDArray[np.uint64]


class Copies:
    """Counts how often rows are there.

    Parameters
    ----------
    columns
        The schema's; those that are not compared do not tell rows apart.
    rows
        How many rows there are going to be.
    """

    def __init__(self, columns: Sequence[ColumnSchema], rows: int) -> None:
        self._used = tuple(place for place, column in enumerate(columns) if column.reference is not None)
        heavy = {place: heavy_values(columns[place], rows) for place in self._used}
        self._fine = {place: values for place, values in heavy.items() if values is not None}
        self._texts = _TextHashes()
        self._start()

    def of_some(self) -> Copies:
        """Give one for some of the rows, which has seen none so far. What is known of the columns is shared."""
        found = copy(self)
        found._start()
        return found

    def _start(self) -> None:
        self._level = 0
        self._hashes: Hashes = np.empty(0, dtype=np.uint64)
        self._counts: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._frequent: tuple[Hashes, NDArray[np.int64]] = self._hashes, self._counts
        self._told = 0
        self._rows = 0

    def update(self, checked: Checked) -> None:
        """Add rows. Cost: 15 ns a number, 100 ns a category; nothing where no column is fine."""
        self._rows += checked.rows
        if not self._fine:
            return
        hashes = np.zeros(checked.rows, dtype=np.uint64)
        told = np.zeros(checked.rows, dtype=np.int64)
        for place in self._used:
            values = checked.values[place]
            if values is None or len(values) != checked.rows:
                continue
            hashes = _mixed(hashes ^ self._bits(values))
            if place in self._fine:
                told += np.isfinite(values) & ~np.isin(values, self._fine[place])
        some = told > 0
        self._told += int(some.sum())
        # the last bit says whether two numbers tell the row
        hashes = (hashes & ~_TWICE) | (told > 1).astype(np.uint64)
        self._take(*np.unique(hashes[some], return_counts=True))

    def _bits(self, values: NDArray[Any]) -> Hashes:
        if values.dtype.kind == "f":
            steady = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, and no negative zero
            return steady.astype(np.float64).view(np.uint64)
        return self._texts.of(values.tolist())

    def _take(self, hashes: Hashes, counts: NDArray[np.int64]) -> None:
        self._frequent = _most(*_added(*self._frequent, hashes, counts))
        kept = self._keeps(hashes)
        self._hashes, self._counts = _added(self._hashes, self._counts, hashes[kept], counts[kept])
        while self._hashes.size > KEPT:
            self._level += 1
            kept = self._keeps(self._hashes)
            self._hashes, self._counts = self._hashes[kept], self._counts[kept]

    def _keeps(self, hashes: Hashes) -> NDArray[np.bool_]:
        return hashes <= np.uint64(0xFFFF_FFFF_FFFF_FFFF >> self._level)

    @property
    def rows(self) -> int:
        """How many rows there were."""
        return self._rows

    @property
    def known(self) -> bool:
        """Whether enough rows can be told apart to say anything."""
        return bool(self._counts.size) and self._told >= ENOUGH * self._rows

    def result(self) -> float:
        """Give how many rows count as one, at least 1; 1 where there are no rows, and where nothing is known.

        Examples
        --------
        >>> Copies((), 0).result()
        1.0
        """
        if not self.known:
            return 1.0
        hashes, counts, weights = self._weighed()
        order = np.argsort(counts)
        below = np.cumsum((counts * weights)[order])
        most = float(counts[order][np.searchsorted(below, QUANTILE * below[-1])])
        twice = (hashes & _TWICE) == _TWICE
        beyond = float((weights * counts * (counts - 1))[twice].sum()) / self._rows
        return max(1.0, most, 1.0 + beyond)

    def stuck(self, times: float) -> bool:
        """Tell whether three quarters of the rows that can be told are there more than so often: a feed that is stuck."""
        if not self.known:
            return False
        _, counts, weights = self._weighed()
        return bool((counts * weights)[counts > times].sum() >= (1.0 - QUANTILE) * self._told)

    def decidable(self, min_rows: int) -> float:
        """Give `result`, but of a feed that is stuck no more than leaves so many rows: it would never be called a change.

        With fewer than `min_rows` nothing would be decided, not even that all rows are the same.
        """
        most = max(1.0, self._rows / min_rows)
        return min(self.result(), most) if self.stuck(most) else self.result()

    def _weighed(self) -> tuple[Hashes, NDArray[np.float64], NDArray[np.float64]]:
        """Give rows, how often each is there, and how many different rows it stands for."""
        if not self._level:
            return self._hashes, self._counts.astype(np.float64), np.ones(self._hashes.size)
        hashes, counts = self._frequent
        often = counts * FREQUENT > self._told  # what Misra and Gries miss of one is less than that
        hashes, counts = hashes[often], counts[often]
        rest = ~np.isin(self._hashes, hashes)
        sampled = self._counts[rest]
        weight = max(0.0, float(self._told - counts.sum())) / max(1, int(sampled.sum()))
        weights = np.concatenate([np.ones(counts.size), np.full(sampled.size, weight)])
        return np.concatenate([hashes, self._hashes[rest]]), np.concatenate([counts, sampled]).astype(np.float64), weights


def _added(
    hashes: Hashes, counts: NDArray[np.int64], others: Hashes, other_counts: NDArray[np.int64]
) -> tuple[Hashes, NDArray[np.int64]]:
    both, places = np.unique(np.concatenate([hashes, others]), return_inverse=True)
    counted = np.bincount(places.reshape(-1), np.concatenate([counts, other_counts]), both.size)
    return both, counted.astype(np.int64)


def _most(hashes: Hashes, counts: NDArray[np.int64]) -> tuple[Hashes, NDArray[np.int64]]:
    """Keep those that are there most often, less by the count of the first that is left out (Agarwal et al., 2012)."""
    if counts.size <= FREQUENT:
        return hashes, counts
    left = np.partition(counts, counts.size - FREQUENT - 1)[counts.size - FREQUENT - 1]
    kept = counts > left
    return hashes[kept], counts[kept] - left


def heavy_values(column: ColumnSchema, rows: int) -> NDArray[np.float64] | None:
    """Give the values of a column that stand by themselves in training; ``None`` where the others aren't fine.

    Parameters
    ----------
    column
        Of the schema; only numbers can be fine.
    rows
        Among so many rows fewer than `BY_CHANCE` may be expected to agree with a given one. How many do in training, the points
        of its quantile sketch say, each weighing as many rows as it stands for.
    """
    reference = column.reference
    if not isinstance(reference, NumericSummary) or not reference.points.size:
        return None
    weights = reference.weights.astype(np.float64)
    values, places = np.unique(reference.points, return_inverse=True)
    points, masses = np.bincount(places), np.bincount(places, weights)
    heavy = (points > 1) & (masses >= HEAVY * masses.sum())
    rest, alone = masses[~heavy], float((weights[~heavy[places]] ** 2).sum())
    # the probability that two of the others agree; a point agrees with itself, which says nothing
    pairs = float(rest.sum() ** 2) - alone
    ties = (float((rest**2).sum()) - alone) / pairs if pairs > 0 else 1.0
    return values[heavy] if ties * rows <= BY_CHANCE else None


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
