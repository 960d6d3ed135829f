"""How many independent looks a sliding stretch is worth: against simulated sequences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from agent.stats.overlap import independent_looks

LOOKS = 400
RUNS = 2_000


@pytest.mark.parametrize("freedom", [1, 9])
@pytest.mark.parametrize("panes", [1, 4, 16, 60])
def test_the_highest_of_many_looks_exceeds_the_limit_as_often_as_allowed(panes: int, freedom: int) -> None:
    source = np.random.default_rng([panes, freedom])
    allowed = 0.1
    each = allowed / LOOKS
    limit = stats.chi2.isf(each / float(independent_looks(panes, each, freedom)), freedom)
    exceeded = 0
    for _ in range(RUNS):
        sums = np.cumsum(np.pad(source.normal(size=(LOOKS + panes - 1, freedom)), ((1, 0), (0, 0))), axis=0)
        highest = np.square(sums[panes:] - sums[:-panes]).sum(axis=1).max() / panes
        exceeded += bool(highest > limit)
    # 1 - exp(-0.1) for looks that are rare and apart; four standard errors of the simulation are 0.027
    assert 0.05 < exceeded / RUNS < 1 - np.exp(-allowed) + 0.027


def test_the_overshoot_is_siegmunds_series() -> None:
    """ν(x) = 2 x⁻² exp(-2 Σ Φ(-x sqrt(n) / 2) / n), of which the closed form is within a few per cent."""
    n = np.arange(1, 20_000)
    for panes in (2, 8, 30, 200):
        level = 1e-6
        energy = (stats.chi2.isf(level, 1) + 1) / panes
        step = np.sqrt(2 * energy)
        series = 2 / step**2 * np.exp(-2 * (stats.norm.cdf(-step * np.sqrt(n) / 2) / n).sum())
        assert float(independent_looks(panes, level)) == pytest.approx(min(1.0, energy * series), rel=0.05)
