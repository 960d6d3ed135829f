"""Laws of summaries: merged centroids are sequential ones; scale, order and neighbours do what they should."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from agent.summarise import embedding, image
from agent.summarise import text as texts

WHOLE = st.integers(-1000, 1000).map(float)
TABLES = st.tuples(st.integers(1, 6), st.integers(2, 12)).flatmap(lambda shape: arrays(np.float64, shape, elements=WHOLE))


@given(TABLES, st.integers(0, 12))
def test_merged_centroids_are_sequential_ones(table: NDArray[np.float64], cut: int) -> None:
    whole, first, second = (embedding.Centroid(len(table)) for _ in range(3))
    whole.update(table)
    first.update(table[:, :cut])
    second.update(table[:, cut:])
    first.merge(second)
    assert first.count == whole.count
    np.testing.assert_allclose(first.result(), whole.result(), rtol=1e-12, atol=1e-9)


@given(TABLES)
def test_centroid_is_the_mean(table: NDArray[np.float64]) -> None:
    centroid = embedding.Centroid(len(table))
    centroid.update(table)
    np.testing.assert_allclose(centroid.result(), table.mean(axis=1), rtol=1e-12, atol=1e-9)


@given(TABLES, st.sampled_from([0.25, 3.0, 1e6]))
def test_scale_changes_norm_and_mean_and_not_the_cosine(table: NDArray[np.float64], scale: float) -> None:
    centroid = np.arange(1.0, len(table) + 1)
    before, after = embedding.summarise(table, centroid), embedding.summarise(table * scale, centroid * 7)
    np.testing.assert_allclose(after.norm, before.norm * scale, rtol=1e-12)
    np.testing.assert_allclose(after.mean, before.mean * scale, rtol=1e-12, atol=1e-9)
    assert before.cosine is not None
    assert after.cosine is not None
    np.testing.assert_allclose(after.cosine, before.cosine, rtol=1e-9, atol=1e-12)


@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_rows_is_the_order_of_summaries(table: NDArray[np.float64], random: object) -> None:
    order = np.arange(table.shape[1])
    random.shuffle(order)  # type: ignore[attr-defined]
    centroid = np.ones(len(table))
    for mine, other in zip(
        (*embedding.summarise(table[:, order], centroid), *image.summarise(table[:, order])),
        (*embedding.summarise(table, centroid), *image.summarise(table)),
        strict=True,
    ):
        assert mine is not None
        assert other is not None
        np.testing.assert_allclose(mine, other[order], rtol=1e-12)


@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_values_changes_norm_mean_and_contrast_by_rounding_only(table: NDArray[np.float64], random: object) -> None:
    order = np.arange(len(table))
    random.shuffle(order)  # type: ignore[attr-defined]
    for mine, other in zip(
        (*embedding.summarise(table[order])[:2], *image.summarise(table[order])),
        (*embedding.summarise(table)[:2], *image.summarise(table)),
        strict=True,
    ):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)


@given(st.lists(st.text(max_size=20), max_size=10))
def test_texts_are_summarised_each_for_itself(values: list[str]) -> None:
    together = texts.summarise(values)
    for place, value in enumerate(values):
        alone = texts.summarise([value])
        assert [column[place] for column in together] == [column[0] for column in alone]
        assert alone.length[0] == len(value)
        assert alone.words[0] == len(value.split())
