from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.facts import CategoryFacts, NumericFacts, medians, numeric_facts
from agent.evaluate.reason import changes, explain, share
from agent.evaluate.report import Decision, Score
from agent.sketch.frame import NumericFrame, NumericLayout
from agent.sketch.numeric import NumericSketch

RNG = np.random.default_rng(1)
METRES = RNG.lognormal(1.0, 0.4, 5000)
EDGES = np.quantile(METRES, np.arange(1, 20) / 20)
LAYOUT = NumericLayout.of([(EDGES, np.arange(0, 20, 2))])


def numeric(values: NDArray[np.float64]) -> NumericFacts:
    sketch = NumericSketch(EDGES, np.arange(0, 20, 2))
    sketch.update(values)
    frame = NumericFrame.of([sketch], LAYOUT, np.zeros(1, dtype=np.int64))
    return numeric_facts(frame, (0,), medians(frame, LAYOUT))


def score(statistic: str, value: float, lower: float, threshold: float, streak: int, against: str = "training") -> Score:
    decision = Decision.DRIFTED if streak > 2 else Decision.SUSPECT
    return Score(statistic, against, value, lower, threshold, decision, streak, 12_000, 3600.0)


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
    current = CategoryFacts(1000, 0, ("red", "blue"), np.array([600, 300]), 100)
    reference = CategoryFacts(1000, 0, ("red", "blue"), np.array([200, 800]), 0)
    assert changes(current, reference) == ["unseen categories in 10 % of the values", "'blue' 30 % of the values instead of 80 %"]


def test_nothing_changed_is_nothing_told() -> None:
    assert changes(numeric(METRES), numeric(METRES)) == []
    empty = numeric(np.empty(0))
    assert changes(empty, empty) == []


def test_the_evidence_is_in_the_sentence() -> None:
    same = numeric(METRES)
    sentence = explain(score("psi", 0.41, 0.33, 0.1, 3), same, same, whole=True)
    assert sentence == (
        "PSI 0.41, at least 0.33, tolerance 0.1, over 12,000 rows against 5,000 in training, 3 evaluations in a row"
    )


def test_a_part_of_the_window_is_called_so() -> None:
    same = numeric(METRES)
    assert "over the newest 12,000 rows (1 hour) against" in explain(score("psi", 0.4, 0.3, 0.1, 3), same, same, whole=False)


def test_other_references_are_named() -> None:
    same = numeric(METRES)
    before = explain(score("psi", 0.4, 0.3, 0.1, 3, "before"), same, same, whole=True)
    season = explain(score("psi", 0.4, 0.3, 0.1, 3, "season"), same, same, whole=True)
    assert "against 5,000 in the window before" in before
    assert "against 5,000 in the same hours of earlier days" in season


def test_what_is_over_but_not_yet_ended_says_so() -> None:
    same = numeric(METRES)
    assert explain(score("psi", 0.4, 0.3, 0.1, 0), same, same, whole=True).endswith("not calm for long enough yet")


def test_shares_and_sigmas_carry_their_unit() -> None:
    same = numeric(METRES)
    missing = explain(score("missing", 0.2, 0.18, 0.05, 1), same, same, whole=True)
    moved = explain(score("mean_shift", -0.6, 0.5, 0.25, 1), same, same, whole=True)
    wider = explain(score("variance", 0.4, 0.3, 0.25, 1), same, same, whole=True)
    narrower = explain(score("variance", -0.4, 0.3, 0.25, 1), same, same, whole=True)
    assert missing.startswith("missing share +20 %, at least 18 %, tolerance 5 %, ")
    assert missing.endswith("one evaluation so far")
    assert moved.startswith("mean shift -0.6 σ, at least 0.5 σ, tolerance 0.25 σ, ")
    assert wider.startswith("standard deviation x 1.49, at least x 1.35, tolerance x 1.28, ")
    assert narrower.startswith("standard deviation x 0.67, at least x 0.741, tolerance x 0.779, ")


def test_shares_round_as_people_do() -> None:
    assert share(0.996) == "100 %"
