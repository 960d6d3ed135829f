from __future__ import annotations

import math

import numpy as np
import pytest

from agent.config import load
from agent.evaluate.rule import RELATIONS, Rule
from agent.evaluate.table import FEW, STATISTICS
from agent.stats.overlap import independent_looks


def test_the_rule_comes_from_the_settings() -> None:
    settings = load({"OUTRIDER_PSI": "0.2", "OUTRIDER_KS": "off", "OUTRIDER_PANE": "2m", "OUTRIDER_CONSECUTIVE": "5"})
    rule = Rule.from_settings(settings)
    assert (rule.consecutive, rule.looks, rule.against) == (5, 720, ("training",))
    assert (rule.thresholds["psi"], rule.thresholds["ks"], rule.thresholds["js"]) == (0.2, math.inf, 0.1)
    assert set(rule.thresholds) == {*(statistic.name for statistic in STATISTICS), *RELATIONS}


def test_a_columns_own_tolerance_goes_before_the_common_one() -> None:
    rule = Rule.from_settings(load({"OUTRIDER_THRESHOLDS": "card_* ks=0.2 psi=off; card_age ks=0.3"}))
    assert rule.threshold("card_age", "ks") == 0.3
    assert rule.threshold("card_limit", "ks") == 0.2
    assert rule.threshold("card_limit", "psi") == math.inf
    assert rule.threshold("age", "ks") == 0.1


def test_a_day_of_looks_at_all_scores_spends_alpha_and_no_more() -> None:
    rule = Rule(100, 3, 0.05, 1440, {})
    assert 1440 * 700 * rule.level(700) == pytest.approx(0.05)


def test_the_level_is_the_same_in_the_tenth_year() -> None:
    """It does not depend on how often was looked before: the error is spent anew every day."""
    assert Rule(100, 3, 0.05, 1440, {}).level(1) == pytest.approx(0.05 / 1440)


def test_what_is_found_raises_the_level_up_to_all_of_it() -> None:
    rule = Rule(100, 3, 0.05, 1, {})
    assert rule.level(100, 5) == pytest.approx(5 * rule.level(100))
    assert rule.level(100, 1000) == pytest.approx(0.05)
    assert rule.level(0) == pytest.approx(0.05)


def test_looks_that_overlap_spend_what_they_don_t_repeat() -> None:
    """Each stretch gets the error of a day's looks, over as many of them as are independent."""
    rule = Rule(100, 3, 0.05, 1440, {})
    levels = rule.levels(10, [1, 8, 60, 10_000])
    assert levels[0] == pytest.approx(rule.level(10), rel=0.02)
    assert (np.diff(levels) > 0).all()
    spent = levels * np.maximum(1440 * independent_looks([1, 8, 60, 10_000], rule.level(10), FEW), 1.0)
    assert spent == pytest.approx(0.05 / 10)


def test_a_single_look_has_all_of_its_error_at_every_length() -> None:
    assert Rule(100, 1, 0.05, 1, {}).levels(5, [1, 60]).tolist() == pytest.approx([0.01, 0.01])
