from __future__ import annotations

import numpy as np
import pytest

from agent.stats.overdispersion import overdispersion

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def counts(rng: np.random.Generator, rows: int, panes: int = 60, columns: int = 200) -> np.ndarray:
    return rng.multinomial(rows, SHARES, size=(panes, columns))


@pytest.mark.parametrize("rows", [40, 300, 10_000])
def test_independent_rows_are_about_one(rows: int) -> None:
    found = overdispersion(counts(np.random.default_rng(rows), rows))
    assert found.min() == 1.0
    assert found.mean() < 1.1


@pytest.mark.parametrize("times", [3, 20])
def test_rows_that_come_several_times_count_once(times: int) -> None:
    found = overdispersion(times * counts(np.random.default_rng(times), 200))
    assert found.mean() == pytest.approx(times, rel=0.1)


def test_one_jump_is_no_burstiness() -> None:
    rng = np.random.default_rng(1)
    panes = counts(rng, 500)
    panes[30:] = rng.multinomial(500, SHARES[::-1], size=(30, 200))
    assert overdispersion(panes).mean() < 1.1


def test_few_rows_a_pane_are_put_together() -> None:
    rng = np.random.default_rng(2)
    assert overdispersion(counts(rng, 4, panes=120)).mean() < 1.3
    assert overdispersion(5 * counts(rng, 4, panes=120)).mean() == pytest.approx(5, rel=0.2)


def test_what_tells_nothing_is_one() -> None:
    rng = np.random.default_rng(3)
    assert overdispersion(counts(rng, 100, panes=1)).tolist() == [1.0] * 200
    assert overdispersion(np.zeros((60, 2, 4), dtype=np.int64)).tolist() == [1.0, 1.0]
    assert overdispersion(np.zeros((60, 0, 4), dtype=np.int64)).shape == (0,)
    constant = np.zeros((60, 1, 4), dtype=np.int64)
    constant[..., 1] = 500
    assert overdispersion(constant).tolist() == [1.0]


def test_padding_changes_nothing() -> None:
    panes = 4 * counts(np.random.default_rng(4), 200, columns=3)
    padded = np.concatenate([panes, np.zeros_like(panes)], axis=-1)
    assert overdispersion(padded).tolist() == overdispersion(panes).tolist()
