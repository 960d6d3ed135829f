"""How much chunks of training go together otherwise than all of it: by themselves, without what chance does to so few rows.

Two columns that both follow the time of day are correlated over all of training and not within an hour: an hour's window then
differs from training for good, and always by as much as the hours of training do. So every chunk's effect is measured, and what
is usual is ``|mean| + 3 deviations`` of the effects over the chunks (Shewhart's three, as for single columns).

- *Chance.* The effects of k chunks vary by their own differences and by the sampling error of each, whose variance is known.
  Their variance (divisor k - 1) has the expectation of both, so the mean sampling variance is taken off: the method of moments
  of random-effects meta-analysis (DerSimonian and Laird, "Meta-Analysis in Clinical Trials", Controlled Clinical Trials 7, 1986).
- *Doubt.* Of many pairs some look restless by chance. What two standard errors more of chance would explain is taken off too, of
  the mean and of the variance (whose error is ``sqrt(2 / (k - 1) + excess kurtosis / k)`` of it), so that where training is calm
  the settings stand.

Not the root of the mean square: columns that go together by -0.5 over all and by 0 within every hour differ by 0.5 in each of
them. That is usual; 1.5 is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.joint.correlation import ReferenceCorrelation, correlation_of
from agent.joint.fourier import CHUNK, FREQUENCIES, ReferenceFourier, features
from agent.joint.moments import CrossMoments, Moments
from agent.joint.relevance import Relevance, relevance

Floats = NDArray[np.float64]

ENOUGH = 6
"""Chunks that say something of a pair or a feature; fewer say nothing of how far chunks are apart."""

DEVIATIONS = 3.0

DOUBT = 2.0
"""Standard errors."""

SINE = 2.0
"""The square of a sine at its crest, over its mean."""

LEAST_ROWS = 20
"""Rows that a chunk needs."""

SUPPORT = 8.0
"""Rows over kurtosis that a column needs in it, as in a window (`agent.stats.joint.correlation_change`)."""

TABLE_ROWS, TABLE_SHARE = 50.0, 2.0
"""Rows that a table needs, and rows per degree of freedom, as in a window (`agent.stats.joint.association_change`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """What chunks of training differ from all of it by, beyond chance; 0 where nothing is known.

    Parameters
    ----------
    correlation
        Of r, in [0, 2], shape ``(d, d)``, symmetric.
    association
        Of the uncertainty coefficient, in [0, 1], shape ``(features,)``.
    discrepancy
        The maximum mean discrepancy, in [0, 2].
    """

    correlation: Floats
    association: Floats
    discrepancy: float


def nothing(width: int, tables: int) -> Usual:
    """Give what is known without chunks, for so many columns of the design and so many features."""
    return Usual(np.zeros((width, width)), np.zeros(tables), 0.0)


def beyond_chance(effects: Floats, chance: Floats, excess: float = 0.0) -> Floats:
    """Give what is usual among effects that were measured with errors.

    Parameters
    ----------
    effects
        Signed, shape ``(k, ...)``; NaN where a chunk does not say.
    chance
        The variance of the error of each, shape ``(k, ...)``; NaN as well.
    excess
        The excess kurtosis of the errors; 0 is normal.

    Returns
    -------
    ndarray
        At least 0, shape ``(...)``; 0 where fewer than `ENOUGH` chunks say something.

    Examples
    --------
    >>> restless = np.array([-0.8, -0.4, 0.0, 0.4, 0.8, 0.0] * 4)
    >>> chance = np.full(24, 0.01)
    >>> print(beyond_chance(restless, chance).round(2), beyond_chance(restless / 10, chance))
    1.54 0.0
    """
    said = np.isfinite(effects) & np.isfinite(chance)
    k = said.sum(axis=0)
    n, more = np.maximum(k, 1), np.maximum(k - 1, 1)
    values = np.where(said, effects, 0.0)
    mean = values.sum(axis=0) / n
    variance = np.where(said, np.square(values - mean), 0.0).sum(axis=0) / more
    error = np.where(said, chance, 0.0).sum(axis=0) / n
    middle = np.maximum(np.abs(mean) - DOUBT * np.sqrt(error / n), 0.0)
    spread = np.sqrt(np.maximum(variance - error * (1 + DOUBT * np.sqrt(2 / more + excess / n)), 0.0))
    return np.asarray(np.where(k >= ENOUGH, middle + DEVIATIONS * spread, 0.0))


def usual_correlation(chunks: Moments, reference: ReferenceCorrelation) -> Floats:
    """Give `Usual.correlation`.

    Parameters
    ----------
    chunks
        Leading shape ``(k,)``.
    reference
        Of all of training. The larger one of its variance and of the chunk's is taken for chance, as for a window.
    """
    found = correlation_of(chunks)
    n = found.rows[:, None]
    some = (n >= LEAST_ROWS) & (n >= SUPPORT * found.kurtosis)  # False where the kurtosis is NaN
    used = some[:, :, None] & some[:, None, :] & reference.compared
    effects = np.where(used, found.r - reference.r, np.nan)
    chance = np.maximum(found.variance, reference.variance) / np.maximum(n[..., None] - 3, 1)
    return np.minimum(beyond_chance(effects, chance), 2.0)


def usual_association(tables: NDArray[np.int64], reference: Relevance) -> Floats:
    """Give `Usual.association`; tables of shape ``(k, features, r, c)``.

    The bias of the coefficient is corrected in each chunk. Near independence its error is that of a chi-square over
    ``2 n H(Y)``, of the variance ``2 freedom``; it is added to the delta method's, which is 0 there.
    """
    found = relevance(tables)
    n, freedom = np.maximum(found.rows, 1), found.freedom
    some = (found.rows >= TABLE_ROWS) & (found.rows >= TABLE_SHARE * freedom)
    effects = np.where(some, found.value - reference.value, np.nan)
    entropy = np.where(found.entropy > 0, found.entropy, np.nan)
    chance = np.maximum(found.variance, reference.variance) / n + freedom / (2 * np.square(n * entropy))
    return np.minimum(beyond_chance(effects, chance), 1.0)


def usual_discrepancy(rows: NDArray[np.int64], means: Floats, reference: ReferenceFourier) -> float:
    """Give `Usual.discrepancy`, from rows and Fourier means of the chunks, shapes ``(k,)`` and ``(k, 2 D)``.

    Of the square, which can be measured without bias: less ``Σλ / n``. Under chance it is a weighted sum of chi-squares: its
    variance is ``2 Σλ² / n²``, its excess kurtosis ``12 Σλ⁴ / (Σλ²)²``, which is at most ``12 max λ² / Σλ²``.

    Where chance hides how far the squares are apart, their mean still tells of a wave: it is at least the crest of a sine with
    the largest mean that two standard errors allow. A busy window shows it without any chance.
    """
    d = means.shape[-1] // 2
    n = np.maximum(rows, 1)
    trace = 1.0 - np.square(means).sum(axis=-1) / d
    trace_then = max(1.0 - float(np.square(reference.means).sum()) / d, 1e-12)
    squared = np.square(means - reference.means).sum(axis=-1) / d - trace / n
    chance = 2 * reference.squares * np.square(np.maximum(trace / trace_then, 1.0) / n)
    excess = 12 * reference.largest**2 / max(reference.squares, 1e-12)
    some = rows >= LEAST_ROWS
    found = float(beyond_chance(np.where(some, squared, np.nan), chance, excess))
    if some.sum() >= ENOUGH:
        doubt = DOUBT * float(np.sqrt(chance[some].mean() / some.sum()))
        found = max(found, SINE * (max(float(squared[some].mean()), 0.0) + doubt))
    return min(float(np.sqrt(found)), 2.0)


def sums_of(matrix: Floats, slots: NDArray[np.int64], chunks: int, waves: Floats) -> tuple[Moments, Floats]:
    """Add up the rows of each chunk.

    Parameters
    ----------
    matrix
        Rows of the design, shape ``(n, d)``.
    slots
        The chunk of each, in ``[0, chunks)``.
    chunks
        How many there are.
    waves
        The frequencies.

    Returns
    -------
    tuple
        Moments and Fourier means, with a leading axis of chunks. Cost: 0.5 s for 50,000 rows of 64 columns.
    """
    moments, means = [], np.zeros((chunks, 2 * FREQUENCIES))
    for chunk in range(chunks):
        mine = matrix[slots == chunk]
        sums = CrossMoments(matrix.shape[1])
        sums.update(mine)
        moments.append(sums.result())
        for start in range(0, len(mine), CHUNK):
            means[chunk] += features(mine[start : start + CHUNK], waves).sum(axis=0, dtype=np.float64)
        means[chunk] /= max(1, len(mine))
    names = ("rows", "mean", "products", "thirds", "squares", "cubes")
    return Moments(*(np.stack([getattr(one, name) for one in moments]) for name in names)), means
