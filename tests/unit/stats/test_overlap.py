"""Looks that overlap."""

from __future__ import annotations

import numpy as np
import pytest

from agent.stats.overlap import independent_looks


@pytest.mark.parametrize("freedom", [1, 2, 59])
@pytest.mark.parametrize("level", [0.1, 1e-4, 1e-12])
def test_a_longer_stretch_is_worth_fewer_looks(level: float, freedom: int) -> None:
    looks = independent_looks([1, 2, 4, 60, 1_000, 100_000], level, freedom)
    assert (np.diff(looks) <= 0).all()
    assert 0 < looks[-1] < 0.01
    assert looks[0] <= 1


def test_one_pane_overlaps_with_none() -> None:
    assert float(independent_looks(1, 1e-6)) == pytest.approx(1.0, abs=0.01)


def test_what_has_more_degrees_of_freedom_is_more_restless() -> None:
    few, many = (float(independent_looks(60, 1e-6, freedom)) for freedom in (1, 59))
    assert few < many


def test_the_smaller_the_level_the_rarer_are_two_looks_that_go_beyond_together() -> None:
    often, rarely = (float(independent_looks(60, level)) for level in (1e-3, 1e-9))
    assert often < rarely
