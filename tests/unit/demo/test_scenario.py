from __future__ import annotations

import numpy as np
import pytest

from agent.demo.model import FEATURES
from agent.demo.scenario import (
    CONSECUTIVE,
    ENDLESS_CALM_S,
    MIN_ROWS,
    PANE_S,
    SHORTEST_S,
    WINDOW_S,
    disturbed,
    mostly_missing,
    mostly_not_known,
    plan,
    to_mmol_per_litre,
)
from agent.errors import ConfigError


def test_glucose_in_mmol_per_litre_is_glucose_over_18() -> None:
    values = np.array([90.08, 180.16, np.nan])
    changed = to_mmol_per_litre(values, np.random.default_rng(1))
    np.testing.assert_allclose(changed[:2], [5.0, 10.0])
    assert np.isnan(changed[2])


def test_three_of_five_values_go_missing_and_the_others_stay() -> None:
    values = np.arange(10_000.0)
    changed = mostly_missing(values, np.random.default_rng(2))
    gone = np.isnan(changed)
    assert 0.58 < gone.mean() < 0.62
    np.testing.assert_array_equal(changed[~gone], values[~gone])


def test_three_of_five_codes_become_one_that_training_never_saw() -> None:
    values = np.random.default_rng(3).integers(1, 3, 10_000).astype(float)
    changed = mostly_not_known(values, np.random.default_rng(4))
    assert set(np.unique(changed)) == {0.0, 1.0, 2.0}
    assert 0.58 < (changed == 0).mean() < 0.62


def test_only_the_columns_of_begun_accidents_change_and_the_source_rows_never() -> None:
    scenario = plan(60)
    rows = np.random.default_rng(5).uniform(1, 2, (500, len(FEATURES)))
    before = rows.copy()
    for begun in range(len(scenario.disturbances) + 1):
        accidents = scenario.disturbances[:begun]
        changed = disturbed(rows, accidents, np.random.default_rng(6))
        differing = {name for i, name in enumerate(FEATURES) if not np.array_equal(changed[:, i], rows[:, i])}
        assert differing == {accident.column for accident in accidents}
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize("seconds", [SHORTEST_S, 45.0, 60.0, 3600.0, None])
def test_each_plan_leaves_time_to_see_the_calm_and_the_last_accident(seconds: float | None) -> None:
    scenario = plan(seconds)
    starts = [accident.start_s for accident in scenario.disturbances]
    assert starts == sorted(starts)
    assert len({accident.column for accident in scenario.disturbances}) == 3
    # Calm: enough evaluations in a row to have flagged something, and the rows for them.
    assert starts[0] >= (CONSECUTIVE + 2) * PANE_S
    assert starts[0] * 100 > MIN_ROWS
    if seconds is not None:
        assert starts[-1] + WINDOW_S <= seconds


def test_accidents_begin_one_after_the_other() -> None:
    scenario = plan(SHORTEST_S)
    counts = [len(scenario.begun(elapsed)) for elapsed in np.arange(0, SHORTEST_S, 0.25)]
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


def test_a_plan_is_over_after_its_seconds_and_an_endless_one_never() -> None:
    assert not plan(20).over(19.9)
    assert plan(20).over(20.0)
    assert not plan(None).over(1e9)
    assert plan(None).disturbances[0].start_s == ENDLESS_CALM_S


@pytest.mark.parametrize("seconds", [19.9, 0.0, -1.0, float("nan")])
def test_too_short_a_demo_is_refused_with_the_shortest_that_works(seconds: float) -> None:
    with pytest.raises(ConfigError, match="--seconds 20 or more"):
        plan(seconds)


def test_without_disturbance_nothing_ever_begins() -> None:
    assert plan(20, disturb=False).begun(20) == ()
