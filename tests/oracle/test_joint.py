"""Structure against scikit-learn: components, shrinkage, distances."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA

from agent.joint.subspace import VARIANCE, fit, shrinkage


def data(rows: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)) + rng.normal(size=width)


SHAPES = [(5000, 6), (200, 20), (30, 12), (15, 20)]


@pytest.mark.parametrize("shape", SHAPES)
def test_shrinkage(shape: tuple[int, int]) -> None:
    matrix = data(*shape, seed=1)
    centred = matrix - matrix.mean(axis=0)
    values = np.maximum(np.linalg.eigvalsh(centred.T @ centred / len(matrix)), 0)
    assert shrinkage(centred, values) == pytest.approx(LedoitWolf().fit(matrix).shrinkage_, rel=1e-9)


@pytest.mark.parametrize("shape", [(5000, 6), (200, 20), (30, 12)])
def test_mahalanobis_distance(shape: tuple[int, int]) -> None:
    matrix, fresh = data(*shape, seed=2), data(50, shape[1], seed=3)
    theirs = LedoitWolf().fit(matrix)
    values = np.linalg.eigvalsh(theirs.covariance_)
    assert values[0] > 1e-3 * values.mean(), "the floor must not matter here"
    assert fit(matrix).score(fresh)[1] == pytest.approx(np.sqrt(theirs.mahalanobis(fresh)), rel=1e-4)


@pytest.mark.parametrize("shape", [(5000, 6), (200, 20), (30, 12)])
def test_reconstruction_error(shape: tuple[int, int]) -> None:
    matrix, fresh = data(*shape, seed=4), data(50, shape[1], seed=5)
    theirs = PCA(n_components=VARIANCE, svd_solver="full").fit(matrix)
    expected = np.linalg.norm(fresh - theirs.inverse_transform(theirs.transform(fresh)), axis=1)
    assert fit(matrix).kept == theirs.n_components_
    assert fit(matrix).score(fresh)[0] == pytest.approx(expected, rel=1e-4)
