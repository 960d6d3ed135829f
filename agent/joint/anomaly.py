"""One number per row: how strange it is, as a whole.

The tail probabilities of a row's values (`agent.joint.tails`) and of its two distances (`agent.joint.subspace`) are combined by
their weighted harmonic mean, ``p = 1 / Σ w/p`` (Wilson, "The harmonic mean p-value for combining dependent tests", PNAS 116(4),
2019): it holds for dependent columns, and one value in a million is not drowned by a hundred ordinary ones, as in Fisher's sum.
Half of the weight is shared by the columns, the other half by the two distances. The score is ``-log10 p``: 3 is about one row in
a thousand.

About, because it is not what decides: the threshold is a quantile of the scores of training, and those are scored by a model
that has not seen them (`agent.joint.rows`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DISTANCES = ("joint.reconstruction_error", "joint.mahalanobis")
"""The columns of distances, in this order; they follow a row's own values in what `scores` is given."""

SCORE = "row.anomaly"
"""The column of scores."""

TOP = 10
"""Rows of a batch, and of a window, of which it is said why they are strange."""

TAIL_RANKS = 10
"""Scores that say how far the tail reaches."""

KEPT_RANKS = 64
"""Scores of training that a profile keeps, from the highest down."""


def scores(rarities: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the score of each row.

    Parameters
    ----------
    rarities
        ``1 / p``, at least 1, shape ``(c, rows)``.
    weights
        Shape ``(c,)``, not negative, of sum 1.

    Returns
    -------
    scores
        Shape ``(rows,)``, at least 0.

    Examples
    --------
    >>> scores(np.array([[1.0, 1000.0], [1.0, 1.0]]), np.array([0.5, 0.5])).round(2).tolist()
    [0.0, 2.7]
    """
    return np.maximum(np.log10(weights @ rarities), 0.0)


def weights_of(columns: int, distances: int) -> NDArray[np.float64]:
    """Give the weights of so many columns and so many distances after them; each group has half where both are there."""
    share = [0.5 if columns and distances else 1.0] * 2
    return np.repeat([share[0] / max(columns, 1), share[1] / max(distances, 1)], [columns, distances])


@dataclass(frozen=True, slots=True)
class Threshold:
    """The upper end of the scores of training.

    Parameters
    ----------
    rows
        How many there were.
    ranks
        Ascending from 1, the highest.
    scores
        At these ranks, descending.
    """

    rows: int
    ranks: tuple[int, ...]
    scores: tuple[float, ...]

    def at(self, quantile: float) -> float:
        """Give the score that a row like those of training exceeds with the probability ``1 - quantile``.

        Parameters
        ----------
        quantile
            In (0, 1). Between the ranks that are kept it is interpolated in ``ln rank``. Where training was too small to tell,
            the score goes on as an exponential tail does: by the mean excess of the `TAIL_RANKS` highest for each factor of e,
            and by no less than 1 for each factor of ten, as -log10 of a probability does. Below the lowest rank that is kept,
            its score.

        Examples
        --------
        >>> threshold = Threshold(999, (1, 2, 10, 100), (3.0, 2.9, 2.0, 1.0))
        >>> [round(threshold.at(quantile), 2) for quantile in (0.9, 0.99, 0.9999)]
        [1.0, 2.0, 6.76]
        """
        rank = (1 - quantile) * (self.rows + 1)
        if not self.ranks:
            return float("inf")
        if rank < self.ranks[0]:
            tail = self.scores[: TAIL_RANKS + 1]
            excess = sum(tail[:-1]) / max(1, len(tail) - 1) - tail[-1] if len(tail) > 1 else 0.0
            return self.scores[0] + max(excess, 1 / math.log(10)) * math.log(self.ranks[0] / rank)
        return float(np.interp(np.log(rank), np.log(self.ranks), self.scores))


def threshold_of(training: NDArray[np.float64]) -> Threshold:
    """Keep what is needed of the scores of training, shape ``(n,)``: the highest, ever fewer further down."""
    descending = np.sort(training)[::-1]
    count = len(descending)
    if not count:
        return Threshold(0, (), ())
    wanted = np.concatenate(
        (np.arange(1, KEPT_RANKS // 2 + 1), np.geomspace(KEPT_RANKS // 2 + 1, max(count, 64), KEPT_RANKS // 2))
    )
    ranks = np.unique(np.minimum(wanted.astype(np.int64), count))
    return Threshold(count, tuple(ranks.tolist()), tuple(descending[ranks - 1].tolist()))


def strongest(
    rarities: Sequence[float], weights: NDArray[np.float64], names: Sequence[str], count: int = 3
) -> list[tuple[str, float]]:
    """Give the columns that contribute most to one row's score, with their tail probabilities.

    >>> strongest([1.0, 1000.0, 10.0], np.array([0.4, 0.2, 0.4]), ("a", "b", "c"), 2)
    [('b', 0.001), ('c', 0.1)]
    """
    shares = np.asarray(rarities) * weights
    order = np.argsort(-shares, kind="stable")[:count]
    return [(names[i], float(1.0 / rarities[i])) for i in order.tolist()]
