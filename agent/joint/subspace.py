"""Principal components frozen from training: how far a row is from where rows lay then.

Two distances, of the row x from the mean m of training, with the eigenvectors v and eigenvalues λ of the covariance:

- reconstruction error: ``|x - m|`` without its part along the leading components, those that hold `VARIANCE` of the variance
  (Jackson & Mudholkar, "Control procedures for residuals associated with principal component analysis", Technometrics 21(3),
  1979, whose Q is its square). It grows when a row breaks the structure.
- Mahalanobis distance: ``sqrt(Σ (v·(x - m))² / λ)`` over all components (Mahalanobis, 1936; Hotelling's T² is its square). It
  grows too when a row is far out within the structure.

Small eigenvalues of a sample are too small, and the Mahalanobis distance divides by them. So the covariance is shrunk towards a
multiple of the identity by the factor that Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance
matrices", J. Multivariate Analysis 88(2), 2004, take from the data; and no eigenvalue is below `FLOOR` of their mean, because
columns that are copies of each other have one that is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VARIANCE = 0.65
"""The share of variance of the leading components, as NannyML's `DataReconstructionDriftCalculator` has it."""

FLOOR = 1e-3
"""The smallest eigenvalue, over the mean of all: one σ between two copies of a column counts as 30."""

MIN_WIDTH = 2
"""Columns of the matrix: one alone has no structure."""


@dataclass(frozen=True, slots=True, eq=False)
class Subspace:
    """Frozen principal components.

    Parameters
    ----------
    mean
        Shape ``(d,)``, float64.
    variances
        Eigenvalues of the shrunk covariance, descending, positive, shape ``(d,)``.
    directions
        Eigenvectors as columns, shape ``(d, d)``.
    kept
        How many components are leading: at least 1, at most d - 1.

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0], [0.1, -0.1], [-0.1, 0.1]] * 50)
    >>> error, distance = fit(x).score(np.array([[2.0, 2.0], [2.0, -2.0]]))
    >>> error.round(2).tolist(), bool(distance[1] > 10 * distance[0])
    ([0.0, 2.83], True)
    """

    mean: NDArray[np.float64]
    variances: NDArray[np.float64]
    directions: NDArray[np.float64]
    kept: int

    def score(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give reconstruction error and Mahalanobis distance of each row.

        Parameters
        ----------
        matrix
            Shape ``(rows, d)``, finite.

        Returns
        -------
        errors, distances
            Shape ``(rows,)`` each, not negative; empty without rows. Cost: one product of rows × d by d × d, 0.3 µs a row for
            64 columns.
        """
        along = (matrix - self.mean) @ self.directions
        np.square(along, out=along)
        return np.sqrt(along[:, self.kept :].sum(axis=1)), np.sqrt(along @ (1.0 / self.variances))


def fit(matrix: NDArray[np.float64]) -> Subspace:
    """Learn the components.

    Parameters
    ----------
    matrix
        Shape ``(n, d)``, finite, n ≥ 2 and d ≥ `MIN_WIDTH`; with fewer rows than columns the shrinkage makes up for it. All
        numbers of the result are those of a float32, which is what a profile keeps. Signs are fixed: the largest part of each
        direction is positive.

    Raises
    ------
    ValueError
        If there are too few rows or columns.
    """
    rows, width = matrix.shape
    if rows < 2 or width < MIN_WIDTH:
        raise ValueError(f"{rows} rows of {width} columns have no components")
    mean = matrix.mean(axis=0)
    centred = matrix - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / rows)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    level = float(values.mean())
    if level <= 0:
        return Subspace(_single(mean), np.ones(width), np.eye(width), 1)
    share = shrinkage(centred, values)
    shrunk = np.maximum((1 - share) * values + share * level, FLOOR * level)
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(width)])
    kept = int(np.searchsorted(np.cumsum(values), VARIANCE * values.sum() * (1 - 1e-12))) + 1
    return Subspace(_single(mean), _single(shrunk), _single(vectors * signs), min(kept, width - 1))


def shrinkage(centred: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Give the factor of Ledoit & Wolf (2004), lemmas 3.2 to 3.4.

    Parameters
    ----------
    centred
        Rows without their mean, shape ``(n, d)``.
    values
        Eigenvalues of their covariance with divisor n, shape ``(d,)``.

    Returns
    -------
    float
        In [0, 1]; 0 where all eigenvalues are equal.
    """
    rows = len(centred)
    spread = float(np.square(values - values.mean()).sum())
    if spread <= 0:
        return 0.0
    # |x xᵀ - S|² summed over the rows is Σ|x|⁴ - n |S|².
    noise = float(np.square(np.square(centred).sum(axis=1)).sum()) / rows**2 - float(np.square(values).sum()) / rows
    return min(max(noise, 0.0), spread) / spread


def _single(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(np.float64)
