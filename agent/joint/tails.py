"""How rare a single value is: its tail probability in training, from a small table.

A number is rare if few of training were as far out on its side: ``p = 2 min(P(X ≤ x), P(X ≥ x))``, from exact counts between
cuts at the quantiles of `LEVELS`. Beyond all of training, p falls on from ``1 / (n + 1)`` as an exponential tail does whose mean
excess is that of the outermost hundredth (Pickands, "Statistical inference using extreme order statistics", Annals of Statistics
3(1), 1975, with shape 0): so the farther, the rarer. A category is as rare as all categories together that are no more frequent
than it. A category that training has not seen has ``p = 1 / (n + 1)``, and so has a missing value where training had none.

What is kept and given is the inverse, ``1 / p``: it adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.joint.design import Encoded

LEVELS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
"""One-sided probabilities at which a column is cut, on both sides. Within the middle half nothing is rare."""

CUTS = 2 * len(LEVELS) + 2
"""Cuts of a number: those and both ends of training."""

TAIL = 0.01
TAIL_VALUES = 10
"""The share of values on each side that say how far the tail reaches, and how many there must be: the mean of one or two says
nothing."""

TOGETHER = 16_384
LONG = 2048
"""Values that are compared with their cuts at once, 20 bytes each on the way; longer columns one by one, at half the price."""

MAX_RARITY = 1e15
"""The rarest that anything can be. Sums of these are still exact enough, and finite."""

_ROUNDING = 2.0**-23
"""Twice the relative error of a float32: a value that is cut at must not fall on the other side because it came as one."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberTail:
    """Rarities of a number.

    Parameters
    ----------
    cuts
        Ascending, shape ``(CUTS,)``; below the first and from the last on lies what is out of the range of training.
    rarities
        ``1 / p`` between them, shape ``(CUTS + 1,)``.
    missing, infinite
        ``1 / p`` of what is not finite.
    low, high
        The mean excess of either tail, positive.
    """

    cuts: NDArray[np.float64]
    rarities: NDArray[np.float64]
    missing: float
    infinite: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class ClassTail:
    """Rarities of a category: first that of a missing value, then one per category, last that of an unseen one."""

    rarities: NDArray[np.float64]


Tail = NumberTail | ClassTail


def number_tail(values: NDArray[np.float64], *, upper: bool = False) -> NumberTail:
    """Learn a number's rarities.

    Parameters
    ----------
    values
        Of training, shape ``(n,)``, NaN for missing. With no finite value among them, any finite value is as rare as can be
        said: ``n + 1``.
    upper
        Whether only high values are rare: of a distance, none is too small.
    """
    rows = len(values)
    ascending = np.sort(values[np.isfinite(values)])
    missing = int(np.isnan(values).sum())
    gaps = _inverse(missing, rows), _inverse(rows - missing - len(ascending), rows)
    if not len(ascending):
        return NumberTail(np.zeros(CUTS), _single(np.full(CUTS + 1, rows + 1.0)), *gaps, np.inf, np.inf)
    count = len(ascending)
    levels = np.array(LEVELS)
    from_below = ascending[np.concatenate(([0], np.floor(levels * count).astype(np.int64)))]
    from_above = ascending[np.concatenate((np.ceil((1 - levels[::-1]) * count).astype(np.int64) - 1, [count - 1]))]
    margin_low = np.abs(from_below) * _ROUNDING
    margin_high = np.maximum(np.abs(from_above) * _ROUNDING, np.spacing(np.abs(from_above)))
    with np.errstate(over="ignore"):
        cuts = np.clip(np.concatenate((from_below - margin_low, from_above + margin_high)), -_LARGEST, _LARGEST)
    cuts = np.maximum.accumulate(cuts)
    below = np.searchsorted(ascending, cuts, side="left")
    at_most, before = np.append(below, count), np.append(0, below)
    low, high = _excesses(ascending)
    if upper:
        return NumberTail(cuts, _single((count + 1) / np.minimum(count - before + 1.0, count + 1)), *gaps, np.inf, high)
    share = np.minimum(1.0, 2 * (np.minimum(at_most, count - before) + 0.5) / (count + 1))
    return NumberTail(cuts, _single(1.0 / share), *gaps, low, high)


_LARGEST = float(np.finfo(np.float64).max)


def class_tail(codes: NDArray[np.int64], categories: int) -> ClassTail:
    """Learn a category's rarities.

    Parameters
    ----------
    codes
        Of training, shape ``(n,)``: places of categories, -1 for missing, anything from `categories` on for those not listed.
    categories
        How many are listed.
    """
    rows = len(codes)
    counts = np.bincount(np.minimum(codes, categories) + 1, minlength=categories + 2)
    missing, listed = int(counts[0]), counts[1:]
    order = np.sort(listed)
    no_more = np.concatenate(([0], np.cumsum(order)))[np.searchsorted(order, listed, side="right")]
    # What training has not seen is as rare as can be said, and what it has seen once is seldom rarer.
    shares = np.minimum(1.0, (np.where(listed > 0, no_more, 0) + 1) / (rows + 1))
    return ClassTail(_single(np.concatenate(([_inverse(missing, rows)], 1.0 / shares))))


class Tails:
    """The tails of several columns side by side.

    Parameters
    ----------
    tails
        By place in the values given to `rarities`; ``None`` for columns that are not looked at.

    Examples
    --------
    >>> tails = Tails([number_tail(np.arange(999.0)), class_tail(np.array([0] * 9 + [1]), 2)])
    >>> tails.rarities([np.array([500.0, -1.0, np.nan]), np.array([0, 1, 2])], 3).round(1).tolist()
    [[1.0, 1199.4, 1000.0], [1.0, 5.5, 11.0]]
    """

    __slots__ = ("_class_rows", "_cuts", "_flat", "_gaps", "_number_places", "_number_rows", "_reach", "places")

    def __init__(self, tails: Sequence[Tail | None]) -> None:
        self.places = tuple(place for place, tail in enumerate(tails) if tail is not None)
        rows = list(enumerate(self.places))
        numbers = [(row, place, tail) for row, place in rows if isinstance(tail := tails[place], NumberTail)]
        self._class_rows = [(row, place, tail.rarities) for row, place in rows if isinstance(tail := tails[place], ClassTail)]
        self._number_rows = np.array([row for row, _, _ in numbers], dtype=np.int64)
        self._number_places = [place for _, place, _ in numbers]
        self._cuts = np.ascontiguousarray(np.array([tail.cuts for _, _, tail in numbers]).reshape(-1, CUTS).T)[:, :, None]
        self._flat = np.concatenate([tail.rarities for _, _, tail in numbers]) if numbers else np.empty(0)
        self._gaps = np.array([(tail.missing, tail.infinite) for _, _, tail in numbers]).reshape(-1, 2)
        self._reach = np.array([(tail.low, tail.high) for _, _, tail in numbers]).reshape(-1, 2)

    def rarities(self, values: Sequence[Encoded | None], rows: int) -> NDArray[np.float64]:
        """Give ``1 / p`` of every value.

        Parameters
        ----------
        values
            Columns; ``None`` for one that is not there: it counts as missing.
        rows
            How many rows each has.

        Returns
        -------
        rarities
            Shape ``(len(places), rows)``, in [1, `MAX_RARITY`]. Cost: 11 ns a number at 1,000 rows, 7 at 4,096, 30 to 40 µs for a
            single row.
        """
        found = np.empty((len(self.places), rows))
        if self._number_places:
            found[self._number_rows] = self._of_numbers(values, rows)
        for row, place, table in self._class_rows:
            column = values[place]
            found[row] = table[0] if column is None else table.take(column.astype(np.int64) + 1, mode="clip")
        return found

    def _of_numbers(self, values: Sequence[Encoded | None], rows: int) -> NDArray[np.float64]:
        numbers = np.empty((len(self._number_places), rows))
        for row, place in enumerate(self._number_places):
            column = values[place]
            numbers[row] = np.nan if column is None else column
        bins = self._bins(numbers)
        starts = np.arange(len(numbers))[:, None] * (CUTS + 1)
        found: NDArray[np.float64] = self._flat.take(starts + bins)
        # Bins 0 and `CUTS`, since 0 - 1 is 255. In a flat array they are found in an eighth of the time.
        outside = np.flatnonzero(bins - np.uint8(1) >= CUTS - 1)
        if outside.size:
            flat, above = found.reshape(-1), bins.reshape(-1)[outside] > 0
            flat[outside] = self._outside(numbers.reshape(-1)[outside], above, flat[outside], outside // rows)
        return found

    def _bins(self, numbers: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Count the cuts that each number has reached."""
        # Comparing all with each cut has no branches to guess wrong: 3 to 7 ns a value, and a binary search 15.
        columns, rows = numbers.shape
        step = 1 if rows >= LONG else max(1, TOGETHER // max(1, rows))
        bins = np.empty(numbers.shape, dtype=np.uint8)
        for start in range(0, columns, step):
            some = slice(start, start + step)
            reached = numbers[some] >= self._cuts[:, some]
            np.add.reduce(reached.view(np.uint8), axis=0, dtype=np.uint8, out=bins[some])
        return bins

    def _outside(
        self, numbers: NDArray[np.float64], above: NDArray[np.bool_], found: NDArray[np.float64], columns: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Go on beyond the ends; NaN is among these too, since no comparison with it is true."""
        ends = np.where(above, self._cuts[-1, columns, 0], self._cuts[0, columns, 0])
        with np.errstate(over="ignore", invalid="ignore"):
            excess = np.abs(numbers - ends) / self._reach[columns, above.astype(np.int64)]
            farther = np.minimum(found * np.exp(np.minimum(excess, 100.0)), MAX_RARITY)
        missing, infinite = self._gaps[columns].T
        found = np.where(np.isinf(numbers), infinite, farther)
        return np.where(np.isnan(numbers), missing, found)


def _single(rarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep what a float32 holds, which is what a profile keeps; none falls below 1."""
    return np.maximum(rarities.astype(np.float32).astype(np.float64), 1.0)


def _inverse(count: int, rows: int) -> float:
    return (rows + 1) / (count + 1)


def _excesses(ascending: NDArray[np.float64]) -> tuple[float, float]:
    """Give the mean excess of both tails; σ where the tail is one value, and the value itself where the column is constant."""
    outer = min(max(int(TAIL * len(ascending)), TAIL_VALUES), len(ascending) // 4)
    low, high = ascending[0], ascending[-1]
    with np.errstate(over="ignore", invalid="ignore"):
        deviation = float((ascending / 2).std() * 2)
        found = [
            float((ascending[outer] - ascending[:outer]).mean()) if outer else 0.0,
            float((ascending[-outer:] - ascending[-outer - 1]).mean()) if outer else 0.0,
        ]
    usual = deviation if 0 < deviation < np.inf else (abs(float(low)) or 1.0) if low == high else _LARGEST
    below, above = (excess if 0 < excess < np.inf else usual for excess in found)
    return below, above
