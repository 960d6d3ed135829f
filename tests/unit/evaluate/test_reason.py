from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.reason import changes, explain, median_of, share
from agent.evaluate.report import Decision, Score
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary

RNG = np.random.default_rng(1)
METRES = RNG.lognormal(1.0, 0.4, 5000)


def numeric(values: NDArray[np.float64]) -> NumericSummary:
    sketch = NumericSketch(np.array([2.0, 3.0]), np.array([0, 1]))
    sketch.update(values)
    return sketch.result()


def score(statistic: str, value: float, lower: float, threshold: float, decision: Decision, streak: int) -> Score:
    return Score(statistic, value, lower, threshold, decision, streak)


def test_a_changed_unit_is_named_with_its_factor() -> None:
    up = changes(numeric(METRES * 1000), numeric(METRES))
    down = changes(numeric(METRES / 1000), numeric(METRES))
    assert up[0].endswith("times as large, as if the unit had changed")
    assert 950 < float(up[0].split()[3].replace(",", "")) < 1050
    assert down[0].endswith("times as small, as if the unit had changed")


def test_a_shift_is_no_changed_unit() -> None:
    found = changes(numeric(METRES + 20), numeric(METRES))
    assert not any("unit" in change for change in found)
    assert found[0].startswith("mean 2")


def test_a_wider_spread_alone_is_told() -> None:
    centred = RNG.normal(0, 1, 5000)
    found = changes(numeric(centred * 4 - 4 * centred.mean()), numeric(centred - centred.mean()))
    assert found[0].startswith("standard deviation ")
    assert any(change.startswith("values up to") for change in found)
    assert any(change.startswith("values down to") for change in found)


def test_missing_and_infinite_values_are_told() -> None:
    values = METRES.copy()
    values[:1000] = np.nan
    values[1000:1003] = np.inf
    found = changes(numeric(values), numeric(METRES))
    assert found[:2] == ["missing 20 % of the rows instead of 0 %", "3 infinite values, training had none"]


def test_the_category_that_moved_most_is_told_with_the_unseen_ones() -> None:
    current = CategorySummary(1000, 0, ("red", "blue"), np.array([600, 300]), 100, 3.0)
    reference = CategorySummary(1000, 0, ("red", "blue"), np.array([200, 800]), 0, 2.0)
    assert changes(current, reference) == ["unseen categories in 10 % of the values", "'blue' 30 % of the values instead of 80 %"]


def test_nothing_changed_is_nothing_told() -> None:
    assert changes(numeric(METRES), numeric(METRES)) == []
    empty = numeric(np.empty(0))
    assert changes(empty, empty) == []
    assert median_of(empty) is None


def test_the_score_that_exceeds_its_tolerance_the_most_leads() -> None:
    scores = [
        score("psi", 0.41, 0.33, 0.1, Decision.DRIFTED, 3),
        score("ks", 0.9, 0.11, 0.1, Decision.DRIFTED, 5),
        score("js", 0.9, 0.8, 0.1, Decision.SUSPECT, 1),
    ]
    sentence = explain(Decision.DRIFTED, scores, numeric(METRES), numeric(METRES), 12_000, 10_000)
    assert sentence == (
        "PSI 0.41, at least 0.33, tolerance 0.1, over 12,000 rows against 10,000 in training, 3 evaluations in a row"
    )


def test_shares_and_sigmas_carry_their_unit() -> None:
    same = numeric(METRES)
    missing = explain(Decision.SUSPECT, [score("missing", 0.2, 0.18, 0.05, Decision.SUSPECT, 1)], same, same, 500, 500)
    moved = explain(Decision.SUSPECT, [score("mean_shift", -0.6, 0.5, 0.25, Decision.SUSPECT, 1)], same, same, 500, 500)
    assert missing.startswith("missing share +20 %, at least 18 %, tolerance 5 %, ")
    assert missing.endswith("one evaluation so far")
    assert moved.startswith("mean shift -0.6 σ, at least 0.5 σ, tolerance 0.25 σ, ")


def test_calm_decisions_have_no_sentence() -> None:
    same = numeric(METRES)
    assert explain(Decision.OK, [score("psi", 0.0, 0.0, 0.1, Decision.OK, 0)], same, same, 500, 500) == ""
    assert share(0.996) == "100 %"
