"""How often each lower bound is above the truth, by simulation: at most `ALPHA` of the time, give or take the simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.stats.drift.bins import Counts
from agent.stats.drift.chi_square import chi_square
from agent.stats.drift.effect import Comparison, Effect
from agent.stats.drift.jensen_shannon import jensen_shannon
from agent.stats.drift.kolmogorov_smirnov import kolmogorov_smirnov, ks_of_counts
from agent.stats.drift.l_infinity import l_infinity
from agent.stats.drift.mean_shift import mean_shift
from agent.stats.drift.missing_share import missing_share
from agent.stats.drift.psi import psi
from agent.stats.drift.wasserstein import wasserstein

Floats = NDArray[np.float64]

ALPHA = 0.05
REPEATS = 250
MOST = ALPHA * REPEATS + 3 * math.sqrt(ALPHA * (1 - ALPHA) * REPEATS)
"""Three standard deviations above the mean of a bound that spends all of its error."""

SIZES = ((50, 10_000), (100, 100_000), (1000, 1000), (1000, 10_000), (20_000, 10_000))

FLAT = np.full(10, 0.1)
SKEWED = np.array([0.9, 0.05, 0.02, 0.01, 0.01, 0.005, 0.003, 0.001, 0.0005, 0.0005])
MANY = 1 / np.arange(1, 201) / (1 / np.arange(1, 201)).sum()
UNSEEN = np.append(FLAT, 0.0)

OVER_COUNTS: dict[str, Callable[[Counts, Counts, float], Comparison]] = {
    "psi": psi,
    "js": jensen_shannon,
    "chi_square": chi_square,
    "l_infinity": l_infinity,
    "ks": ks_of_counts,
}


def truths(p: Floats, q: Floats) -> dict[str, float]:
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        entropies = [np.nansum(np.where(x > 0, x * np.log2(x / middle), 0.0)) for x in (p, q)]
        index = np.nansum(np.where((p > 0) & (q > 0), (p - q) * np.log(p / q), np.where(p == q, 0.0, np.inf)))
    return {
        "psi": float(index),
        "js": math.sqrt(max(0.0, sum(entropies) / 2)),
        "chi_square": math.sqrt(float(np.nansum((p - q) ** 2 / np.where(middle > 0, middle, 1.0)))),
        "l_infinity": float(np.abs(p - q).max()),
        "ks": float(np.abs(np.cumsum(p - q)).max()),
    }


def tilted(p: Floats, factor: float) -> Floats:
    moved = p * np.linspace(1 - factor, 1 + factor, len(p))
    return np.asarray(moved / moved.sum())


def moved_to_last(p: Floats, share: float) -> Floats:
    moved = p * (1 - share)
    moved[-1] += share
    return moved


CASES = {
    "flat, no drift": (FLAT, FLAT),
    "skewed, no drift": (SKEWED, SKEWED),
    "200 categories, no drift": (MANY, MANY),
    "never seen, no drift": (UNSEEN, UNSEEN),
    "flat, tilted": (tilted(FLAT, 0.5), FLAT),
    "200 categories, tilted": (tilted(MANY, 0.4), MANY),
    "skewed, a rare one grew": (moved_to_last(SKEWED, 0.05), SKEWED),
    "skewed, a rare one went": (SKEWED, moved_to_last(SKEWED, 0.05)),
    "unseen came": (moved_to_last(UNSEEN, 0.05), UNSEEN),
}


@pytest.mark.parametrize("name", OVER_COUNTS)
@pytest.mark.parametrize("case", CASES)
def test_the_bound_over_counts_is_rarely_above_the_truth(case: str, name: str) -> None:
    p, q = CASES[case]
    truth = truths(p, q)[name]
    for rows, reference_rows in SIZES:
        rng = np.random.default_rng(rows + reference_rows)
        above = 0
        for current, reference in zip(
            rng.multinomial(rows, p, REPEATS), rng.multinomial(reference_rows, q, REPEATS), strict=True
        ):
            result = OVER_COUNTS[name](current, reference, ALPHA)
            above += isinstance(result, Effect) and result.lower > truth + 1e-12
        assert above <= MOST, (rows, reference_rows, above / REPEATS)


DRAWS: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(sigma=1.0, size=n),
    "rare_flag": lambda rng, n: (rng.random(n) < 0.06).astype(np.float64),
}
NUMERIC = {"ks": kolmogorov_smirnov, "wasserstein": wasserstein, "mean_shift": mean_shift}


def summary(values: Floats, edges: Floats) -> NumericSummary:
    sketch = NumericSketch(edges, np.arange(0, len(edges) + 1, 6))
    sketch.update(values)
    return sketch.result()


@pytest.mark.parametrize("rows", [10, 100, 2000])
@pytest.mark.parametrize("draw", DRAWS)
def test_the_same_numbers_rarely_have_a_bound_above_nothing(draw: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    above = dict.fromkeys(NUMERIC, 0)
    references = []
    for _ in range(5):
        values = DRAWS[draw](rng, 20_000)
        edges = np.unique(np.quantile(values, np.arange(1, 60) / 60))
        references.append(summary(values, edges))
    for i in range(REPEATS):
        reference = references[i % 5]
        current = summary(DRAWS[draw](rng, rows), reference.edges)
        for name, statistic in NUMERIC.items():
            result = statistic(current, reference, ALPHA)
            assert isinstance(result, Effect)
            above[name] += result.lower > 0.01  # skewed means need a little room at this size; a tenth of any tolerance
    assert max(above.values()) <= MOST, above


@pytest.mark.parametrize("rows", [100, 1000])
def test_a_known_shift_is_rarely_overstated(rows: int) -> None:
    shift = 0.3
    truth = {"ks": 2 * float(ndtr(shift / 2)) - 1, "wasserstein": shift, "mean_shift": shift}
    rng = np.random.default_rng(rows)
    values = rng.normal(size=100_000)
    reference = summary(values, np.quantile(values, np.arange(1, 60) / 60))
    above = dict.fromkeys(NUMERIC, 0)
    for _ in range(REPEATS):
        current = summary(rng.normal(shift, 1.0, rows), reference.edges)
        for name, statistic in NUMERIC.items():
            result = statistic(current, reference, ALPHA)
            assert isinstance(result, Effect)
            above[name] += result.lower > truth[name] + 0.01
    assert max(above.values()) <= MOST, above


def only_missing(rows: int, missing: int) -> Summary:
    return CategorySummary(rows, missing, ("a",), np.array([rows - missing]), 0, 1.0)


@pytest.mark.parametrize(("share", "reference_share"), [(0.0, 0.0), (0.002, 0.002), (0.3, 0.3), (0.06, 0.01), (0.01, 0.06)])
@pytest.mark.parametrize(("rows", "reference_rows"), SIZES)
def test_the_bound_of_the_missing_share_is_rarely_above_the_truth(
    rows: int, reference_rows: int, share: float, reference_share: float
) -> None:
    rng = np.random.default_rng(rows)
    above = 0
    for _ in range(REPEATS):
        current = only_missing(rows, int(rng.binomial(rows, share)))
        reference = only_missing(reference_rows, int(rng.binomial(reference_rows, reference_share)))
        result = missing_share(current, reference, ALPHA)
        assert isinstance(result, Effect)
        above += result.lower > abs(share - reference_share) + 1e-12
    assert above <= MOST
