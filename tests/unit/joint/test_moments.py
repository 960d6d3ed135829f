from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.joint.moments import CHUNK, CrossMoments, Moments

Floats = NDArray[np.float64]


def rows(count: int, size: int = 5, seed: int = 1) -> Floats:
    return np.clip(np.random.default_rng(seed).standard_t(3, (count, size)) + 0.5, -4.0, 4.0)


def moments_of(matrix: Floats) -> CrossMoments:
    moments = CrossMoments(matrix.shape[1])
    moments.update(matrix)
    return moments


def assert_same(a: Moments, b: Moments, tolerance: float) -> None:
    assert int(a.rows) == int(b.rows)
    for name in ("mean", "products", "thirds", "squares", "cubes"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance, atol=256 * tolerance)


def test_means_are_those_of_the_plain_formula() -> None:
    x = rows(2 * CHUNK + 17)
    found = moments_of(x).result()
    n = len(x)
    expected = Moments(np.array(n), x.mean(axis=0), x.T @ x / n, (x**2).T @ x / n, (x**2).T @ x**2 / n, (x**3).T @ x / n)
    assert_same(found, expected, 1e-6)


@pytest.mark.parametrize("cuts", [[1, 2, 3], [500], [0, 999], [250, 250, 500]])
def test_merging_parts_is_seeing_all(cuts: list[int]) -> None:
    x = rows(1000)
    merged = CrossMoments(5)
    for part in np.split(x, cuts):
        merged.merge(moments_of(part))
    assert_same(merged.result(), moments_of(x).result(), 1e-6)


def test_bytes_keep_products_to_single_precision_and_the_rest_to_half() -> None:
    written = moments_of(rows(3000))
    read = CrossMoments.from_bytes(written.to_bytes(), 5)
    assert_same(read.result(), written.result(), 1e-3)
    np.testing.assert_allclose(read.result().products, written.result().products, rtol=1e-6)
    np.testing.assert_allclose(read.result().mean, written.result().mean, rtol=1e-6, atol=1e-7)


def test_largest_moments_survive_the_bytes() -> None:
    written = moments_of(np.full((100_000, 2), -4.0))
    found = CrossMoments.from_bytes(written.to_bytes(), 2).result()
    assert found.squares.tolist() == [[256.0, 256.0], [256.0, 256.0]]
    assert found.cubes.tolist() == [[256.0, 256.0], [256.0, 256.0]]


def test_empty_moments_are_zero_and_merge_into_nothing() -> None:
    empty, some = CrossMoments(5), moments_of(rows(10))
    before = some.to_bytes()
    some.merge(CrossMoments.from_bytes(empty.to_bytes(), 5))
    assert some.to_bytes() == before
    assert int(empty.result().rows) == 0
    assert not empty.result().products.any()


def test_no_columns_are_fine() -> None:
    moments = moments_of(np.zeros((7, 0)))
    assert CrossMoments.from_bytes(moments.to_bytes(), 0).rows == 7


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"x" + b[1:], lambda _: b""])
def test_other_bytes_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(OutriderError, match="not a saved cross-moments/1"):
        CrossMoments.from_bytes(spoil(moments_of(rows(10)).to_bytes()), 5)


def test_bytes_with_numbers_that_are_not_finite_are_refused() -> None:
    data = bytearray(moments_of(rows(10)).to_bytes())
    data[-2:] = np.array(np.nan, dtype="<f2").tobytes()
    with pytest.raises(OutriderError, match="not finite"):
        CrossMoments.from_bytes(bytes(data), 5)


def test_moments_of_other_columns_cannot_be_added() -> None:
    with pytest.raises(OutriderError, match="4 columns can't be added to those of 5"):
        CrossMoments(5).merge(CrossMoments(4))
