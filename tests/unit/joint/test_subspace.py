"""Frozen components: both distances, and what becomes of data that has no shape."""

from __future__ import annotations

import numpy as np
import pytest

from agent.joint.subspace import fit


def correlated(rows: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 1))
    return hidden @ rng.normal(size=(1, 8)) + 0.1 * rng.normal(size=(rows, 8))


def test_row_that_breaks_the_structure_is_farther_than_any_of_training() -> None:
    matrix = correlated(2000, 1)
    subspace = fit(matrix)
    errors, distances = subspace.score(matrix)
    broken = matrix[:1].copy()
    broken[0, 0] += 3.0
    error, distance = subspace.score(broken)
    assert error[0] > errors.max()
    assert distance[0] > distances.max()


def test_components_hold_the_share_and_leave_one() -> None:
    assert fit(correlated(2000, 2)).kept == 1
    assert fit(np.random.default_rng(3).normal(size=(500, 2)) * [9, 1]).kept == 1


def test_all_directions_count_alike_where_nothing_goes_together() -> None:
    subspace = fit(np.random.default_rng(4).normal(size=(50_000, 10)))
    assert subspace.variances == pytest.approx(1, abs=0.03)


def test_copies_of_a_column_have_a_distance() -> None:
    column = np.random.default_rng(5).normal(size=(1000, 1))
    subspace = fit(np.hstack([column, column, column]))
    errors, distances = subspace.score(np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 2.0]]))
    assert np.isfinite(distances).all()
    assert distances[1] > 10
    assert errors[0] == pytest.approx(0, abs=1e-4)


def test_fewer_rows_than_columns_still_have_a_finite_distance() -> None:
    subspace = fit(np.random.default_rng(6).normal(size=(20, 50)))
    _, distances = subspace.score(np.random.default_rng(7).normal(size=(200, 50)))
    assert (distances < 30).all()


def test_constant_data_measures_plain_distance() -> None:
    errors, distances = fit(np.zeros((10, 3))).score(np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]))
    assert distances.tolist() == [0.0, 5.0]
    assert errors.tolist() == [0.0, 4.0]


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (10, 1), (10, 0)])
def test_too_little_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no components"):
        fit(np.zeros(shape))


def test_no_rows_have_no_distances() -> None:
    errors, distances = fit(correlated(100, 8)).score(np.empty((0, 8)))
    assert len(errors) == len(distances) == 0


def test_result_is_what_a_float32_holds() -> None:
    subspace = fit(correlated(100, 9))
    for array in (subspace.mean, subspace.variances, subspace.directions):
        assert (array.astype(np.float32) == array).all()
