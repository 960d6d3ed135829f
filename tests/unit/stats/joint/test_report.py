from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import inf
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.batch import Checked
from agent.joint.reference import JointReference
from agent.joint.usual import Usual
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.stats.joint.report import JointReport, JointTolerances, joint_report
from agent.validate.rows import RowScorer
from agent.window.relations import RelationsSketch, suffixes

TOLERANCES = JointTolerances()


def data(rows: int, seed: int, *, r: float = 0.7, answer: str = "a") -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(seed)
    made: dict[str, NDArray[Any]] = {name: generator.standard_normal(rows) for name in "abcd"}
    made["b"] = r * made["a"] + np.sqrt(1 - r * r) * made["b"]
    made["kind"] = np.array(["x", "y", "z"], dtype=object)[generator.integers(0, 3, rows)]
    made["answer"] = np.where(made[answer] + 0.3 * generator.standard_normal(rows) > 0, "yes", "no").astype(object)
    return made


@cache
def schema() -> Schema:
    return schema_of(build(data(20_000, 1), prediction="answer"))


def reference() -> JointReference:
    found = schema().relations
    assert found is not None
    return found


def pane(rows: int, seed: int, **change: Any) -> RelationsSketch:
    made = data(rows, seed, **change)
    values = tuple(made[column.name] for column in (*schema().features, *schema().outputs))
    sketch = RelationsSketch(schema())
    sketch.update(RowScorer(schema()).score(Checked(rows, values, {}))[0])
    return sketch


def report(panes: list[RelationsSketch], alpha: float = 1e-6, **change: Any) -> JointReport:
    frame = suffixes(panes, [1, 2, 4], schema())
    return joint_report(frame, reference(), alpha=alpha, tolerances=change.pop("tolerances", TOLERANCES), **change)


def test_unchanged_traffic_has_nothing_to_report() -> None:
    found = report([pane(500, seed) for seed in range(2, 6)])
    assert found.pairs == []
    assert found.features == []
    assert found.discrepancy is not None
    assert not found.discrepancy.exceeds


def test_flipped_pair_is_found_in_the_newest_pane() -> None:
    found = report([*(pane(2000, seed) for seed in range(2, 5)), pane(200, 5, r=-0.7)])
    first = found.pairs[0]
    assert (first.left, first.right, first.stretch, first.rows) == ("a", "b", 0, 200)
    assert first.before == pytest.approx(0.7, abs=0.02)
    assert first.now == pytest.approx(-0.7, abs=0.1)
    assert first.value == pytest.approx(first.now - first.before)
    assert first.exceeds


def test_small_old_change_is_found_in_the_longest_stretch() -> None:
    found = report([pane(1000, seed, r=0.4) for seed in range(2, 6)])
    assert found.pairs[0].stretch == 2
    assert found.pairs[0].rows == 4000


def test_features_that_lost_and_gained_relevance_are_named() -> None:
    found = report([pane(2000, 7, answer="d")])
    scores = {score.feature: score for score in found.features}
    assert scores["a"].value < -0.2
    assert scores["d"].value > 0.2
    assert scores["a"].exceeds
    assert scores["d"].exceeds
    assert "c" not in scores
    assert found.pairs == []


def test_no_rows_have_no_report() -> None:
    assert report([RelationsSketch(schema())]) == JointReport(None, [], [])


def test_lists_are_as_long_as_asked_for_and_begin_with_the_strongest() -> None:
    found = report([pane(4000, 8, r=-0.7, answer="d")], most=2)
    assert len(found.features) == 2
    bounds = [score.lower for score in found.features]
    assert bounds == sorted(bounds, reverse=True)


def test_infinite_tolerance_never_exceeds() -> None:
    found = report([pane(2000, 9, r=-0.7, answer="d")], tolerances=JointTolerances(inf, inf, inf))
    assert found.discrepancy is not None
    assert not any(score.exceeds for score in (found.discrepancy, *found.pairs, *found.features))


def restless(pairs: float, features: float, whole: float, of: str = "a") -> JointReference:
    """Give a reference whose chunks differed in everything that has to do with one column."""
    found = reference()
    usual = Usual(np.zeros((found.width, found.width)), np.zeros(len(found.features.names)), whole)
    a = found.names.index(of)
    usual.correlation[a] = usual.correlation[:, a] = pairs
    usual.association[found.features.names.index(of)] = features
    return replace(found, usual=usual)


def changed(known: JointReference, tolerances: JointTolerances = TOLERANCES, most: int = 10) -> JointReport:
    frame = suffixes([pane(4000, 12, r=-0.7, answer="d")], [1], schema())
    return joint_report(frame, known, alpha=1e-6, tolerances=tolerances, most=most)


def test_what_is_usual_of_a_pair_is_its_tolerance() -> None:
    found = changed(restless(1.9, 0.9, 1.5))
    pairs = {(score.left, score.right): score for score in found.pairs}
    assert pairs["a", "b"].threshold == 1.9
    assert pairs["a", "b"].lower > 1.0
    assert not pairs["a", "b"].exceeds
    features = {score.feature: score for score in found.features}
    assert (features["a"].threshold, features["d"].threshold) == (0.9, 0.1)
    assert not features["a"].exceeds
    assert features["d"].exceeds
    assert found.discrepancy is not None
    assert found.discrepancy.threshold == 1.5


def test_the_setting_holds_where_chunks_differ_by_less() -> None:
    found = changed(restless(0.01, 0.01, 0.001))
    assert {score.threshold for score in found.pairs} == {0.2}
    assert {score.threshold for score in found.features} == {0.1}
    assert found.discrepancy is not None
    assert found.discrepancy.threshold == reference().tolerance


def test_what_is_switched_off_stays_off() -> None:
    found = changed(restless(1.9, 0.9, 1.5), JointTolerances(inf, inf, inf))
    assert found.discrepancy is not None
    assert all(score.threshold == inf for score in (found.discrepancy, *found.pairs, *found.features))


def test_a_tolerant_feature_does_not_stand_before_one_that_exceeds() -> None:
    assert [score.feature for score in changed(reference(), most=1).features] == ["d"]
    assert [score.feature for score in changed(restless(0.0, 0.9, 0.0, of="d"), most=1).features] == ["a"]


def test_overdispersed_traffic_proves_less() -> None:
    panes = [pane(300, 10, r=-0.7)]
    assert report(panes, overdispersion=2.0).pairs[0].lower < report(panes).pairs[0].lower
    assert report(panes, overdispersion=np.array([100.0, 100.0, 100.0])).pairs == []


def test_report_is_json() -> None:
    found = report([pane(2000, 11, r=-0.7, answer="d")])
    assert msgspec.json.decode(msgspec.json.encode(found), type=JointReport) == found
