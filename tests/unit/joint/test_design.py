"""The design matrix: which columns are in it, and what becomes of values of every kind."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agent.joint.design import LIMIT, MAX_DESIGN, MAX_INDICATORS, NUMBER, Classes, Numbers, choose, robust


def numbers(values: np.ndarray, name: str = "x") -> Numbers:
    points, weights = np.unique(values, return_counts=True)
    return Numbers(
        name, points, weights, float(values.mean()) if len(values) else math.nan, float(values.std()) if len(values) else math.nan
    )


def test_normal_numbers_get_their_mean_and_sigma() -> None:
    rng = np.random.default_rng(1)
    centre, scale = robust(numbers(rng.normal(50, 4, 100_000)))
    assert centre == pytest.approx(50, abs=0.1)
    assert scale == pytest.approx(4, rel=0.02)


def test_one_wild_value_in_training_moves_nothing() -> None:
    values = np.arange(1000.0)
    assert robust(numbers(np.append(values, 1e12)))[1] == pytest.approx(robust(numbers(values))[1], rel=0.01)


def test_equal_quartiles_fall_back_to_mean_and_sigma() -> None:
    values = np.array([0.0] * 90 + [10.0] * 10)
    assert robust(numbers(values)) == pytest.approx((1.0, 3.0))


@pytest.mark.parametrize("values", [[], [3.0], [3.0] * 50])
def test_what_has_no_spread_is_left_out(values: list[float]) -> None:
    assert choose([numbers(np.array(values))]).width == 0


def test_range_of_a_double_is_no_scale() -> None:
    wide = Numbers("x", np.array([-1.7e308, 1.7e308]), np.array([1, 1]), 0.0, math.inf)
    centre, scale = robust(wide)
    assert math.isfinite(centre)
    assert math.isfinite(scale)


def test_numbers_come_first() -> None:
    design = choose([Classes("c", ("a", "b"), (6, 4), 0), None, numbers(np.arange(9.0))])
    assert design.names == ("x", "c=a")
    assert design.places.tolist() == [2, 0]
    assert design.codes.tolist() == [NUMBER, 0]


def test_last_indicator_is_left_out_only_where_the_others_say_it() -> None:
    assert choose([Classes("c", ("a", "b", "d"), (5, 3, 2), 0)]).names == ("c=a", "c=b")
    assert choose([Classes("c", ("a", "b", "d"), (5, 3, 2), 1)]).names == ("c=a", "c=b", "c=d")


def test_single_category_has_no_indicator() -> None:
    assert choose([Classes("c", ("a",), (5,), 0), Classes("e", (), (), 0)]).width == 0


def test_width_is_bounded() -> None:
    many = Classes("c", tuple(map(str, range(30))), tuple(range(40, 10, -1)), 0)
    assert choose([many]).width == MAX_INDICATORS
    assert choose([many] * 20 + [numbers(np.arange(9.0))] * 50).width == MAX_DESIGN


def test_training_data_has_mean_nought_and_variance_one() -> None:
    rng = np.random.default_rng(2)
    values, codes = rng.normal(3, 2, 50_000), rng.choice(3, 50_000, p=[0.6, 0.3, 0.1])
    counts = np.bincount(codes)
    design = choose([numbers(values), Classes("c", ("a", "b", "d"), tuple(counts.tolist()), 0)])
    matrix = design.matrix([values, codes], len(values))
    assert matrix.mean(axis=0) == pytest.approx(0, abs=0.02)
    assert matrix.var(axis=0) == pytest.approx(1, abs=0.03)


def test_missing_is_the_centre_and_unseen_is_none_of_the_categories() -> None:
    design = choose([numbers(np.arange(101.0)), Classes("c", ("a", "b"), (50, 50), 0)])
    matrix = design.matrix([np.array([np.nan, 50.0, 50.0]), np.array([-1, 2, 0])], 3)
    assert matrix.tolist() == [[0.0, 0.0], [0.0, -1.0], [0.0, 1.0]]


def test_absent_column_counts_as_missing() -> None:
    design = choose([numbers(np.arange(101.0)), Classes("c", ("a", "b"), (50, 50), 0)])
    assert design.matrix([None, None], 2).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_whatever_comes_stays_within_the_limit() -> None:
    design = choose([numbers(np.arange(101.0)), Classes("c", ("a", "b"), (9999, 1), 0)])
    wild = np.array([np.inf, -np.inf, 1.7e308, -1.7e308, np.nan])
    matrix = design.matrix([wild, np.array([0, 1, 2, 99, -1])], 5)
    assert matrix[:, 0].tolist() == [LIMIT, -LIMIT, LIMIT, -LIMIT, 0.0]
    assert np.abs(matrix[:, 1]).max() == LIMIT


def test_no_rows_give_no_rows() -> None:
    assert choose([numbers(np.arange(9.0))]).matrix([np.empty(0)], 0).shape == (0, 1)
    assert choose([]).matrix([], 3).shape == (3, 0)
