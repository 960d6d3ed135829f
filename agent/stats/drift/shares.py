"""Two samples in the same bins as shares, the way the statistics over bins take them.

A numeric column is compared over its bins, a categorical one over its categories with the unseen values as one more. Missing
values are in neither: the missing share is a statistic of its own. Leading axes broadcast, so that seven scales of a window
are compared with one reference in one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.stats.drift.effect import Flags, Floats

RARE = 5.0
"""A bin where both samples expect fewer rows than this, at the effective size of the smaller one, is too rare to compare:
Cochran's rule (Biometrics 10, 1954), under which the chi-square approximation holds."""

Counts = NDArray[np.int64] | NDArray[np.int32] | NDArray[np.float64]
"""Counts in bins, shape ``(..., B)``. Whole numbers, or a reference's divided by an overdispersion of its own."""


@dataclass(frozen=True, slots=True)
class Shares:
    """Two samples over the same bins, broadcast against each other.

    Parameters
    ----------
    current, reference
        Shares of the window and of training, shape ``(..., B)``; each sums to 1, or is all 0 where the sample is empty.
    rows, reference_rows
        Raw sizes, shape ``(...)`` before broadcasting.
    effective
        Rows of the window over its overdispersion, at least 1e-9.
    reference_effective
        Rows of the reference, at least 1e-9.
    defined
        Where neither sample is empty.
    """

    current: Floats
    reference: Floats
    rows: Floats
    reference_rows: Floats
    effective: Floats
    reference_effective: Floats
    defined: Flags

    @property
    def noise(self) -> Floats:
        """Give ``1/n + 1/m`` over the effective sizes, shape ``(...)``."""
        noise: Floats = 1.0 / self.effective + 1.0 / self.reference_effective
        return noise


def shares_of(current: Counts, reference: Counts, overdispersion: ArrayLike) -> Shares:
    """Turn counts into shares.

    Parameters
    ----------
    current, reference
        Counts in the same bins, shapes ``(..., B)`` that broadcast.
    overdispersion
        By how much the window's counts vary more than independent rows' would; values below 1 count as 1. Broadcasts with
        the leading shape.

    Examples
    --------
    >>> shares = shares_of(np.array([[30, 10], [0, 0]]), np.array([50, 50]), 2.0)
    >>> shares.current.tolist(), shares.reference.tolist(), shares.effective.tolist(), shares.defined.tolist()
    ([[0.75, 0.25], [0.0, 0.0]], [0.5, 0.5], [20.0, 1e-09], [True, False])
    """
    rows = current.sum(axis=-1, dtype=np.float64)
    reference_rows = reference.sum(axis=-1, dtype=np.float64)
    p = current / np.maximum(rows, TINY)[..., None]
    q = reference / np.maximum(reference_rows, TINY)[..., None]
    effective = np.maximum(rows / np.maximum(overdispersion, 1.0), TINY)
    defined = np.asarray((rows > 0) & (reference_rows > 0) & (effective > 0))
    return Shares(p, q, rows, reference_rows, effective, np.maximum(reference_rows, TINY), defined)


TINY = 1e-9
"""Stands in for the size of an empty sample, whose results are thrown away."""


def gaps(shares: Shares) -> Floats:
    """Give the difference of both distribution functions at the end of each bin, shape ``(..., B)``.

    A loop over bins, each step over all comparisons: a third of the time of numpy's sums along the last axis, and what is
    taken over bins afterwards is quicker too, as each bin lies together.

    >>> gaps(shares_of(np.array([5, 5, 0]), np.array([0, 5, 5]), 1.0)).tolist()
    [0.5, 0.5, 0.0]
    """
    p, q = shares.current, shares.reference
    found = np.empty((p.shape[-1], *np.broadcast_shapes(p.shape[:-1], q.shape[:-1])))
    found[0] = p[..., 0] - q[..., 0]
    for place in range(1, len(found)):
        found[place] = found[place - 1] + p[..., place] - q[..., place]
    return np.moveaxis(found, 0, -1)


def without_rare(shares: Shares) -> tuple[Floats, Floats, Floats]:
    """Pool the bins that are too rare to compare (`RARE`) into one per comparison.

    With hundreds of categories and a hundred rows most bins are empty by chance alone; the sum over them would say drift.
    Pooling can only understate a divergence (data processing inequality), and pools nothing once there are rows enough.
    The pool is a bin of its own, or joins the rarest of the others where it is still too rare. Padding vanishes in it.

    Parameters
    ----------
    shares
        Two samples.

    Returns
    -------
    tuple
        The shares of both again, shape ``(..., B)``, 0 in both where a bin was pooled away; and how many bins are left,
        float64, shape ``(...)``, at least 1 where the comparison is defined.

    Examples
    --------
    >>> p, q, bins = without_rare(shares_of(np.array([60, 37, 2, 1, 0]), np.array([600, 360, 30, 10, 0]), 1.0))
    >>> p.round(2).tolist(), q.round(2).tolist(), bins.item()
    ([0.6, 0.4, 0.0, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0, 0.0], 2.0)
    """
    p, q = shares.current, shares.reference
    both = p + q
    # the share that a bin has on average over both samples must give RARE rows in the smaller one
    least = 2 * RARE / np.minimum(shares.effective, shares.reference_effective)
    rare = both < least[..., None]
    bins = both.shape[-1] - np.count_nonzero(rare, axis=-1).astype(np.float64)
    pooled = np.einsum("...b,...b->...", both, rare)
    some = pooled > 0
    if not some.any():
        return p, q, bins
    alone = some & (pooled >= least)
    target = np.where(alone, rare.argmax(axis=-1), np.where(rare, np.inf, both).argmin(axis=-1))[..., None]
    kept = ~rare
    result = []
    for share in (p, q):
        moved = np.einsum("...b,...b->...", share, rare)[..., None]
        left = share * kept
        np.put_along_axis(left, target, np.take_along_axis(left, target, axis=-1) + moved, axis=-1)
        result.append(left)
    return result[0], result[1], np.maximum(bins + alone, some)
