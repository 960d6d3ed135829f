"""All that is frozen of how training's columns go together, and what it is learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.joint.association import Cells
from agent.joint.correlation import ReferenceCorrelation, correlation_of, tail_of
from agent.joint.design import Design
from agent.joint.fourier import ReferenceFourier, features, frequencies, median_distance, spread_of, tolerance_of
from agent.joint.moments import CrossMoments
from agent.joint.relevance import Relevance
from agent.joint.usual import Usual, nothing

Floats = NDArray[np.float64]

LEAST_ROWS = 100
"""Rows of training that the structure can be learned from."""

TAIL_SAMPLE = 20_000
"""Rows that the tails of influences are learned from: 0.6 s with 64 columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned of a design matrix; `CrossMoments` and `FourierSums` of traffic are compared with it."""

    correlation: ReferenceCorrelation
    bandwidth: float
    fourier: ReferenceFourier


@dataclass(frozen=True, slots=True, eq=False)
class JointReference:
    """How training's columns go together, ready to compare with.

    Parameters
    ----------
    names
        Of the design's columns.
    correlation, fourier
        Of the design matrix.
    waves
        The frequencies of the Fourier features.
    tolerance
        The discrepancy that a shift of one column by a quarter of its deviation makes.
    features, answers
        Cells of the features and of the prediction, found by their places in `agent.profile.schema.Schema.columns`; both
        without columns where there is no prediction.
    relevance
        Of each of the features in training.
    usual
        What chunks of training differed by.
    """

    names: tuple[str, ...]
    correlation: ReferenceCorrelation
    fourier: ReferenceFourier
    waves: Floats
    tolerance: float
    features: Cells
    answers: Cells
    relevance: Relevance
    usual: Usual

    @property
    def width(self) -> int:
        """Columns of the design matrix."""
        return len(self.names)


def learn(matrix: Floats, compared: NDArray[np.bool_]) -> Learned | None:
    """Learn from rows of training's design matrix.

    Parameters
    ----------
    matrix
        Shape ``(n, d)``.
    compared
        Pairs, as in `ReferenceCorrelation`.

    Returns
    -------
    Learned
        ``None`` for fewer than `LEAST_ROWS` rows or without columns. Cost: 1.5 s for 50,000 rows of 64 columns.
    """
    rows, size = matrix.shape
    if rows < LEAST_ROWS or not size:
        return None
    moments = CrossMoments(size)
    moments.update(matrix)
    found = correlation_of(moments.result())
    tail = tail_of(matrix[:: -(-rows // TAIL_SAMPLE)], found)
    bandwidth = median_distance(matrix)
    waved = features(matrix, frequencies(size, bandwidth)).astype(np.float64)
    fourier = ReferenceFourier(rows, waved.mean(axis=0), *spread_of(waved))
    return Learned(ReferenceCorrelation(rows, found.r, found.variance, tail, compared), bandwidth, fourier)


def comparable(design: Design) -> NDArray[np.bool_]:
    """Say which pairs of a design's columns to compare, shape ``(d, d)``: not one with itself, nor two indicators of one column.

    Indicators of one column exclude each other, so their correlation follows from their shares.
    """
    return np.asarray(design.places[:, None] != design.places[None, :])


def reference_of(
    learned: Learned, names: tuple[str, ...], features: Cells, answers: Cells, relevance: Relevance, usual: Usual | None = None
) -> JointReference:
    """Make what was learned ready to compare with; without `usual` no chunk is known to differ. Cost: below 1 ms."""
    waves = frequencies(len(names), learned.bandwidth)
    tolerance = tolerance_of(learned.fourier.means, waves)
    usual = usual or nothing(len(names), len(features.names))
    return JointReference(names, learned.correlation, learned.fourier, waves, tolerance, features, answers, relevance, usual)
