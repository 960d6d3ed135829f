"""What holds of all three changes whatever comes: nothing from nothing, bounds within values, scales side by side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.joint.correlation import Correlation, ReferenceCorrelation, correlation_of
from agent.joint.fourier import FourierMeans, FourierSums, ReferenceFourier, features, frequencies, spread_of
from agent.joint.moments import CrossMoments, Moments
from agent.joint.reference import learn
from agent.joint.relevance import relevance
from agent.stats.joint.association_change import LEAST_ROWS, association_change
from agent.stats.joint.correlation_change import correlation_change
from agent.stats.joint.mmd import mmd

Floats = NDArray[np.float64]


def rows(count: int, r: float = 0.6, seed: int = 1) -> Floats:
    x = np.random.default_rng(seed).standard_normal((count, 3))
    x[:, 1] = r * x[:, 0] + np.sqrt(1 - r * r) * x[:, 1]
    return np.clip(x, -4.0, 4.0)


def moments_of(matrix: Floats) -> Moments:
    sums = CrossMoments(matrix.shape[1])
    sums.update(matrix)
    return sums.result()


def correlation(matrix: Floats) -> Correlation:
    return correlation_of(moments_of(matrix))


def reference(compared: NDArray[np.bool_] | None = None) -> ReferenceCorrelation:
    structure = learn(rows(5000, seed=2), ~np.eye(3, dtype=bool) if compared is None else compared)
    assert structure is not None
    return structure.correlation


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_few_rows_prove_nothing_of_correlations(count: int) -> None:
    change = correlation_change(correlation(rows(count, r=-0.9)), reference(), 0.05)
    assert not change.lower.any()


def test_bound_lies_within_the_change_of_a_correlation() -> None:
    change = correlation_change(correlation(rows(400, r=-0.2)), reference(), 0.01)
    assert (change.lower >= 0).all()
    assert (change.lower <= np.abs(change.value)).all()
    np.testing.assert_allclose(change.lower, change.lower.T)
    assert change.lower[0, 1] > 0.4
    assert change.value[0, 1] == pytest.approx(-0.8, abs=0.1)


def test_pair_that_is_not_to_be_compared_is_left_out() -> None:
    compared = ~np.eye(3, dtype=bool)
    compared[0, 1] = compared[1, 0] = False
    change = correlation_change(correlation(rows(400, r=-0.9)), reference(compared), 0.01)
    assert change.value[0, 1] == change.lower[0, 1] == 0
    assert change.value[0, 2] != 0


def test_pair_without_a_correlation_in_training_is_left_out() -> None:
    known = reference()
    r = known.r.copy()
    r[0, 1] = r[1, 0] = np.nan
    change = correlation_change(correlation(rows(400, r=-0.9)), replace(known, r=r), 0.01)
    assert change.value[0, 1] == change.lower[0, 1] == 0


def test_column_that_became_constant_is_left_out() -> None:
    x = rows(400)
    x[:, 0] = 1.0
    change = correlation_change(correlation(x), reference(), 0.01)
    assert np.isnan(change.now[0]).all()
    assert not change.value[0].any()
    assert not change.lower[0].any()


def test_category_of_a_handful_of_rows_is_left_out() -> None:
    x = rows(400)
    x[:, 2] = 0.0
    x[:5, 2] = 4.0
    x[:5, 0] = 4.0
    assert not correlation_change(correlation(x), reference(), 0.05).lower[2].any()
    x[:40, 2] = 4.0
    x[:40, 0] = 4.0
    assert correlation_change(correlation(x), reference(), 0.05).lower[2, 0] > 0.1


def test_perfect_correlations_have_finite_bounds() -> None:
    x = rows(1000)
    x[:, 1] = x[:, 0]
    structure = learn(x, ~np.eye(3, dtype=bool))
    assert structure is not None
    same = correlation_change(correlation(x[:300]), structure.correlation, 0.01)
    assert same.lower[0, 1] == 0
    x[:, 1] *= -1
    assert correlation_change(correlation(x[:300]), structure.correlation, 0.01).lower[0, 1] == pytest.approx(2.0, abs=0.02)


def test_correlations_of_many_scales_are_those_of_each() -> None:
    parts = [rows(count, r=-0.3) for count in (0, 90, 700)]
    made = [moments_of(part) for part in parts]
    names = ("rows", "mean", "products", "thirds", "squares", "cubes")
    stacked = Moments(*(np.stack([getattr(one, name) for one in made]) for name in names))
    phi = np.array([1.0, 2.0, 3.0])
    found = correlation_change(correlation_of(stacked), reference(), 0.01, phi)
    for scale, part in enumerate(parts):
        np.testing.assert_allclose(found.lower[scale], correlation_change(correlation(part), reference(), 0.01, phi[scale]).lower)


WAVES = frequencies(3, 2.0)


def fourier_of(matrix: Floats) -> FourierMeans:
    sums = FourierSums(WAVES)
    sums.update(matrix)
    return sums.result()


def fourier_reference() -> ReferenceFourier:
    made = features(rows(5000, seed=2), WAVES).astype(np.float64)
    return ReferenceFourier(len(made), made.mean(axis=0), *spread_of(made))


@pytest.mark.parametrize("count", [0, 1, 19])
def test_few_rows_prove_no_discrepancy(count: int) -> None:
    found = mmd(fourier_of(rows(count) + 3.0), fourier_reference(), 0.05)
    assert float(found.value) == float(found.lower) == 0.0


def test_discrepancy_of_training_with_itself_is_zero() -> None:
    found = mmd(fourier_of(rows(5000, seed=2)), fourier_reference(), 0.5)
    assert float(found.value) == float(found.lower) == 0.0


def test_discrepancy_grows_with_the_shift_and_shrinks_with_overdispersion() -> None:
    near, far = fourier_of(rows(500) + 0.3), fourier_of(rows(500) + 1.0)
    known = fourier_reference()
    assert float(mmd(near, known, 0.01).value) < float(mmd(far, known, 0.01).value)
    found = mmd(far, known, 0.01)
    assert 0 < float(mmd(far, known, 0.01, 4.0).lower) < float(found.lower) < float(found.value)
    assert float(mmd(far, known, 1e-9).lower) < float(found.lower)


def table(dependent: float, count: int) -> NDArray[np.int64]:
    """Rows and columns of four even cells, with a share of the rows on the diagonal."""
    share = np.full((4, 4), (1 - dependent) / 16) + np.eye(4) * dependent / 4
    return np.round(share * count).astype(np.int64)


@pytest.mark.parametrize("count", [0, 1, int(LEAST_ROWS) - 2])
def test_few_rows_prove_nothing_of_associations(count: int) -> None:
    change = association_change(table(0.0, count)[None], relevance(table(1.0, 8000)[None]), 0.05)
    assert not change.lower.any()
    assert not change.value.any()


def test_association_that_went_is_proven_and_has_its_sign() -> None:
    then = relevance(np.stack([table(0.9, 8000), table(0.1, 8000), table(0.5, 8000)]))
    now = np.stack([table(0.1, 800), table(0.9, 800), table(0.5, 800)])
    change = association_change(now, then, 1e-6)
    assert change.value[0] < -0.5
    assert change.value[1] > 0.5
    assert (change.lower[:2] > 0.3).all()
    assert change.lower[2] == 0
    assert (change.lower <= np.abs(change.value)).all()
    assert (association_change(now, then, 1e-6, 3.0).lower[:2] < change.lower[:2]).all()


def test_constant_prediction_has_no_association() -> None:
    constant = np.zeros((4, 4), dtype=np.int64)
    constant[:, 2] = 200
    change = association_change(constant[None], relevance(table(0.9, 8000)[None]), 0.05)
    assert np.isnan(change.now).all()
    assert not change.lower.any()


def test_feature_that_determines_the_prediction_has_relevance_one() -> None:
    assert relevance(table(1.0, 8000)).value == pytest.approx(1.0, abs=1e-3)


def test_no_features_and_no_columns_are_fine() -> None:
    none = np.zeros((2, 0, 4, 4), dtype=np.int64)
    assert association_change(none, relevance(none[0]), 0.05).lower.shape == (2, 0)
    assert learn(np.zeros((500, 0)), np.zeros((0, 0), dtype=bool)) is None
