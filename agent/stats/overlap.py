"""Looks that overlap: how many independent looks one look at a stretch that slides along is worth.

A stretch of L panes that is looked at after every pane shares all but a pane with the look before. The chance that any of many
looks goes beyond a limit that one look exceeds with probability p is therefore less than p for each of them. For a stationary
Gaussian sequence whose correlation falls by ``1/L`` a step it is p times

``(z² / L) ν(z sqrt(2 / L))``

for each look, z being the limit in standard deviations and ν the overshoot of a random walk, which tells steps from a path. For
the norm of d such sequences, whose limit u is a chi-square quantile, z² becomes ``u - d + 2``: the rate at which the norm goes
up through its limit, over the probability of being beyond. It is 1 for one pane, and a quarter for the sixty of an hour.

Sources: Siegmund, "Sequential Analysis" (1985), chapter 4 and §10.4, for ν and the Gaussian sequence; Siegmund and Yakir, "The
Statistics of Gene Mapping" (2007), §5.3, for its short form; Aldous, "Probability Approximations via the Poisson Clumping
Heuristic" (1989), chapters C and D, for norms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, ndtr

Floats = NDArray[np.float64]


def independent_looks(panes: ArrayLike, level: float, freedom: int = 1) -> Floats:
    """Give how many independent looks each look at a sliding stretch is worth.

    Parameters
    ----------
    panes
        How many panes the stretch has, at least 1; it is looked at after each of them.
    level
        The probability of going beyond the limit at one look, in (0, 0.1].
    freedom
        Of the statistic: 1 for a mean or a share, the bins less one for a divergence.

    Returns
    -------
    NDArray
        In (0, 1], of the shape of `panes`; the fewer, the longer the stretch.

    Examples
    --------
    >>> independent_looks([1, 8, 60, 512], 1e-6).round(2).tolist()
    [1.0, 0.76, 0.24, 0.04]
    """
    energy = np.maximum(float(chdtri(freedom, level)) - freedom + 2.0, 1.0) / np.maximum(panes, 1)
    return np.asarray(np.minimum(energy * _overshoot(np.sqrt(2.0 * energy)), 1.0))


def _overshoot(step: Floats) -> Floats:
    """Give ν, of the step in standard deviations, by Siegmund and Yakir's formula; 1 for no step."""
    half = step / 2.0
    density = np.exp(-half * half / 2.0) / np.sqrt(2.0 * np.pi)
    found: Floats = (2.0 / step) * (ndtr(half) - 0.5) / (half * ndtr(half) + density)
    return found
