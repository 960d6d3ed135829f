"""How many rows say as much as one independent row, of whole rows: from how far neighbouring panes are apart.

Bursts, sessions and repeated rows make the means of two panes differ by more than chance. For independent rows the squared
distance of two panes' Fourier means, over ``Σλ (1/n₁ + 1/n₂)``, has the expectation 1 (`agent.stats.joint.mmd`); what it is in
fact is the factor by which rows are fewer than they seem. The median over pairs of neighbours is taken: one real jump is one
pair, and a slow cycle moves little from one pane to the next. A weighted sum of chi-squares has its median below its mean, by
``(1 - 2/9ν)³`` with ``ν = (Σλ)² / Σλ²`` (Wilson and Hilferty, "The Distribution of Chi-Square", PNAS 17, 1931); that is put
right.
"""

from __future__ import annotations

import numpy as np

from agent.joint.fourier import FourierMeans, ReferenceFourier

LEAST_ROWS = 10
"""Rows that a pane needs."""

LEAST_PAIRS = 3
"""Pairs of neighbours that a median needs; with fewer, one jump would pass for burstiness."""


def overdispersion(panes: FourierMeans, reference: ReferenceFourier) -> float:
    """Estimate the factor.

    Parameters
    ----------
    panes
        Of the single panes of a window in their order, shape ``(panes,)``.
    reference
        Of training.

    Returns
    -------
    float
        At least 1; 1 with fewer than `LEAST_PAIRS` pairs of panes with rows enough.

    Examples
    --------
    >>> from agent.joint.fourier import features, frequencies, spread_of
    >>> waves = frequencies(3, bandwidth=2.0)
    >>> rows = features(np.random.default_rng(2).standard_normal((4000, 3)), waves)
    >>> training = ReferenceFourier(4000, rows.mean(axis=0), *spread_of(rows))
    >>> means = rows.reshape(100, 40, -1).mean(axis=1)
    >>> [round(overdispersion(FourierMeans(np.full(100, n), means), training)) for n in (40, 120)]  # each row thrice
    [1, 3]
    """
    some = panes.rows >= LEAST_ROWS
    n, means = panes.rows[some], panes.means[some]
    if len(n) <= LEAST_PAIRS:
        return 1.0
    d = means.shape[-1] // 2
    apart = np.square(np.diff(means, axis=0)).sum(axis=-1) / d
    spread = 1.0 - np.square(means).sum(axis=-1) / d
    expected = (spread[1:] + spread[:-1]) / 2 * (1 / n[1:] + 1 / n[:-1])
    total = 1.0 - float(np.square(reference.means).sum()) / d
    freedom = max(1.0, total * total / max(reference.squares, 1e-12))
    ratio = np.divide(apart, expected, out=np.zeros_like(apart), where=expected > 1e-12)
    shrink = 1 - 2 / (9 * freedom)
    return max(1.0, float(np.median(ratio) / shrink**3))
