"""Images as arrays: axes, brightness, contrast."""

from __future__ import annotations

import numpy as np
import pytest

from agent.summarise.image import axes_of, summarise


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((28, 28, 1), (0, 1, 2)),
        ((480, 640, 3), (0, 1, 2)),
        ((480, 640, 4), (0, 1, 2)),
        ((3, 480, 640), (1, 2, 0)),
        ((1, 28, 28), (1, 2, 0)),
        ((28, 28), None),
        ((128, 768), None),
        ((10, 20, 30), None),
        ((3, 4, 1), None),
        ((0, 28, 3), None),
        ((), None),
        ((3, 28, 28, 3), None),
    ],
)
def test_axes_are_told_from_the_shape(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    assert axes_of(shape) == axes


@pytest.mark.parametrize("shape", [(6, 7, 4), (4, 6, 7)])
def test_opacity_is_no_light(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 255, size=(5, *shape))
    found = summarise(images.reshape(5, -1).T, shape)
    colours = images[..., :3] if shape[2] == 4 else images[:, :3]
    np.testing.assert_allclose(found.brightness, colours.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(found.contrast, colours.std(axis=(1, 2, 3)))


def test_missing_infinite_and_constant_pixels() -> None:
    found = summarise(np.array([[np.nan, 1.0], [np.inf, 1.0], [3.0, 3.0], [-np.inf, np.inf]]).T)
    np.testing.assert_array_equal(found.brightness, [np.nan, np.inf, 3.0, np.nan])
    np.testing.assert_array_equal(found.contrast, [np.nan, np.nan, 0.0, np.nan])
