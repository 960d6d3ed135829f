"""How often the intervals hold the truth: exactly, by adding up the probability of every possible pair of counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from agent.stats.bias.impact_ratio import impact_ratio
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, Interval, clopper_pearson, wilson

SIZES = ((5, 8), (10, 40), (30, 30), (100, 20))
SHARES = (0.01, 0.05, 0.2, 0.5, 0.8, 0.98)


def intervals(name: str, ends: Ends, alpha: float, n: int, m: int) -> Interval:
    """Of every pair of counts."""
    x, y = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    return (parity_difference if name == "difference" else impact_ratio)(x, n, y, m, alpha, ends)


def chances(n: int, m: int) -> Iterator[tuple[float, float, NDArray[np.float64]]]:
    """Give two shares and how likely every pair of counts then is."""
    for p in SHARES:
        for q in SHARES:
            yield p, q, np.outer(stats.binom.pmf(np.arange(n + 1), n, p), stats.binom.pmf(np.arange(m + 1), m, q))


def coverages(name: str, ends: Ends, alpha: float) -> NDArray[np.float64]:
    found = []
    for n, m in SIZES:
        interval = intervals(name, ends, alpha, n, m)
        for p, q, chance in chances(n, m):
            truth = p - q if name == "difference" else p / q
            inside = (interval.lower <= truth + 1e-12) & (truth <= interval.upper + 1e-12)
            found.append(float(chance[inside].sum()))
    return np.array(found)


def claims(name: str, ends: Ends, alpha: float, sizes: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """How often the least gap that is claimed, as a difference or a logarithm of the ratio, is more than the true one."""
    found = []
    for n, m in sizes:
        interval = intervals(name, ends, alpha, n, m)
        lower, upper = interval.lower, interval.upper
        if name == "ratio":
            with np.errstate(divide="ignore"):
                lower, upper = np.log(lower), np.log(upper)
        least = np.maximum(lower, -upper)
        for p, q, chance in chances(n, m):
            truth = abs(p - q if name == "difference" else np.log(p / q))
            found.append(float(chance[least > truth + 1e-12].sum()))
    return np.array(found)


@pytest.mark.parametrize("alpha", [0.05, 0.001, 1e-5])
@pytest.mark.parametrize("name", ["difference", "ratio"])
def test_what_decides_claims_too_much_no_more_often_than_it_says(name: str, alpha: float) -> None:
    assert claims(name, clopper_pearson, alpha, (*SIZES, (100, 100), (100, 400))).max() <= alpha


@pytest.mark.parametrize("name", ["difference", "ratio"])
def test_what_people_read_would_claim_too_much_at_small_levels(name: str) -> None:
    assert claims(name, wilson, 1e-5, ((100, 400),)).max() > 1e-5


@pytest.mark.parametrize("name", ["difference", "ratio"])
def test_what_people_read_holds_the_truth_about_as_often_as_it_says(name: str) -> None:
    found = coverages(name, wilson, 0.05)
    assert found.mean() == pytest.approx(0.96, abs=0.015)
    assert found.min() > 0.88


def test_an_interval_that_were_too_short_would_be_found() -> None:
    def half(count: NDArray[np.float64], rows: NDArray[np.float64], alpha: object) -> tuple[NDArray[np.float64], ...]:
        low, high = wilson(count, rows, 0.05)
        share = count / rows
        return share - (share - low) / 2, share + (high - share) / 2

    assert coverages("difference", half, 0.05).min() < 0.8  # type: ignore[arg-type]
