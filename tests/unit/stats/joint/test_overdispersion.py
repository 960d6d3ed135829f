from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.joint.fourier import FourierMeans, ReferenceFourier, features, frequencies, spread_of
from agent.stats.joint.overdispersion import LEAST_PAIRS, overdispersion

Floats = NDArray[np.float64]

WAVES = frequencies(4, 2.5)


def reference() -> ReferenceFourier:
    made = features(np.random.default_rng(1).standard_normal((5000, 4)), WAVES).astype(np.float64)
    return ReferenceFourier(len(made), made.mean(axis=0), *spread_of(made))


def panes_of(*matrices: Floats) -> FourierMeans:
    rows = np.array([len(matrix) for matrix in matrices])
    return FourierMeans(rows, np.stack([features(matrix, WAVES).astype(np.float64).mean(axis=0) for matrix in matrices]))


def independent(panes: int, seed: int = 2, rows: int = 300) -> list[Floats]:
    return list(np.random.default_rng(seed).standard_normal((panes, rows, 4)))


@pytest.mark.parametrize("seed", range(5))
def test_independent_rows_count_in_full(seed: int) -> None:
    assert overdispersion(panes_of(*independent(40, seed)), reference()) < 1.2


@pytest.mark.parametrize("times", [2, 5, 20])
def test_repeated_rows_count_once(times: int) -> None:
    repeated = [np.repeat(pane, times, axis=0) for pane in independent(40)]
    assert overdispersion(panes_of(*repeated), reference()) == pytest.approx(times, rel=0.2)


def test_sessions_within_a_pane_are_seen() -> None:
    generator = np.random.default_rng(3)
    panes = [generator.standard_normal((300, 4)) + generator.standard_normal((10, 4)).repeat(30, axis=0) for _ in range(40)]
    assert overdispersion(panes_of(*panes), reference()) > 5


def test_one_jump_is_not_burstiness() -> None:
    panes = independent(20)
    assert overdispersion(panes_of(*panes[:10], *(pane + 2 for pane in panes[10:])), reference()) < 1.3


def test_panes_of_unequal_size_are_weighed() -> None:
    panes = [pane[: 300 if place % 2 else 40] for place, pane in enumerate(independent(40))]
    assert overdispersion(panes_of(*panes), reference()) < 1.3


def test_few_panes_or_rows_say_nothing() -> None:
    repeated = [np.repeat(pane, 9, axis=0) for pane in independent(LEAST_PAIRS)]
    assert overdispersion(panes_of(*repeated), reference()) == 1.0
    assert overdispersion(panes_of(*independent(40, rows=5)), reference()) == 1.0


def test_constant_rows_say_nothing() -> None:
    assert overdispersion(panes_of(*[np.ones((50, 4))] * 10), reference()) == 1.0
