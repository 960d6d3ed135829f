from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.evaluate.facts import NumericFacts, category_facts, medians, numeric_facts
from agent.sketch.categorical import CategorySketch
from agent.sketch.frame import CategoryFrame, NumericFrame, NumericLayout
from agent.sketch.numeric import NumericSketch

EDGES = np.linspace(-2, 2, 41)
COARSE = np.arange(0, 40, 4)
LAYOUT = NumericLayout.of([(EDGES, COARSE)])


def facts(values: NDArray[np.float64]) -> NumericFacts:
    sketch = NumericSketch(EDGES, COARSE)
    sketch.update(values)
    frame = NumericFrame.of([sketch], LAYOUT, np.zeros(1, dtype=np.int64))
    return numeric_facts(frame, (0,), medians(frame, LAYOUT))


def test_the_median_lies_within_its_bin() -> None:
    values = np.random.default_rng(1).normal(size=10_001)
    assert facts(values).median == pytest.approx(np.median(values), abs=0.1)


def test_in_an_open_bin_the_median_is_not_told() -> None:
    assert math.isnan(facts(np.full(100, 50.0)).median)
    assert math.isnan(facts(np.empty(0)).median)


def test_moments_are_those_of_the_values() -> None:
    values = np.random.default_rng(2).normal(3.0, 2.0, 500)
    found = facts(np.concatenate([values, [np.nan, np.inf]]))
    assert (found.rows, found.missing, found.infinite, found.count) == (502, 1, 1, 500)
    assert (found.mean, found.deviation) == pytest.approx((values.mean(), values.std()))


def test_categories_are_told_with_the_unseen_ones() -> None:
    sketch = CategorySketch(("red", "blue"))
    sketch.update(np.array(["red", "red", "green", None], dtype=object))
    found = category_facts(CategoryFrame.of([sketch], 7), (0,), ("red", "blue"))
    assert (found.rows, found.missing, found.counts.tolist(), found.unseen) == (4, 1, [2, 0], 1)
