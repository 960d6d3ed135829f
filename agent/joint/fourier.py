"""Random Fourier features: a sum per frequency that stands for the whole joint distribution.

Rahimi and Recht, "Random Features for Large-Scale Kernel Machines" (NIPS 2007): for frequencies w drawn from a normal
distribution with deviation 1/bandwidth, the mean over w of ``exp(i w (x - y))`` is near the Gaussian kernel
``exp(-|x - y|² / 2 bandwidth²)``. So the distance of two distributions' means of ``exp(i w x)`` is their maximum mean
discrepancy (Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012): exactly that of the kernel which these frequencies
make, and about that of the Gaussian one. The bandwidth is the median distance of training's rows (the same, §8).

The frequencies come from a counter-based seed and the normal quantile function, not from numpy's normal generator, whose
stream may change between versions (NEP 19 fixes the bits alone): every replica and every release has the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from agent.errors import OutriderError
from agent.joint.wire import pack, unpack

Floats = NDArray[np.float64]

TAG = b"fourier-means/1 "

FREQUENCIES = 64
"""The squared distance is an average over these, each between 0 and 4."""

SEED = 20_070_612

CHUNK = 1024
"""Rows projected at a time: half a megabyte of float32, which the second-level cache holds."""

MEDIAN_ROWS = 1000
"""Rows whose distances the bandwidth is the median of: half a million of them."""

LEAST_BANDWIDTH = 0.1
"""Where most of training's rows are equal; a tenth of a column's deviation."""


@dataclass(frozen=True, slots=True)
class FourierMeans:
    """Means of ``cos(w x)`` and ``sin(w x)``; leading axes, such as scales, may stand before those shown.

    Parameters
    ----------
    rows
        How many rows the means are of, shape ``(...)``; where it is 0 all means are 0.
    means
        Cosines, then sines, shape ``(..., 2 * FREQUENCIES)``.
    """

    rows: NDArray[np.int64]
    means: Floats


@dataclass(frozen=True, slots=True)
class ReferenceFourier:
    """Fourier features in training.

    Parameters
    ----------
    rows
        Of training's sample.
    means
        As in `FourierMeans`, shape ``(2 D,)``.
    squares, largest
        The sum of the squared eigenvalues of the covariance of φ (the features over sqrt(D)), and the largest of them.
    """

    rows: int
    means: Floats
    squares: float
    largest: float


def frequencies(size: int, bandwidth: float) -> Floats:
    """Give the frozen frequencies for a design of `size` columns, shape ``(size, FREQUENCIES)``."""
    bits = np.random.PCG64(SEED).random_raw(size * FREQUENCIES)
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return np.asarray(ndtri(uniform).reshape(size, FREQUENCIES) / bandwidth, dtype=np.float64)


def median_distance(matrix: Floats) -> float:
    """Give the bandwidth for rows of training: the median of the distances of `MEDIAN_ROWS` evenly spread ones.

    At least `LEAST_BANDWIDTH`, also for fewer than two rows. Cost: 10 ms.
    """
    rows = matrix[np.linspace(0, len(matrix) - 1, min(MEDIAN_ROWS, len(matrix))).astype(np.int64)]
    if len(rows) < 2:
        return LEAST_BANDWIDTH
    power = np.square(rows).sum(axis=1)
    squared = power[:, None] + power[None, :] - 2 * rows @ rows.T
    return max(LEAST_BANDWIDTH, float(np.sqrt(max(0.0, np.median(squared[np.triu_indices(len(rows), 1)])))))


def features(matrix: Floats, waves: Floats) -> NDArray[np.float32]:
    """Give cosines and sines of each row, float32, shape ``(n, 2 * FREQUENCIES)``. Cost: 0.2 µs a row for 50 columns."""
    phase = matrix.astype(np.float32) @ waves.astype(np.float32)
    return np.concatenate((np.cos(phase), np.sin(phase)), axis=1)


def spread_of(features: Floats) -> tuple[float, float]:
    """Give `ReferenceFourier.squares` and `largest` of training's features, shape ``(n, 2 D)``; 0 and 0 for fewer than two rows.

    Examples
    --------
    >>> spread_of(np.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]))
    (1.0, 1.0)
    """
    if len(features) < 2:
        return 0.0, 0.0
    covariance = np.cov(features.T, bias=True) / (features.shape[1] // 2)
    return float(np.square(covariance).sum()), float(np.linalg.eigvalsh(covariance)[-1])


def tolerance_of(means: Floats, waves: Floats, shift: float = 0.25) -> float:
    """Give the discrepancy that a shift of one design column by `shift` deviations of training makes.

    Where ``x_j`` becomes ``x_j + δ`` in every row, frequency k's mean is turned: ``m_k exp(i w_kj δ)``. So the squared
    discrepancy is the mean over k of ``|m_k|² |1 - exp(i w_kj δ)|²``, exactly; the median over the columns j is taken.

    Parameters
    ----------
    means
        Of training, shape ``(2 D,)``.
    waves
        The frequencies, shape ``(d, D)``.
    shift
        δ, in units of the design: training's robust deviations.

    Returns
    -------
    float
        At least 0; 0 for a design without columns.
    """
    if not waves.size:
        return 0.0
    cosines, sines = np.split(means, 2)
    turned = 2.0 - 2.0 * np.cos(waves * shift)
    return float(np.sqrt(np.median(((cosines**2 + sines**2) * turned).mean(axis=1))))


class FourierSums:
    """Sums of random Fourier features. 128 numbers.

    Parameters
    ----------
    waves
        From `frequencies`.

    Examples
    --------
    >>> sums = FourierSums(frequencies(2, bandwidth=1.0))
    >>> sums.update(np.zeros((3, 2)))
    >>> result = sums.result()
    >>> int(result.rows), result.means[:2].tolist(), result.means[-2:].tolist()
    (3, [1.0, 1.0], [0.0, 0.0])
    """

    __slots__ = ("_sums", "_waves", "rows")

    def __init__(self, waves: Floats) -> None:
        self._waves = waves
        self.rows = 0
        self._sums = np.zeros(2 * waves.shape[1])

    def update(self, matrix: Floats) -> None:
        """Add rows of the design matrix, shape ``(n, d)``, finite."""
        for start in range(0, len(matrix), CHUNK):
            self._sums += features(matrix[start : start + CHUNK], self._waves).sum(axis=0)
        self.rows += len(matrix)

    def merge(self, other: FourierSums) -> None:
        """Add what `other` has seen; it must have the same frequencies (`OutriderError` for another shape)."""
        if self._waves.shape != other._waves.shape:
            raise OutriderError("Fourier sums of different designs can't be added up")
        self.rows += other.rows
        self._sums += other._sums

    def result(self) -> FourierMeans:
        """Give the means; all 0 where there are no rows."""
        return FourierMeans(np.array(self.rows, dtype=np.int64), self._sums / max(1, self.rows))

    def to_bytes(self) -> bytes:
        """Write the state: 536 bytes."""
        return pack(TAG, self.rows, [self._sums.astype("<f4")])

    @classmethod
    def from_bytes(cls, data: bytes, waves: Floats) -> FourierSums:
        """Read what `to_bytes` wrote for the same frequencies; `OutriderError` if it is something else."""
        sums = cls(waves)
        sums.rows, (sums._sums,) = unpack(data, TAG, [("<f4", 2 * waves.shape[1])])
        return sums
