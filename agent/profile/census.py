"""The first reading: what each column holds, so that its type and its bins can be chosen. All of it can be merged."""

from __future__ import annotations

import math

import numpy as np
from datasketches import hll_sketch, hll_union
from numpy.typing import NDArray

from agent.profile.blocks import Opaque, Texts, Values
from agent.profile.quantiles import QuantileSketch

EXACT_VALUES = 1024
"""Up to this many distinct numbers of a column are counted exactly."""

EXACT_TEXTS = 10_000
"""Up to this many distinct texts of a column are counted exactly; beyond, the rarest are let go."""

_HLL_BITS = 14

_WHOLE_LIMIT = 2.0**53
"""From here on every double is whole, so wholeness says nothing."""


class NumberCensus:
    """A column of numbers: moments, quantiles, and exact counts while there are few distinct values.

    Moments are merged by Chan, Golub & LeVeque (1979). Memory: that of `QuantileSketch`, and `EXACT_VALUES` pairs.
    """

    def __init__(self) -> None:
        self.rows = self.missing = self.infinite = self.count = 0
        self.mean = self.squares = 0.0
        self.minimum, self.maximum = math.inf, -math.inf
        self.whole = True
        self.quantiles = QuantileSketch()
        self.exact: dict[float, int] | None = {}
        """Rows of each value; ``None`` once there were too many."""

    def update(self, values: NDArray[np.float64]) -> None:
        """Add a block, shape ``(n,)``, NaN where missing."""
        finite = values[np.isfinite(values)] + 0.0  # minus zero becomes zero
        missing = int(np.isnan(values).sum())
        self.rows += len(values)
        self.missing += missing
        self.infinite += len(values) - missing - len(finite)
        if not len(finite):
            return
        finite.sort()
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(finite.mean())
            self._moments(len(finite), mean, float(np.square(finite - mean).sum()))
        self.minimum, self.maximum = min(self.minimum, float(finite[0])), max(self.maximum, float(finite[-1]))
        self.whole = self.whole and bool((np.floor(finite) == finite).all() and np.abs(finite[[0, -1]]).max() < _WHOLE_LIMIT)
        self.quantiles.update(finite)
        self._count(finite)

    def merge(self, other: NumberCensus) -> None:
        """Add what `other` has seen."""
        self.rows += other.rows
        self.missing += other.missing
        self.infinite += other.infinite
        self._moments(other.count, other.mean, other.squares)
        self.minimum, self.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        self.whole = self.whole and other.whole
        self.quantiles.merge(other.quantiles)
        self._add(other.exact)

    @property
    def variance(self) -> float:
        """The population variance of the finite values; NaN without any."""
        return self.squares / self.count if self.count else math.nan

    def distribution(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Give ascending values and their rows: exact if there are few, else the sketch's, with the true ends."""
        if self.exact is not None:
            pairs = sorted(self.exact.items())
            return np.array([v for v, _ in pairs], dtype=np.float64), np.array([n for _, n in pairs], dtype=np.int64)
        points, weights = self.quantiles.points()
        points[0], points[-1] = self.minimum, self.maximum
        return points, weights

    def _moments(self, count: int, mean: float, squares: float) -> None:
        if not count or not self.count:
            self.mean, self.squares = (mean, squares) if count else (self.mean, self.squares)
            self.count += count
            return
        total = self.count + count
        delta = mean - self.mean
        with np.errstate(over="ignore", invalid="ignore"):
            self.squares = float(np.float64(self.squares) + squares + np.float64(delta) * delta * self.count * count / total)
        self.mean += delta * (count / total)
        self.count = total

    def _count(self, ascending: NDArray[np.float64]) -> None:
        if self.exact is None:
            return
        starts = np.flatnonzero(np.concatenate(([True], ascending[1:] != ascending[:-1])))
        if len(starts) > EXACT_VALUES:
            self.exact = None
            return
        counts = np.diff(np.append(starts, len(ascending)))
        self._add(dict(zip(ascending[starts].tolist(), counts.tolist(), strict=True)))

    def _add(self, counts: dict[float, int] | None) -> None:
        if counts is None or self.exact is None:
            self.exact = None
            return
        for value, count in counts.items():
            self.exact[value] = self.exact.get(value, 0) + count
        if len(self.exact) > EXACT_VALUES:
            self.exact = None


class TextCensus:
    """A column of texts: exact counts up to `EXACT_TEXTS` distinct ones, beyond that the frequent ones.

    Beyond, the counters are those of Misra & Gries (1982): any text in more than ``rows / EXACT_TEXTS`` rows is among the
    candidates. Their exact counts are the second reading's.

    Parameters
    ----------
    keep
        Whether there is use for the frequent ones beyond `EXACT_TEXTS`; if not, only `distinct` goes on, from a lower bound.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self.rows = self.missing = 0
        self.counts: dict[str, int] = {}
        self.complete = True
        """Whether `counts` has every text with its exact rows."""
        self._distinct = hll_sketch(_HLL_BITS)

    def update(self, values: Texts) -> None:
        """Add a block."""
        counts = np.bincount(values.codes + 1, minlength=len(values.labels) + 1).tolist()
        self.rows += len(values.codes)
        self.missing += counts[0]
        if not self.complete and not self._keep:
            return
        totals: dict[str, int] = {}
        for label, count in zip(values.labels, counts[1:], strict=True):
            if count:
                totals[label] = totals.get(label, 0) + count
        self._add(totals)

    def merge(self, other: TextCensus) -> None:
        """Add what `other` has seen; `distinct` is exact only while both are complete."""
        self.rows += other.rows
        self.missing += other.missing
        if not other.complete:
            union = hll_union(_HLL_BITS)
            union.update(self._distinct)
            union.update(other._distinct)
            self._distinct = union.get_result()
            self._give_up_completeness()
        self._add(other.counts)

    @property
    def distinct(self) -> int:
        """Distinct texts: exact if `complete`, else within about 1 % (HyperLogLog, 2^14 registers)."""
        return len(self.counts) if self.complete else max(len(self.counts), round(self._distinct.get_estimate()))

    def ranked(self) -> list[tuple[str, int]]:
        """Give texts and rows, most frequent first, ties by text."""
        return sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))

    def _add(self, counts: dict[str, int]) -> None:
        for text, count in sorted(counts.items()):
            self.counts[text] = self.counts.get(text, 0) + count
        if len(self.counts) > EXACT_TEXTS:
            self._give_up_completeness()
            if not self._keep:
                return
            least = sorted(self.counts.values(), reverse=True)[EXACT_TEXTS]
            self.counts = {text: count - least for text, count in self.counts.items() if count > least}
        if not self.complete:
            self._sketch(counts)

    def _give_up_completeness(self) -> None:
        if self.complete:
            self._sketch(self.counts)
        self.complete = False

    def _sketch(self, texts: dict[str, int]) -> None:
        for text in sorted(texts):
            self._distinct.update(text)


class OpaqueCensus:
    """A column that is not looked at."""

    def __init__(self) -> None:
        self.rows = self.missing = 0

    def update(self, values: Opaque, rows: int) -> None:
        """Add a block of `rows` rows."""
        self.rows += rows
        self.missing += values.missing

    def merge(self, other: OpaqueCensus) -> None:
        """Add what `other` has seen."""
        self.rows += other.rows
        self.missing += other.missing


Census = NumberCensus | TextCensus | OpaqueCensus


def take(census: Census, values: Values, rows: int) -> None:
    """Add a block of `rows` rows to the census of its kind."""
    match census, values:
        case NumberCensus(), np.ndarray():
            census.update(values)
        case TextCensus(), Texts():
            census.update(values)
        case OpaqueCensus(), Opaque():
            census.update(values, rows)
        case _:
            raise TypeError(f"{type(values).__name__} does not go into {type(census).__name__}")
