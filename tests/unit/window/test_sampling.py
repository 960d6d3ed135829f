"""Which rows are looked at: all, or one of each run, whatever the rhythm, within a budget per pane."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.window.sampling import ROWS_PER_PANE, RowSampler

PANE = 60 * 10**9


def taken(sampler: RowSampler, batches: list[int], now_ns: int) -> NDArray[np.int64]:
    """Places of the rows that are taken, counted from the first batch."""
    places, start = [np.empty(0, dtype=np.int64)], 0
    for rows in batches:
        found = sampler.take(rows, now_ns)
        places.append(start + (np.arange(rows) if found is None else found))
        start += rows
    return np.concatenate(places)


def busy(stride: int) -> RowSampler:
    """A sampler that expects `stride` times its budget in pane 1."""
    sampler = RowSampler(PANE)
    sampler.take(stride * ROWS_PER_PANE, 0)
    return sampler


def test_all_rows_are_taken_within_the_budget() -> None:
    sampler = RowSampler(PANE)
    for pane in range(3):
        assert sampler.take(ROWS_PER_PANE - 1, pane * PANE) is None
        assert sampler.take(1, pane * PANE) is None


def test_no_rows_are_no_rows() -> None:
    assert taken(busy(7), [0, 0], PANE).size == 0
    assert RowSampler(PANE).take(0, 0) is None


def test_one_row_of_each_run() -> None:
    found = taken(busy(10), [5000], PANE)
    assert (found // 10).tolist() == list(range(500))


@pytest.mark.parametrize("size", [1, 3, 10, 64, 4096])
def test_same_rows_however_they_are_batched(size: int) -> None:
    rows = 2 * 4096
    np.testing.assert_array_equal(taken(busy(7), [size] * (rows // size) + [rows % size], PANE), taken(busy(7), [rows], PANE))


def test_batches_across_the_end_of_the_budget_are_taken_alike() -> None:
    rows = 5 * ROWS_PER_PANE
    whole = taken(RowSampler(PANE), [rows], 0)
    np.testing.assert_array_equal(taken(RowSampler(PANE), [10_000] * (rows // 10_000) + [rows % 10_000], 0), whole)
    assert np.all(np.diff(whole) > 0)


def test_rhythm_of_equal_batches_does_not_choose_the_rows() -> None:
    places = taken(busy(10), [10] * 640, PANE) % 10
    assert np.bincount(places, minlength=10).min() > 55


def test_rows_are_bounded_at_once_and_at_the_budget_in_the_next_pane() -> None:
    sampler = RowSampler(PANE)
    assert taken(sampler, [50_000] * 40, 0).size <= 4.5 * ROWS_PER_PANE
    assert taken(sampler, [50_000] * 40, PANE).size == pytest.approx(ROWS_PER_PANE, rel=0.02)


def test_busy_pane_is_sampled_to_its_end() -> None:
    found = taken(RowSampler(PANE), [50_000] * 40, 0)
    assert np.histogram(found, bins=20, range=(0, 2_000_000))[0].min() >= 100_000 / 128


def test_after_a_silence_all_rows_are_taken_again() -> None:
    sampler = busy(10)
    assert sampler.take(1000, 5 * PANE) is None


def test_rate_of_a_calm_pane_is_followed_down() -> None:
    sampler = busy(10)
    taken(sampler, [1000], PANE)
    assert sampler.take(1000, 2 * PANE) is None


def test_clock_put_back_a_little_does_not_renew_the_budget() -> None:
    sampler = RowSampler(PANE)
    sampler.take(ROWS_PER_PANE, PANE)
    assert taken(sampler, [10_000], PANE - 1).size == 5000
    assert sampler.take(10_000, -5 * PANE) is None
