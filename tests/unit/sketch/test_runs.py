from __future__ import annotations

import numpy as np
import pytest

from agent.sketch.runs import Runs

X = np.array([1.0, 1.0, 3.0, 3.0, 2.0, 2.0, 2.0])
C = np.array(["a", "a", "b", "b", "a", "c", "c"], dtype=object)
"""Both together: runs of 2, 2, 1 and 2."""


def test_runs_are_of_rows_that_are_equal_in_all_columns() -> None:
    runs = Runs((0, 1))
    runs.update([X, C], 7)
    assert (runs.rows, runs.squares) == (7, 4 + 4 + 1 + 4)


@pytest.mark.parametrize("cut", range(1, 7))
def test_it_does_not_matter_how_rows_are_cut_into_batches(cut: int) -> None:
    runs = Runs((0, 1))
    runs.update([X[:cut], C[:cut]], cut)
    runs.update([X[cut:], C[cut:]], 7 - cut)
    assert (runs.rows, runs.squares) == (7, 13)


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_run_goes_on_in_the_next_pane(cut: int) -> None:
    early = Runs((0, 1))
    early.update([X[:cut], C[:cut]], cut)
    late = Runs((0, 1), early)
    late.update([X[cut:], C[cut:]], 7 - cut)
    assert (early.rows + late.rows, early.squares + late.squares, early.begun + late.begun) == (7, 13, 4)


def test_single_rows_are_joined_too() -> None:
    runs = Runs((0, 1))
    for place in range(7):
        runs.update([X[place : place + 1], C[place : place + 1]], 1)
    assert (runs.rows, runs.squares) == (7, 13)


def test_rows_that_differ_are_runs_of_one() -> None:
    runs = Runs((0,))
    runs.update([np.random.default_rng(1).normal(size=1000)], 1000)
    assert runs.result() == 1.0


def test_each_row_five_times() -> None:
    runs = Runs((0,))
    runs.update([np.repeat(np.arange(100.0), 5)], 500)
    assert runs.result() == 5.0


def test_without_telling_columns_rows_are_taken_as_independent() -> None:
    runs = Runs()
    runs.update([np.ones(100)], 100)
    assert runs.result() == 1.0


def test_a_column_that_is_not_there_is_passed_over() -> None:
    runs = Runs((0, 1))
    runs.update([None, C], 7)
    assert runs.squares == 4 + 4 + 1 + 4


def test_rows_with_a_missing_value_repeat_nothing() -> None:
    runs = Runs((0, 1))
    runs.update([np.full(50, np.nan), np.full(50, None, dtype=object)], 50)
    runs.update([np.full(50, np.nan), np.full(50, "a", dtype=object)], 50)
    assert runs.result() == 1.0


def test_nothing_is_one() -> None:
    runs = Runs((0,))
    runs.update([np.empty(0)], 0)
    assert runs.result() == 1.0


def test_runs_add_up() -> None:
    one, other = Runs((0,)), Runs((0,))
    one.update([np.ones(3)], 3)
    other.update([np.ones(2)], 2)
    one.add(other)
    assert (one.rows, one.squares) == (5, 13)
