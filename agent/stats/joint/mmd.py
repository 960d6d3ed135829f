"""Maximum mean discrepancy between the window and training, from means of random Fourier features, with a bound.

With φ(x) the 64 complex features of a row over sqrt(64), so that ``|φ(x)| = 1``, the discrepancy is ``|E φ(x) - E φ(y)|``,
and two samples of n and m rows of one distribution show some of it by chance. With ``s = 1/n + 1/m``, L = ln(1/alpha) and λ the
eigenvalues of the features' covariance, chance stays below the smaller one of two bounds:

- ``sqrt(s (Σλ + 2 sqrt(L Σλ²) + 2 L max λ)) + 2 L / (3 min(n, m))``. The square of the error tends to ``s Σ λ χ²`` (Gretton
  et al., "A Kernel Two-Sample Test", JMLR 13, 2012, theorem 12), and a sum of weighted chi-squares stays below what is under
  the root (Laurent and Massart, Annals of Statistics 28, 2000, lemma 1). The last term is Bernstein's for rows that add at
  most 2/n in any direction: it covers what is not normal yet where rows are few. In one direction the sum is Bernstein's
  inequality itself; over all of them it is checked by simulation (tests/oracle/test_joint_changes.py).
- McDiarmid's inequality, without any limit: one row moves the length by at most 2/n, so ``sqrt(s Σλ) + sqrt(2 L s)``.

λ is training's, which is the window's where nothing changed. Σλ of the window is known, ``1 - |mean|²``; where it is larger,
all λ grow with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.joint.fourier import FourierMeans, ReferenceFourier

Floats = NDArray[np.float64]

LEAST_ROWS = 20.0
"""Below this many rows, after overdispersion, nothing is proven."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A maximum mean discrepancy, in [0, 2], of the leading shape.

    Parameters
    ----------
    value
        Without the part that is expected by chance: the root of the unbiased estimate of the square (Gretton et al., 2012,
        lemma 6), 0 where that is negative.
    lower
        What it is at least: ``0 <= lower <= value``.
    """

    value: Floats
    lower: Floats


def mmd(now: FourierMeans, reference: ReferenceFourier, alpha: float, overdispersion: Floats | float = 1.0) -> Discrepancy:
    """Measure how far the window's joint distribution is from training's.

    Parameters
    ----------
    now
        Of the window, leading shape ``(...)``.
    reference
        Of training.
    alpha
        The chance that `lower` exceeds the true discrepancy, for each leading place.
    overdispersion
        By how much the rows are fewer than they seem, at least 1, shape ``(...)``.

    Returns
    -------
    Discrepancy
        0 and 0 with fewer than `LEAST_ROWS` rows on either side.

    Examples
    --------
    >>> from agent.joint.fourier import FourierSums, features, frequencies, spread_of
    >>> waves = frequencies(2, bandwidth=1.5)
    >>> rows = np.random.default_rng(1).standard_normal((2, 10_000, 2))
    >>> then, now = features(rows[0], waves), FourierSums(waves)
    >>> training = ReferenceFourier(10_000, then.mean(axis=0), *spread_of(then))
    >>> now.update(rows[1])
    >>> print(mmd(now.result(), training, 0.01).lower)
    0.0
    >>> now.update(rows[1] + 2.0)
    >>> found = mmd(now.result(), training, 0.01)
    >>> print(found.value.round(2), found.lower.round(2))
    0.42 0.39
    """
    d = reference.means.shape[-1] // 2
    n, m = np.maximum(now.rows / overdispersion, 1.0), float(max(1, reference.rows))
    squared = np.square(now.means - reference.means).sum(axis=-1) / d
    trace_then = max(1.0 - float(np.square(reference.means).sum()) / d, 1e-12)
    trace_now = np.maximum(1.0 - np.square(now.means).sum(axis=-1) / d, 0.0)
    value = np.sqrt(np.maximum(squared - trace_now / n - trace_then / m, 0.0))
    growth = np.maximum(trace_now / trace_then, 1.0)
    radius = _radius(
        n, m, (trace_then * growth, reference.squares * growth**2, reference.largest * growth), float(-np.log(alpha))
    )
    enough = (now.rows / overdispersion >= LEAST_ROWS) & (reference.rows >= LEAST_ROWS)
    lower = np.clip(np.sqrt(squared) - radius, 0.0, value)
    return Discrepancy(np.where(enough, value, 0.0), np.where(enough, lower, 0.0))


def _radius(n: Floats, m: float, spread: tuple[Floats, Floats, Floats], log: float) -> Floats:
    trace, squares, largest = spread
    s = 1 / n + 1 / m
    normal = np.sqrt(s * (trace + 2 * np.sqrt(log * squares) + 2 * log * largest)) + 2 * log / (3 * np.minimum(n, m))
    return np.asarray(np.minimum(normal, np.sqrt(s * trace) + np.sqrt(2 * log * s)))
