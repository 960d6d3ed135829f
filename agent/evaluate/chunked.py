"""How far chunks of the training data are from all of it, and from one another: what a column does by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.table import CATEGORY, NUMERIC, statistics_of
from agent.evaluate.view import CategoryView, NumericView, View
from agent.profile.chunks import Chunks, ColumnChunks
from agent.sketch.frame import CategoryFrame, Floats, Frames, NumericFrame
from agent.stats.drift.binned import Binned, Bins, Scaled, sigma_of
from agent.stats.drift.kurtosis import kurtosis
from agent.window.layout import Layout

LEAST_CHUNKS = 6
"""Fewer say nothing of how far chunks are apart; NannyML warns below six, too."""

DEVIATIONS = 3.0
"""Standard deviations over chunks, beside their mean: the usual three of control charts (Shewhart, 1931)."""

HALF = 0.5
"""The level of the bounds: half of the time the effect is larger. So what chance does to a chunk is taken off."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """Figures of C columns in k stretches, coarse: leading shape ``(k, C)``."""

    numeric: NumericFrame
    category: CategoryFrame

    def take(self, rows: NDArray[np.int64]) -> _Sample:
        """Give some of the stretches."""
        numeric, category = self.numeric, self.category
        return _Sample(
            NumericFrame(*(getattr(numeric, name)[rows] for name in NumericFrame.__slots__)),
            CategoryFrame(category.missing[rows], category.counts[rows]),
        )


def usual_effects(
    chunks: Chunks, layout: Layout, names: Sequence[str], training: Frames
) -> tuple[dict[tuple[str, str], Floats], dict[tuple[str, str], Floats]]:
    """Give, by column and statistic, what each chunk differs by.

    Parameters
    ----------
    chunks
        Of the training data.
    layout, names
        The compared columns, and the names of all.
    training
        Its figures as a whole, shape ``(C,)``.

    Returns
    -------
    tuple
        Against all of training, and against the chunk before: arrays of magnitudes, shape ``(chunks,)`` or ``(pairs,)``, without
        those that are undefined. Empty with fewer than `LEAST_CHUNKS` chunks.
    """
    if len(chunks.rows) < LEAST_CHUNKS:
        return {}, {}
    sample = _sample(chunks, layout, names)
    whole = _coarse(training, layout)
    tails = _tails(training.numeric, layout)
    against_all = _effects(sample, whole, layout, names, tails)
    pairs = chunks.neighbours()
    if len(pairs) < LEAST_CHUNKS:
        return against_all, {}
    return against_all, _effects(sample.take(pairs[:, 1]), sample.take(pairs[:, 0]), layout, names, tails)


def threshold_of(magnitudes: Floats) -> float:
    """Give the mean and three standard deviations more.

    Examples
    --------
    >>> round(threshold_of(np.array([0.1, 0.2, 0.3])), 3)
    0.445
    """
    return float(magnitudes.mean() + DEVIATIONS * magnitudes.std()) if magnitudes.size else 0.0


def _coarse(training: Frames, layout: Layout) -> _Sample:
    """Give training with coarse bins, and of each the sums, so that it is known where the bins lie."""
    numeric = training.numeric
    counts = layout.bins.coarse(numeric.counts.astype(np.float64))
    return _Sample(replace(numeric, counts=counts, sums=layout.bins.coarse(numeric.sums)), training.category)


def _sample(chunks: Chunks, layout: Layout, names: Sequence[str]) -> _Sample:
    stretches = len(chunks.rows)
    shape = (stretches, len(layout.numeric))
    counts = np.zeros((*shape, layout.bins.coarse_width), dtype=np.int64)
    missing, mean, variance = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan), np.full(shape, np.nan)
    for place, column in enumerate(layout.numeric):
        found = chunks.columns.get(names[column])
        if found is not None:
            counts[:, place, : found.counts.shape[1]] = found.counts
            missing[:, place], mean[:, place], variance[:, place] = found.missing, found.mean, found.variance
    none = np.zeros(shape, dtype=np.int64)
    nothing = np.full(shape, np.nan)
    numeric = NumericFrame(
        missing, none, counts.sum(axis=-1), mean, variance, nothing, nothing, none, counts, np.zeros((*shape, 0))
    )
    categories = np.zeros((stretches, len(layout.category), layout.known + 1), dtype=np.int64)
    absent = np.zeros((stretches, len(layout.category)), dtype=np.int64)
    for place, column in enumerate(layout.category):
        found = chunks.columns.get(names[column])
        if found is not None:
            _fill(categories[:, place], found)
            absent[:, place] = found.missing
    return _Sample(numeric, CategoryFrame(absent, categories))


def _fill(cells: NDArray[np.int64], found: ColumnChunks) -> None:
    cells[:, : found.counts.shape[1] - 1] = found.counts[:, :-1]
    cells[:, -1] = found.counts[:, -1]


def _effects(
    current: _Sample, reference: _Sample, layout: Layout, names: Sequence[str], tails: Floats
) -> dict[tuple[str, str], Floats]:
    cells, whole = current.numeric.counts.astype(np.float64), np.asarray(reference.numeric.counts, dtype=np.float64)
    once = np.ones(1)
    numeric = NumericView(current.numeric, reference.numeric, cells, whole, cells, whole, layout.bins, once)
    category = CategoryView(
        current.category, reference.category, current.category.counts.astype(np.float64),
        reference.category.counts.astype(np.float64), once,
    )  # fmt: skip
    found: dict[tuple[str, str], Floats] = {}
    views: tuple[tuple[str, View, tuple[int, ...]], ...] = (
        (NUMERIC, numeric, layout.numeric),
        (CATEGORY, category, layout.category),
    )
    for kind, view, places in views:
        for statistic in statistics_of(kind):
            if places and not statistic.needs_sums:
                _keep(found, statistic.name, statistic.compare(view, HALF).lower, places, names)
    if layout.numeric:
        for name, measure in (("wasserstein", _distance), ("variance", _spread)):
            _keep(found, name, measure(current.numeric, reference.numeric, tails), layout.numeric, names)
    return found


def _keep(
    found: dict[tuple[str, str], Floats], statistic: str, magnitudes: Floats, places: Sequence[int], names: Sequence[str]
) -> None:
    for column, place in enumerate(places):
        column_magnitudes = magnitudes[:, column]
        found[names[place], statistic] = column_magnitudes[np.isfinite(column_magnitudes)]


def _tails(training: NumericFrame, layout: Layout) -> Floats:
    """Give the kurtosis of training's columns, shape ``(C,)``, that of an exponential (9) at most.

    Less than there is makes a column more tolerant; more would make it less than its own waves.
    """
    bins = layout.bins
    count = training.count.astype(np.float64)
    sigma = sigma_of(count, training.mean, training.variance)
    with np.errstate(all="ignore"):
        sample = Binned(count, training.mean, training.variance, training.counts, training.sums)
        found = kurtosis(Scaled.of(sample, sigma, bins.origin), Bins.of(bins.edges, bins.origin, sigma), count)
    return np.minimum(found, EXPONENTIAL)


EXPONENTIAL = 9.0
"""The kurtosis of an exponential distribution."""


def _distance(current: NumericFrame, reference: NumericFrame, tails: Floats) -> Floats:
    """Give the Wasserstein-2 distance over σ of normal distributions with these moments.

    Chunks keep no sums of bins. The distance of order 1 is never larger than that of order 2, which for normal distributions is
    ``sqrt((mean - mean')² + (s - s')²)`` (Givens and Shortt, 1984). What chance makes of that is taken off, in units of σ²:
    ``1/n`` for the mean and ``(κ - 1)/4n`` for the deviation, with the kurtosis κ.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.sqrt(reference.variance)
        usable = np.where(sigma > 0, sigma, np.nan)
        apart = np.hypot(current.mean - reference.mean, np.sqrt(current.variance) - sigma) / usable
        return _beyond(apart, (1.0 + (tails - 1.0) / 4.0) * _chance(current, reference))


def _spread(current: NumericFrame, reference: NumericFrame, tails: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(current.variance / reference.variance) / 2
        return _beyond(ratio, (tails - 1.0) / 4.0 * _chance(current, reference))


def _chance(current: NumericFrame, reference: NumericFrame) -> Floats:
    return np.asarray(1.0 / current.count + 1.0 / reference.count, dtype=np.float64)


def _beyond(effect: Floats, chance: Floats) -> Floats:
    """Shrink the magnitudes of a column's effects by the part of their squares that chance has; NaN where not finite.

    ``sqrt(1 - chance / mean square)`` over the chunks: independent rows come to about 0, and a wave far larger than chance stays
    as it is (James and Stein, 1961). No more than chance is taken off: a wave as large as chance would go with it, and page at
    its crest every day.
    """
    found = np.isfinite(effect) & np.isfinite(chance)
    squares, expected = np.where(found, np.square(effect), 0.0).sum(axis=0), np.where(found, chance, 0.0).sum(axis=0)
    part = 1.0 - expected / np.maximum(squares, np.finfo(np.float64).tiny)
    return np.where(found, np.abs(effect) * np.sqrt(np.maximum(part, 0.0)), np.nan)
