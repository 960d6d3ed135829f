"""The score of a row, and the threshold that training sets."""

from __future__ import annotations

import numpy as np
import pytest

from agent.joint.anomaly import KEPT_RANKS, Threshold, scores, threshold_of, weights_of


def test_weights_are_halved_between_columns_and_distances() -> None:
    assert weights_of(4, 2).tolist() == [0.125] * 4 + [0.25] * 2
    assert weights_of(2, 0).tolist() == [0.5, 0.5]
    assert weights_of(0, 2).tolist() == [0.5, 0.5]


def test_one_wild_value_is_not_drowned_by_many_ordinary_ones() -> None:
    ordinary = np.full((200, 1), 2.0)
    wild = ordinary.copy()
    wild[7] = 1e6
    weights = weights_of(200, 0)
    assert scores(wild, weights)[0] > scores(ordinary, weights)[0] + 3


def test_nothing_rare_scores_nought() -> None:
    assert scores(np.ones((3, 2)), weights_of(1, 2)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("rows", [1, 25, 60, 1000, 12_500])
def test_threshold_is_the_quantile_where_training_can_tell(rows: int) -> None:
    training = np.random.default_rng(rows).exponential(size=rows)
    threshold = threshold_of(training)
    assert len(threshold.ranks) <= KEPT_RANKS
    for quantile in (0.9, 0.99, 0.999):
        if (1 - quantile) * rows >= 10:
            assert threshold.at(quantile) == pytest.approx(np.quantile(training, quantile), rel=0.1)
        assert threshold.at(quantile) >= np.quantile(training, quantile) * 0.8


def test_threshold_only_rises_with_the_quantile() -> None:
    threshold = threshold_of(np.random.default_rng(3).exponential(size=500))
    found = [threshold.at(quantile) for quantile in np.linspace(0.5, 0.99999, 200)]
    assert found == sorted(found)


def test_without_rows_nothing_is_an_anomaly() -> None:
    assert threshold_of(np.empty(0)).at(0.999) == np.inf
    assert Threshold(0, (), ()) == threshold_of(np.empty(0))
