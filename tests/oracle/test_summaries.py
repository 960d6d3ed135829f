"""Summaries against plain numpy and scipy, one vector at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cosine

from agent.summarise import embedding, image


@pytest.mark.parametrize("width", [1, 3, 128, 768])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_vectors(width: int, scale: float) -> None:
    rng = np.random.default_rng(width)
    vectors = rng.normal(0.3, 1.0, size=(50, width)) * scale
    centroid = vectors.mean(axis=0)
    found = embedding.summarise(np.ascontiguousarray(vectors.T), centroid)
    assert found.cosine is not None
    np.testing.assert_allclose(found.norm, np.linalg.norm(vectors, axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.mean, vectors.mean(axis=1), rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(found.cosine, [1 - cosine(vector, centroid) for vector in vectors], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(28, 28, 1), (3, 16, 20), (16, 20, 3)])
def test_images(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(6).uniform(0, 255, size=(20, *shape))
    found = image.summarise(np.ascontiguousarray(images.reshape(20, -1).T), shape)
    np.testing.assert_allclose(found.brightness, images.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found.contrast, images.std(axis=(1, 2, 3)))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_members_of_a_centroid_are_compared_with_the_mean_of_the_others(scale: float) -> None:
    vectors = np.random.default_rng(7).normal(0.3, 1.0, size=(20, 9))
    centroid = vectors.mean(axis=0)
    found = embedding.summarise(np.ascontiguousarray(vectors.T) * scale, centroid * scale, members=20)
    others = [np.delete(vectors, place, axis=0).mean(axis=0) for place in range(20)]
    wanted = [1 - cosine(vector, other) for vector, other in zip(vectors, others, strict=True)]
    assert found.cosine is not None
    np.testing.assert_allclose(found.cosine, wanted, rtol=1e-9, atol=1e-12)


def test_training_and_what_comes_later_have_one_distribution_of_cosines() -> None:
    rng = np.random.default_rng(8)
    training, later = (rng.normal(0.1, 1.0, size=(400, 500)) for _ in range(2))
    centroid = training.mean(axis=1)
    inside, outside = embedding.summarise(training, centroid, members=500).cosine, embedding.summarise(later, centroid).cosine
    naive = embedding.summarise(training, centroid).cosine
    assert inside is not None
    assert outside is not None
    assert naive is not None
    assert abs(inside.mean() - outside.mean()) < 0.15 * outside.std()
    assert abs(naive.mean() - outside.mean()) > 0.25 * outside.std()
