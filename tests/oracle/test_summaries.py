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
