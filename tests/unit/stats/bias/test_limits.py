"""Gaps of groups at the limits: empty groups, nobody or everybody selected, and what must hold for all counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.stats.bias.confusion import Confusion
from agent.stats.bias.equal_opportunity import equal_opportunity
from agent.stats.bias.equalised_odds import equalised_odds
from agent.stats.bias.impact_ratio import impact_ratio
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, Interval, clopper_pearson, wilson

ENDS = (wilson, clopper_pearson)


def bounds(interval: Interval) -> list[float]:
    return [float(interval.lower), float(interval.upper)]


def whole(interval: Interval) -> list[float]:
    return [float(interval.value), *bounds(interval)]


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("counts", [(0, 0, 5, 10), (5, 10, 0, 0), (0, 0, 0, 0)])
def test_an_empty_group_says_nothing(ends: Ends, counts: tuple[int, int, int, int]) -> None:
    difference, ratio = parity_difference(*counts, 0.05, ends), impact_ratio(*counts, 0.05, ends)
    assert math.isnan(difference.value)
    assert bounds(difference) == [-1.0, 1.0]
    assert math.isnan(ratio.value)
    assert bounds(ratio) == [0.0, math.inf]


@pytest.mark.parametrize("ends", ENDS)
def test_nobody_selected_has_a_difference_and_no_ratio(ends: Ends) -> None:
    assert parity_difference(0, 10, 0, 20, 0.05, ends).value == 0.0
    ratio = impact_ratio(0, 10, 0, 20, 0.05, ends)
    assert math.isnan(ratio.value)
    assert bounds(ratio) == [0.0, math.inf]


@pytest.mark.parametrize("ends", ENDS)
def test_one_group_never_selected(ends: Ends) -> None:
    never, always = impact_ratio(0, 50, 20, 50, 0.05, ends), impact_ratio(20, 50, 0, 50, 0.05, ends)
    assert whole(never)[:2] == [0.0, 0.0]
    assert whole(always)[::2] == [math.inf, math.inf]
    assert 0 < never.upper < 0.5
    assert always.lower == pytest.approx(1 / never.upper)


@pytest.mark.parametrize("ends", ENDS)
def test_everybody_selected_is_parity(ends: Ends) -> None:
    difference, ratio = parity_difference(50, 50, 80, 80, 0.05, ends), impact_ratio(50, 50, 80, 80, 0.05, ends)
    assert [float(difference.value), float(ratio.value)] == [0.0, 1.0]
    assert difference.lower < 0 < difference.upper
    assert ratio.lower < 1 < ratio.upper


counts = st.integers(0, 60).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))


@given(counts, counts, st.sampled_from(ENDS), st.sampled_from([0.25, 0.05, 1e-6]))
def test_the_value_is_inside_and_groups_may_change_places(
    group: tuple[int, int], others: tuple[int, int], ends: Ends, alpha: float
) -> None:
    difference, swapped = parity_difference(*group, *others, alpha, ends), parity_difference(*others, *group, alpha, ends)
    assert -1 <= difference.lower <= difference.upper <= 1
    assert np.allclose([difference.lower, difference.upper], [-swapped.upper, -swapped.lower], atol=1e-9)
    ratio, other = impact_ratio(*group, *others, alpha, ends), impact_ratio(*others, *group, alpha, ends)
    assert 0 <= ratio.lower <= ratio.upper
    with np.errstate(divide="ignore"):
        assert np.isclose(ratio.lower, 1 / other.upper, rtol=1e-6, atol=1e-12)
    if group[1] and others[1]:
        assert difference.lower - 1e-12 <= difference.value <= difference.upper + 1e-12
    if not math.isnan(ratio.value):
        assert ratio.lower * (1 - 1e-9) <= ratio.value <= ratio.upper * (1 + 1e-9)


@given(counts, counts, st.sampled_from(ENDS))
def test_a_smaller_error_makes_a_wider_interval(group: tuple[int, int], others: tuple[int, int], ends: Ends) -> None:
    for statistic in (parity_difference, impact_ratio):
        wide, narrow = statistic(*group, *others, 1e-4, ends), statistic(*group, *others, 0.1, ends)
        assert wide.lower <= narrow.lower + 1e-12
        assert narrow.upper <= wide.upper + 1e-12 or math.isinf(wide.upper)


def test_arrays_are_element_by_element() -> None:
    found = impact_ratio([30, 0], 100, [50, 20], [100, 50], 0.05)
    alone = [impact_ratio(30, 100, 50, 100, 0.05), impact_ratio(0, 100, 20, 50, 0.05)]
    assert found.upper.tolist() == [float(each.upper) for each in alone]


def test_equal_opportunity_is_of_those_who_deserve_it() -> None:
    found = equal_opportunity(Confusion(8, 2, 50, 0), Confusion(5, 5, 0, 50), 0.05)
    assert found.value == pytest.approx(0.3)


def test_equal_opportunity_without_favourable_labels_is_unknown() -> None:
    found = equal_opportunity(Confusion(0, 0, 5, 5), Confusion(5, 5, 5, 5), 0.05)
    assert math.isnan(found.value)
    assert bounds(found) == [-1.0, 1.0]


def test_equalised_odds_is_the_larger_gap() -> None:
    by_true = equalised_odds(Confusion(90, 10, 20, 80), Confusion(50, 50, 25, 75), 0.05)
    by_false = equalised_odds(Confusion(50, 50, 80, 20), Confusion(52, 48, 25, 75), 0.05)
    assert [float(by_true.value), float(by_false.value)] == pytest.approx([0.4, 0.55])
    assert 0.2 < by_true.lower < 0.4 < by_true.upper < 0.6


def test_equalised_odds_of_the_same_odds_may_be_nothing() -> None:
    found = equalised_odds(Confusion(50, 50, 20, 80), Confusion(50, 50, 20, 80), 0.05)
    assert whole(found)[:2] == [0.0, 0.0]
    assert found.upper > 0


def test_equalised_odds_with_one_label_only_is_unknown_but_bounded() -> None:
    found = equalised_odds(Confusion(90, 10, 0, 0), Confusion(50, 50, 0, 0), 0.05)
    assert math.isnan(found.value)
    assert found.lower > 0.2
    assert found.upper == 1.0
