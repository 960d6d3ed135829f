from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.joint.correlation import ReferenceCorrelation, correlation_of
from agent.joint.fourier import ReferenceFourier, features, frequencies, spread_of
from agent.joint.moments import CrossMoments
from agent.joint.relevance import relevance
from agent.joint.usual import (
    ENOUGH,
    beyond_chance,
    nothing,
    sums_of,
    usual_association,
    usual_correlation,
    usual_discrepancy,
)

Floats = NDArray[np.float64]

HOURS = 64


def hours(rows: int, seed: int, cycle: float) -> tuple[Floats, NDArray[np.int64]]:
    """Make the hours' rows: the first two columns follow the hour, the last two go together within it."""
    rng = np.random.default_rng(seed)
    slots = np.repeat(np.arange(HOURS), rows)
    x = rng.standard_normal((slots.size, 4))
    x[:, :2] += cycle * np.sin(2 * np.pi * slots / 24)[:, None]
    x[:, 3] = 0.7 * x[:, 2] + np.sqrt(0.51) * x[:, 3]
    return np.clip(x, -4, 4), slots


def correlations(x: Floats) -> ReferenceCorrelation:
    moments = CrossMoments(x.shape[1])
    moments.update(x)
    found = correlation_of(moments.result())
    compared = ~np.eye(x.shape[1], dtype=bool)
    return ReferenceCorrelation(len(x), found.r, found.variance, np.zeros_like(found.r), compared)


def usual_r(x: Floats, slots: NDArray[np.int64], chunks: int = HOURS) -> Floats:
    moments, _ = sums_of(x, slots, chunks, frequencies(4, 2.0))
    return usual_correlation(moments, correlations(x))


def usual_mmd(x: Floats, slots: NDArray[np.int64]) -> float:
    waves = frequencies(4, 2.0)
    waved = features(x, waves).astype(np.float64)
    moments, means = sums_of(x, slots, HOURS, waves)
    return usual_discrepancy(moments.rows, means, ReferenceFourier(len(x), waved.mean(axis=0), *spread_of(waved)))


def test_known_restlessness_is_measured_whatever_the_noise() -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.05, 0.2, (400, 300))
    effects = 0.2 + 0.3 * rng.standard_normal((400, 300)) + noise * rng.standard_normal((400, 300))
    found = beyond_chance(effects, noise**2)
    assert np.median(found) == pytest.approx(0.2 + 3 * 0.3, abs=0.1)


def test_noise_alone_is_nothing_usual() -> None:
    rng = np.random.default_rng(2)
    found = beyond_chance(0.1 * rng.standard_normal((64, 4000)), np.full((64, 4000), 0.01))
    assert np.median(found) == 0
    assert np.mean(found > 0.1) < 0.05


def test_chunks_that_do_not_say_are_left_out() -> None:
    effects = np.full((2 * ENOUGH, 2), np.nan)
    effects[:ENOUGH, 0] = 0.5
    effects[: ENOUGH - 1, 1] = 0.5
    assert beyond_chance(effects, np.zeros_like(effects)).tolist() == [0.5, 0.0]
    assert beyond_chance(np.zeros((0, 3)), np.zeros((0, 3))).tolist() == [0, 0, 0]


@pytest.mark.parametrize("rows", [30, 150, 700])
def test_a_cycle_makes_only_its_own_pair_tolerant(rows: int) -> None:
    found = usual_r(*hours(rows, 3, cycle=1.5))
    x, _ = hours(rows, 3, cycle=1.5)
    assert found[0, 1] > abs(float(correlations(x).r[0, 1])) - 0.1
    assert found[0, 1] == found[1, 0] < 1.2
    assert found[2, 3] < 0.2
    assert np.diagonal(found).tolist() == [0] * 4


@pytest.mark.parametrize("rows", [30, 150, 700])
def test_calm_training_leaves_the_setting_as_it_is(rows: int) -> None:
    assert max(usual_r(*hours(rows, seed, cycle=0.0)).max() for seed in range(10)) < 0.2


def test_chunks_of_too_few_rows_say_nothing() -> None:
    assert not usual_r(*hours(10, 4, cycle=1.5)).any()


def test_chunks_without_rows_say_nothing() -> None:
    x, slots = hours(100, 5, cycle=1.5)
    np.testing.assert_allclose(usual_r(x, slots, HOURS + 5), usual_r(x, slots))


def test_a_column_that_is_constant_within_chunks_says_nothing() -> None:
    x, slots = hours(100, 6, cycle=0.0)
    x[:, 0] = slots % 2
    assert usual_r(x, slots)[0].tolist() == [0, 0, 0, 0]


def test_a_cycle_of_the_whole_is_usual_and_chance_is_not() -> None:
    assert usual_mmd(*hours(100, 7, cycle=1.5)) > 0.3
    calm = [usual_mmd(*hours(100, seed, cycle=0.0)) for seed in range(20)]
    assert max(calm) < 0.06  # what a shift of a quarter deviation makes


@pytest.mark.parametrize("cycle", [0.2, 0.4])
def test_a_cycle_that_hides_in_chance_is_usual_at_its_crest(cycle: float) -> None:
    """Busy hours show the mean of a sine's squares and three deviations, 1.56 of the square at its crest."""
    crest = usual_mmd(*hours(3_000, 1, cycle=cycle)) / np.sqrt(1.56)
    assert min(usual_mmd(*hours(40, seed, cycle=cycle)) for seed in range(10)) > 0.8 * crest


def tables(rows: int, seed: int, cycle: float) -> NDArray[np.int64]:
    """Make one feature of three cells whose share of the answer comes and goes."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((HOURS, 1, 12, 12), dtype=np.int64)
    for hour in range(HOURS):
        x = rng.integers(0, 3, rows)
        told = rng.random(rows) < 0.5 + cycle * np.sin(2 * np.pi * hour / 24)
        np.add.at(counts[hour, 0], (x, np.where(told, x, rng.integers(0, 3, rows))), 1)
    return counts


def test_relevance_that_comes_and_goes_is_usual() -> None:
    restless, calm = tables(200, 8, 0.4), tables(200, 8, 0.0)
    assert usual_association(restless, relevance(restless.sum(axis=0)))[0] > 0.3
    assert usual_association(calm, relevance(calm.sum(axis=0)))[0] < 0.1


def test_tables_of_few_rows_say_nothing() -> None:
    few = tables(40, 9, 0.4)
    assert usual_association(few, relevance(few.sum(axis=0))).tolist() == [0]


def test_without_chunks_nothing_is_usual() -> None:
    found = nothing(3, 2)
    assert found.correlation.shape == (3, 3)
    assert found.association.tolist() == [0, 0]
    assert found.discrepancy == 0
