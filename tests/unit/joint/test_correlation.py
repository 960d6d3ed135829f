from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.joint.correlation import Correlation, correlation_of, tail_of
from agent.joint.moments import CrossMoments, Moments

Floats = NDArray[np.float64]


def correlation(matrix: Floats) -> Correlation:
    moments = CrossMoments(matrix.shape[1])
    moments.update(matrix)
    return correlation_of(moments.result())


def columns(rows: int = 3000) -> Floats:
    """Normal, skewed, discrete, and the indicator of a rare category, all dependent and far from centred."""
    generator = np.random.default_rng(3)
    base = generator.standard_normal((rows, 4))
    base += 0.7 * base[:, :1]
    made = (base[:, 0] + 1.5, np.exp(base[:, 1]) - 1, np.round(base[:, 2]), np.where(base[:, 3] > 2, 4.0, -0.2))
    return np.asarray(np.clip(np.column_stack(made), -4.0, 4.0))


def influences(matrix: Floats, r: Floats) -> Floats:
    u = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    return np.asarray(u[:, :, None] * u[:, None, :] - r * (u[:, :, None] ** 2 + u[:, None, :] ** 2) / 2)


def test_variance_is_that_of_the_influences() -> None:
    x = columns()
    found = correlation(x)
    np.testing.assert_allclose(found.variance, influences(x, found.r).var(axis=0), rtol=1e-4, atol=1e-4)


def test_tail_is_the_third_moment_of_the_influences() -> None:
    x = columns()
    found = correlation(x)
    third = (np.abs(influences(x, found.r)) ** 3).mean(axis=0)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(tail_of(x, found)[off], third[off] / 3 / found.variance[off], rtol=1e-3)


def test_kurtosis_of_an_indicator_is_about_one_over_its_share() -> None:
    x = np.zeros((1000, 1))
    x[:20] = 1.0
    assert correlation(x).kurtosis[0] == pytest.approx(1 / 0.02, rel=0.1)


def test_constant_column_has_no_correlation() -> None:
    x = columns()
    x[:, 1] = 3.9
    found = correlation(x)
    assert np.isnan(found.r[1]).all()
    assert np.isnan(found.r[:, 1]).all()
    assert np.isfinite(np.delete(np.delete(found.r, 1, 0), 1, 1)).all()
    assert not tail_of(x, found)[1].any()


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_have_no_correlation(rows: int) -> None:
    assert np.isnan(correlation(columns()[:rows]).r).all()


def test_two_rows_are_perfectly_correlated_and_say_nothing_of_the_spread() -> None:
    found = correlation(np.array([[0.0, 1.0], [1.0, -1.0]]))
    assert found.r[0, 1] == pytest.approx(-1.0)
    assert found.variance[0, 1] == pytest.approx(0.0, abs=1e-9)


def test_leading_axes_are_computed_side_by_side() -> None:
    parts = [columns(500), columns(900)]
    made = []
    for part in parts:
        moments = CrossMoments(4)
        moments.update(part)
        made.append(moments.result())
    names = ("rows", "mean", "products", "thirds", "squares", "cubes")
    stacked = Moments(*(np.stack([getattr(one, name) for one in made]) for name in names))
    found = correlation_of(stacked)
    for place, part in enumerate(parts):
        np.testing.assert_allclose(found.r[place], correlation(part).r)
        np.testing.assert_allclose(found.variance[place], correlation(part).variance)
