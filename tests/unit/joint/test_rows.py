"""Rows as wholes: fresh rows like training's look like its reference, broken ones don't."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from agent.joint import rows
from agent.joint.design import Design, Numbers, choose
from agent.joint.rows import MIN_ROWS, Learned, dealt, learn


def rows_of(count: int, width: int, seed: int) -> list[np.ndarray]:
    """Columns that go together, some skewed, some of whole numbers."""
    mixing = np.random.default_rng(99).normal(size=(width, width))
    values = np.random.default_rng(seed).normal(size=(count, width)) @ mixing
    values[:, ::3] = np.exp(values[:, ::3] / 3)
    values[:, 1::5] = np.round(values[:, 1::5])
    return list(values.T)


def design_of(columns: list[np.ndarray]) -> Design:
    described = []
    for place, values in enumerate(columns):
        points, weights = np.unique(values, return_counts=True)
        described.append(Numbers(str(place), points, weights, float(values.mean()), float(values.std())))
    return choose(described)


def learned(columns: list[np.ndarray]) -> Learned:
    found = learn([str(i) for i in range(len(columns))], design_of(columns), columns, [None] * len(columns), len(columns[0]))
    assert found is not None
    return found


@pytest.mark.parametrize(("count", "width"), [(20_000, 20), (200, 20), (100, 5), (400, 60)])
def test_fresh_rows_have_the_distribution_of_the_reference(count: int, width: int) -> None:
    values = []
    for seed in range(5):
        found = learned(rows_of(count, width, seed))
        fresh = found.model.score(rows_of(4000, width, 1000 + seed), 4000)
        pairs = ((found.errors, fresh.errors), (found.distances, fresh.distances), (found.anomaly, fresh.anomaly))
        values += [stats.ks_2samp(*pair).pvalue for pair in pairs]
    # 15 tests per size, 60 in all. What it looks like where the reference has been learned from: the next test.
    assert min(values) > 0.05 / 60


def test_reference_of_the_very_rows_would_have_been_found_out() -> None:
    columns = rows_of(200, 20, 1)
    found = learned(columns)
    half = [column[dealt(200) < 2] for column in columns]
    seen = found.model.score(half, len(half[0])).distances
    fresh = found.model.score(rows_of(4000, 20, 1001), 4000).distances
    assert stats.ks_2samp(seen, fresh).pvalue < 0.01


def test_anomalies_of_fresh_rows_are_as_many_as_the_quantile_says() -> None:
    shares = []
    for seed in range(4):
        model = learned(rows_of(20_000, 20, seed)).model
        fresh = model.score(rows_of(20_000, 20, 1000 + seed), 20_000)
        shares.append([(fresh.anomaly > model.threshold.at(quantile)).mean() for quantile in (0.99, 0.999)])
    hundredth, thousandth = np.mean(shares, axis=0)
    assert hundredth == pytest.approx(0.01, rel=0.15)
    assert 0.0005 < thousandth < 0.002  # of four references with five such rows each


def test_row_that_breaks_the_structure_within_all_ranges_is_an_anomaly() -> None:
    rng = np.random.default_rng(5)
    hidden = rng.normal(size=10_000)
    columns = [hidden + 0.05 * rng.normal(size=10_000) for _ in range(6)]
    model = learned(columns).model
    broken = [np.array([1.5]), *[np.array([-1.5])] * 5]
    scores = model.score(broken, 1)
    assert scores.anomaly[0] > model.threshold.at(0.999)
    named = [name for _, name in sorted(zip((-scores.rarities[:, 0] * model.weights).tolist(), model.scored, strict=True))]
    assert set(named[:2]) == {"joint.reconstruction_error", "joint.mahalanobis"}


def test_one_value_far_out_of_range_is_an_anomaly_among_many_columns() -> None:
    model = learned(rows_of(5000, 40, 6)).model
    fresh = rows_of(100, 40, 7)
    fresh[4] = np.full(100, 1e6)
    assert (model.score(fresh, 100).anomaly > model.threshold.at(0.999)).all()


def test_whatever_comes_has_finite_scores() -> None:
    model = learned(rows_of(500, 5, 8)).model
    wild = np.array([np.nan, np.inf, -np.inf, 1.7e308, -1.7e308])
    scores = model.score([wild] * 5, 5)
    for found in (scores.errors, scores.distances, scores.anomaly, scores.matrix, scores.rarities):
        assert np.isfinite(found).all()
    assert np.isfinite(model.score([None] * 5, 3).anomaly).all()


def test_many_rows_are_scored_in_blocks_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    model = learned(rows_of(500, 5, 8)).model
    fresh = rows_of(1000, 5, 9)
    whole = model.score(fresh, 1000)
    monkeypatch.setattr(rows, "BLOCK_ROWS", 64)
    cut = model.score(fresh, 1000)
    assert cut.top.tolist() == whole.top.tolist() == np.argsort(-whole.anomaly)[:10].tolist()
    for name in ("matrix", "errors", "distances", "anomaly", "rarities"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name), rel=1e-12)


def test_too_few_rows_or_columns_have_no_model() -> None:
    few = rows_of(MIN_ROWS - 1, 5, 9)
    assert learn(list("abcde"), design_of(few), few, [None] * 5, MIN_ROWS - 1) is None
    single = rows_of(500, 5, 9)[:1]
    assert learn(["a"], design_of(single), single, [None], 500) is None


def test_uses_of_rows_have_no_period() -> None:
    groups = dealt(10_000)
    for period in (2, 4, 7, 24):
        for phase in range(period):
            share = np.bincount(groups[phase::period], minlength=4) / len(groups[phase::period])
            assert share == pytest.approx(0.25, abs=0.04)
