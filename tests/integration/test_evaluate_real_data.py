"""A real data set from profile to report: nothing is flagged where nothing changed, and exactly what changed where it did."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer

from agent.config import load
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import Decision, Report
from agent.evaluate.rule import Rule
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from tests.windows import window_of

Columns = dict[str, NDArray[np.float64]]

RULE = Rule.from_settings(load({}))
DATA = load_breast_cancer()
NAMES = [str(name).replace(" ", "_") for name in DATA.feature_names]


def rows(rng: np.random.Generator, count: int) -> Columns:
    """Draw rows with replacement, with a column that never changes beside the real ones."""
    drawn = DATA.data[rng.integers(0, len(DATA.data), count)]
    return {**dict(zip(NAMES, drawn.T.copy(), strict=True)), "constant": np.ones(count)}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return schema_of(build(rows(np.random.default_rng(1), 10_000), numeric=["constant"]))


def flagged(report: Report) -> set[str]:
    return {column.name for column in report.columns if column.decision in (Decision.SUSPECT, Decision.DRIFTED)}


@pytest.mark.parametrize("count", [120, 300, 3000])
def test_rows_of_the_training_data_are_never_flagged(schema: Schema, count: int) -> None:
    rng = np.random.default_rng(count)
    streaks = Streaks()
    for _ in range(15):
        report, streaks = evaluate(window_of(schema, [rows(rng, count)]), schema, RULE, streaks, {}, 0)
        assert flagged(report) == set()
        assert report.decision == Decision.OK


@pytest.mark.parametrize("count", [150, 1000])
def test_exactly_the_disturbed_columns_are_drifted(schema: Schema, count: int) -> None:
    rng = np.random.default_rng(count)
    streaks = Streaks()
    for _ in range(RULE.consecutive):
        columns = rows(rng, count)
        columns["mean_radius"] = columns["mean_radius"] * 25.4
        columns["mean_texture"][: count // 4] = np.nan
        columns["constant"] = columns["constant"] + 1
        report, streaks = evaluate(window_of(schema, [columns]), schema, RULE, streaks, {}, 0)
    drifted = {column.name: column.reason for column in report.columns if column.decision == Decision.DRIFTED}
    assert set(drifted) == flagged(report) == {"mean_radius", "mean_texture", "constant"}
    assert "times as large, as if the unit had changed" in drifted["mean_radius"]
    assert "missing 25 % of the rows instead of 0 %" in drifted["mean_texture"]
    assert "mean 2 instead of 1" in drifted["constant"]
