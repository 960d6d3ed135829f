from __future__ import annotations

import numpy as np

from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary
from agent.stats.drift.bins import counts_of, over_bins, same_bins, without_rare
from agent.stats.drift.effect import DIFFERENT_BINS
from agent.stats.drift.psi import psi


def test_a_numeric_column_is_counted_by_its_coarse_bins() -> None:
    sketch = NumericSketch(np.array([1.0, 2.0, 3.0]), np.array([0, 2]))
    sketch.update(np.array([0.5, 1.5, 1.6, 2.5, 3.5, np.nan]))
    assert counts_of(sketch.result()).tolist() == [3, 2]


def test_unseen_values_are_a_category_of_their_own() -> None:
    assert counts_of(CategorySummary(10, 1, ("a", "b"), np.array([4, 2]), 3, 5.0)).tolist() == [4, 2, 3]


def test_other_bins_are_not_compared() -> None:
    one, other = (NumericSketch(np.array([edge]), np.array([0, 1])).result() for edge in (1.0, 2.0))
    categories = CategorySummary(1, 0, ("a",), np.array([1]), 0, 1.0)
    assert same_bins(one, one)
    assert not same_bins(one, other)
    assert not same_bins(one, categories)
    assert not same_bins(categories, CategorySummary(1, 0, ("b",), np.array([1]), 0, 1.0))
    assert over_bins(psi)(one, other, 0.05) == DIFFERENT_BINS


def test_nothing_is_pooled_where_there_are_rows_enough() -> None:
    current, reference = np.array([10**6, 20]), np.array([10**6, 5])
    pooled, pooled_reference = without_rare(current, reference)
    assert pooled.tolist() == [10**6, 20]
    assert pooled_reference.tolist() == [10**6, 5]


def test_all_bins_rare_become_one() -> None:
    pooled, pooled_reference = without_rare(np.array([2, 1, 1]), np.array([300, 400, 300]))
    assert pooled.tolist() == [4]
    assert pooled_reference.tolist() == [1000]


def test_a_category_that_training_never_had_is_kept_once_it_is_frequent() -> None:
    pooled, pooled_reference = without_rare(np.array([900, 100]), np.array([10**7, 0]))
    assert pooled.tolist() == [900, 100]
    assert pooled_reference.tolist() == [10**7, 0]
