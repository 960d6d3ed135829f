"""Tail probabilities: exact in training, falling on beyond it, and something sensible for whatever is no number."""

from __future__ import annotations

import numpy as np
import pytest

from agent.joint.tails import CUTS, LONG, MAX_RARITY, TOGETHER, Tails, class_tail, number_tail


def rarity(training: np.ndarray, *values: float) -> list[float]:
    found: list[float] = Tails([number_tail(training)]).rarities([np.array(values)], len(values))[0].tolist()
    return found


def test_share_of_training_as_rare_as_its_probability() -> None:
    rng = np.random.default_rng(1)
    found = Tails([number_tail(rng.normal(size=100_000))]).rarities([rng.normal(size=100_000)], 100_000)[0]
    for p in (0.1, 0.01, 0.002):
        assert (found >= 0.98 / p).mean() == pytest.approx(p, rel=0.15)


def test_middle_half_is_not_rare_at_all() -> None:
    assert rarity(np.arange(1001.0), 300.0, 500.0, 700.0) == [1.0, 1.0, 1.0]


def test_both_sides_are_alike() -> None:
    low, high = rarity(np.arange(1001.0), 5.0, 995.0)
    assert low == pytest.approx(high, rel=0.3)


def test_distance_is_never_too_small() -> None:
    tails = Tails([number_tail(np.arange(1.0, 1000.0), upper=True)])
    found = tails.rarities([np.array([-1.0, 0.0, 1.0, 500.0, 999.0, 2000.0])], 6)[0].tolist()
    assert found[:4] == [1.0, 1.0, 1.0, pytest.approx(1.333, abs=0.7)]
    assert found[4] >= 300
    assert found[5] > 100 * found[4]


def test_the_farther_beyond_the_rarer() -> None:
    found = rarity(np.arange(1001.0), 1000.0, 1001.0, 1010.0, 1100.0, 1e300)
    assert found == sorted(found)
    assert len(set(found)) == 5
    assert found[-1] == MAX_RARITY


def test_extremes_of_training_are_not_beyond_it_as_float32_either() -> None:
    training = np.array([0.1, 0.7, 1e9 + 0.3] * 50)
    end = float(training.max())
    assert rarity(training, float(np.float32(end))) == rarity(training, end)
    assert rarity(training, float(np.float32(0.1))) == rarity(training, 0.1)


def test_constant_is_not_rare_and_all_else_is() -> None:
    found = rarity(np.full(99, 5.0), 5.0, 6.0, 4.0)
    assert found[0] == 1.0
    assert min(found[1:]) >= 100


def test_heavy_value_at_the_end_is_not_rare() -> None:
    assert rarity(np.array([0.0] * 900 + list(range(1, 101))), 0.0) == [1.0]


def test_missing_and_infinite_are_as_rare_as_training_had_them() -> None:
    training = np.append(np.arange(90.0), [np.nan] * 9)
    missing, infinite = rarity(training, np.nan, np.inf)
    assert missing == pytest.approx(100 / 10)
    assert infinite == pytest.approx(100)


def test_column_without_values_finds_every_value_rare() -> None:
    found = rarity(np.full(99, np.nan), 0.0, 1e300, -1e300, np.nan)
    assert found == pytest.approx([100, 100, 100, 1])


def test_range_of_a_double_is_no_trouble() -> None:
    found = rarity(np.array([-1.7e308, 0.0, 1.7e308] * 50), -1.79e308, 1.79e308, 0.0)
    assert np.isfinite(found).all()
    assert min(found) >= 1


@pytest.mark.parametrize("rows", [1, 2, 5, 30, 1000])
def test_any_size_gives_ascending_cuts_and_rarities_from_one_up(rows: int) -> None:
    tail = number_tail(np.random.default_rng(rows).exponential(size=rows))
    assert len(tail.cuts) == CUTS
    assert (np.diff(tail.cuts) >= 0).all()
    assert (tail.rarities >= 1).all()
    assert tail.low > 0
    assert tail.high > 0


def test_categories_are_as_rare_as_all_that_are_no_more_frequent() -> None:
    codes = np.repeat([0, 1, 2, 3], [60, 30, 5, 4])
    table = class_tail(codes, 4).rarities
    assert table.tolist() == pytest.approx([100, 1, 100 / 40, 100 / 10, 100 / 5, 100])


def test_unlisted_categories_count_as_one() -> None:
    table = class_tail(np.array([0] * 80 + [7] * 19), 1).rarities
    assert table[-1] == pytest.approx(100 / 20)


def test_columns_of_both_kinds_keep_their_places() -> None:
    tails = Tails([None, class_tail(np.array([0] * 99), 1), number_tail(np.arange(99.0))])
    found = tails.rarities([np.zeros(2), np.array([0, 1]), np.array([50.0, 50.0])], 2)
    assert tails.places == (1, 2)
    assert found == pytest.approx(np.array([[1, 100], [1, 1]]))


def test_absent_columns_count_as_missing() -> None:
    tails = Tails([class_tail(np.array([0] * 99), 1), number_tail(np.arange(99.0))])
    assert tails.rarities([None, None], 2) == pytest.approx(100)


def test_no_rows() -> None:
    assert Tails([number_tail(np.arange(9.0))]).rarities([np.empty(0)], 0).shape == (1, 0)
    assert Tails([]).rarities([], 3).shape == (0, 3)


@pytest.mark.parametrize(("columns", "rows"), [(3, LONG), (3, LONG + 7), (40, TOGETHER // 16), (40, 1)])
def test_rarities_do_not_depend_on_how_many_there_are_at_once(columns: int, rows: int) -> None:
    rng = np.random.default_rng(5)
    tails = Tails([number_tail(place + rng.normal(size=200)) for place in range(columns)])
    values = [place + 3 * rng.normal(size=rows) for place in range(columns)]
    values[0][0], values[1][0], values[2][0] = np.nan, np.inf, -np.inf
    parts = [
        tails.rarities([column[start : start + 100] for column in values], min(100, rows - start))
        for start in range(0, rows, 100)
    ]
    np.testing.assert_array_equal(tails.rarities(values, rows), np.concatenate(parts, axis=1))
