"""Vectors: norm, mean, cosine; what is missing, infinite, zero or beyond a double's squares."""

from __future__ import annotations

import numpy as np
import pytest

from agent.summarise.embedding import Centroid, pack, summarise, unpack

NAN, INF = np.nan, np.inf


def one(*values: float, centroid: tuple[float, ...] = (1.0, 0.0)) -> tuple[float, float, float]:
    found = summarise(np.array([values]).T, np.array(centroid))
    assert found.cosine is not None
    return float(found.norm[0]), float(found.mean[0]), float(found.cosine[0])


@pytest.mark.parametrize(
    ("vector", "norm", "mean", "cosine"),
    [
        ((3.0, 4.0), 5.0, 3.5, 0.6),
        ((-2.0, 0.0), 2.0, -1.0, -1.0),
        ((0.0, 0.0), 0.0, 0.0, NAN),
        ((NAN, 1.0), NAN, NAN, NAN),
        ((NAN, INF), NAN, NAN, NAN),
        ((INF, 1.0), INF, INF, NAN),
        ((-INF, 1.0), INF, -INF, NAN),
        ((-INF, INF), INF, NAN, NAN),
        ((3e200, 4e200), 5e200, 3.5e200, 0.6),
        ((3e-200, 4e-200), 5e-200, 3.5e-200, 0.6),
        ((1e308, 1e308), 2**0.5 * 1e308, 1e308, 2**-0.5),
    ],
)
def test_one_vector(vector: tuple[float, ...], norm: float, mean: float, cosine: float) -> None:
    np.testing.assert_allclose(one(*vector), (norm, mean, cosine), rtol=1e-14)


def test_constant_vectors_point_one_way_whatever_the_constant() -> None:
    assert one(7.0, 7.0)[2] == pytest.approx(one(0.1, 0.1)[2]) == pytest.approx(2**-0.5)


def test_a_zero_centroid_has_no_direction() -> None:
    assert np.isnan(one(1.0, 2.0, centroid=(0.0, 0.0))[2])


def test_without_a_centroid_there_is_no_cosine() -> None:
    assert summarise(np.ones((3, 2))).cosine is None


def test_odd_rows_do_not_touch_their_neighbours() -> None:
    rng = np.random.default_rng(1)
    clean = rng.normal(size=(5, 4))
    dirty = np.insert(clean, 2, [NAN, 1, 2, 3, 4], axis=1)
    for mine, other in zip(summarise(dirty, clean[:, 0]), summarise(clean, clean[:, 0]), strict=True):
        assert mine is not None
        assert other is not None
        np.testing.assert_array_equal(np.delete(mine, 2), other)


def test_no_rows_give_no_values() -> None:
    assert [values.shape for values in summarise(np.empty((3, 0)), np.ones(3)) if values is not None] == [(0,)] * 3


def test_centroid_leaves_out_what_is_not_finite() -> None:
    centroid = Centroid(2)
    centroid.update(np.array([[1.0, NAN, 3.0, INF], [2.0, 5.0, 4.0, 1.0]]))
    assert centroid.count == 2
    assert centroid.result().tolist() == [2.0, 3.0]


def test_centroid_of_nothing_is_zero() -> None:
    centroid = Centroid(2)
    centroid.update(np.array([[NAN], [1.0]]))
    centroid.merge(Centroid(2))
    assert centroid.result().tolist() == [0.0, 0.0]


def test_centroid_of_huge_vectors_is_finite() -> None:
    centroid = Centroid(1)
    centroid.update(np.full((1, 100), 1.7e308))
    assert centroid.result()[0] == pytest.approx(1.7e308)


@pytest.mark.parametrize("scale", [1.0, 1e-60, 1e60])
def test_packed_centroid_keeps_its_direction(scale: float) -> None:
    vector = np.random.default_rng(2).normal(size=300)
    found = summarise(vector[:, None], unpack(pack(vector * scale))).cosine
    assert found is not None
    assert found[0] == pytest.approx(1.0, abs=1e-12)


def test_packed_centroid_in_range_is_the_centroid() -> None:
    assert unpack(pack(np.array([0.5, -2.0, 0.0]))).tolist() == [0.5, -2.0, 0.0]


@pytest.mark.parametrize("text", ["?", "AAAA", "AACAfw=="])
def test_broken_centroids_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no base64|not finite|buffer size"):
        unpack(text)


def test_the_only_member_and_one_among_zeros_have_nobody_to_be_compared_with() -> None:
    only = summarise(np.array([[1.0], [2.0]]), np.array([1.0, 2.0]), members=1)
    among = summarise(np.array([[0.1, 0.0], [0.3, 0.0]]), np.array([0.05, 0.15]), members=2)
    for found in (only, among):
        assert found.cosine is not None
        assert np.isnan(found.cosine).all()
