from __future__ import annotations

import math

import pytest

from agent.config import SETTINGS, load
from agent.evaluate.rule import Rule
from agent.evaluate.table import STATISTICS


def test_the_settings_become_the_rule() -> None:
    rule = Rule.from_settings(load({"OUTRIDER_MIN_ROWS": "30", "OUTRIDER_PSI": "0.25", "OUTRIDER_ALPHA": "0.01"}))
    assert (rule.min_rows, rule.consecutive, rule.alpha) == (30, 3, 0.01)
    assert rule.thresholds["psi"] == 0.25
    assert set(rule.thresholds) == {statistic.name for statistic in STATISTICS}


def test_the_levels_of_all_looks_and_scores_sum_to_alpha() -> None:
    rule = Rule(100, 3, 0.05, {})
    spent = sum(rule.level(look, 40) * 40 for look in range(1, 200_000))
    assert spent == pytest.approx(0.05, rel=1e-4)
    assert spent < 0.05


def test_a_level_is_never_zero() -> None:
    rule = Rule(100, 3, 1e-6, {})
    assert 0 < rule.level(10**9, 10**4) < 1
    assert math.isfinite(math.log(rule.level(10**9, 10**4)))
    assert rule.level(0, 0) == rule.level(1, 1)


def test_every_statistic_has_a_setting_of_its_own() -> None:
    fields = {setting.field for setting in SETTINGS}
    settings = [statistic.setting for statistic in STATISTICS]
    assert set(settings) <= fields
    assert len(set(settings)) == len(settings)
    assert len({statistic.name for statistic in STATISTICS}) == len(STATISTICS)
