"""Correlations and associations of a profile against pandas, numpy and scipy."""

from __future__ import annotations

import base64
import math

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.joint import CoMoments, Contingency, CorrelationRatio

ROWS = 150_000
RNG = np.random.default_rng(9)
X = RNG.normal(size=ROWS)
FRAME = pd.DataFrame(
    {
        "a": X + 1e7,
        "b": 3 * X + RNG.normal(size=ROWS),
        "c": np.where(RNG.random(ROWS) < 0.3, np.nan, X**2),
        "d": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.exponential(size=ROWS) - X),
        "constant": np.full(ROWS, 0.1),
        "s": np.array(["u", "v", "w", None], dtype=object)[np.clip((X + 2).astype(int), 0, 3)],
        "flag": X + RNG.normal(size=ROWS) > 0,
        "p": 2 * X + RNG.normal(size=ROWS),
    }
)


def matrix(profile: Profile) -> NDArray[np.float64]:
    assert profile.joint is not None
    size = len(profile.joint.columns)
    full = np.full((size, size), np.nan)
    full[np.triu_indices(size, 1)] = np.frombuffer(base64.b64decode(profile.joint.correlation), dtype="<f4")
    return full


def associations(profile: Profile) -> dict[str, tuple[str, object]]:
    return {item.feature: (item.measure, item.value) for item in profile.association}


def eta(groups: pd.Series, values: pd.Series) -> float:
    pair = pd.DataFrame({"g": groups, "v": values}).dropna()
    within = sum(((part - part.mean()) ** 2).sum() for _, part in pair.groupby("g")["v"])
    return math.sqrt(1 - within / ((pair["v"] - pair["v"].mean()) ** 2).sum())


def test_correlations_are_those_of_pandas() -> None:
    profile = build(FRAME)
    names = ["a", "b", "c", "d", "constant", "p"]
    assert profile.joint is not None
    assert profile.joint.columns == names
    expected = FRAME[names].drop(columns="constant").corr().to_numpy()
    found = matrix(profile)
    keep = [0, 1, 2, 3, 5]
    upper = np.triu_indices(5, 1)
    np.testing.assert_allclose(found[np.ix_(keep, keep)][upper], expected[upper], atol=2e-7)
    assert np.isnan(found[4]).all()
    assert np.isnan(found[:, 4]).all()


def test_association_with_a_number() -> None:
    found = associations(build(FRAME, prediction="p"))
    for name in "abcd":
        assert found[name] == ("pearson_r", pytest.approx(FRAME[name].corr(FRAME["p"]), abs=1e-9))
    for name in ("s", "flag"):
        assert found[name] == ("correlation_ratio", pytest.approx(eta(FRAME[name], FRAME["p"]), abs=1e-9))
    assert "constant" not in found


def test_association_with_a_class() -> None:
    found = associations(build(FRAME, prediction="flag"))
    table = pd.crosstab(FRAME["s"], FRAME["flag"]).to_numpy()
    assert found["s"] == ("cramers_v", pytest.approx(stats.contingency.association(table, "cramer"), abs=1e-12))
    for name in "abcd":
        assert found[name] == ("correlation_ratio", pytest.approx(eta(FRAME["flag"], FRAME[name]), abs=1e-9))


def test_performance_of_a_regression() -> None:
    label = FRAME["c"]
    profile = build(FRAME.assign(y=label), prediction="p", label="y")
    errors = (FRAME["p"] - label).dropna()
    found: dict[str, tuple[object, int]] = {item.measure: (item.value, item.rows) for item in profile.performance}
    assert found == {
        "mae": (pytest.approx(errors.abs().mean()), len(errors)),
        "rmse": (pytest.approx(math.sqrt((errors**2).mean())), len(errors)),
    }


def test_merged_parts_are_the_whole() -> None:
    values = FRAME[["a", "b", "c"]].to_numpy()
    codes = pd.factorize(FRAME["s"])[0].astype(np.int64)
    flags = FRAME["flag"].to_numpy().astype(np.int64)
    moments = (np.nanmean(values, axis=0), np.nanstd(values, axis=0))
    wholes = CoMoments(*moments), CorrelationRatio(3, 0.0, 1.0), Contingency(3, 2)
    parts = CoMoments(*moments), CorrelationRatio(3, 0.0, 1.0), Contingency(3, 2)
    for start, stop in ((0, 70_000), (70_000, ROWS)):
        part = CoMoments(*moments), CorrelationRatio(3, 0.0, 1.0), Contingency(3, 2)
        for group in (part, wholes):
            group[0].update(values[start:stop])
            group[1].update(codes[start:stop], values[start:stop, 1])
            group[2].update(codes[start:stop], flags[start:stop])
        parts[0].merge(part[0])
        parts[1].merge(part[1])
        parts[2].merge(part[2])
    np.testing.assert_allclose(parts[0].correlation(), wholes[0].correlation(), atol=1e-12)
    assert parts[1].result() == pytest.approx(wholes[1].result(), abs=1e-12)
    assert parts[2].result() == wholes[2].result()


def test_nothing_to_compare_is_not_a_number() -> None:
    assert math.isnan(CorrelationRatio(2, 0.0, 1.0).result())
    assert math.isnan(Contingency(2, 2).result())
    assert np.isnan(CoMoments(np.zeros(2), np.ones(2)).correlation()).all()
