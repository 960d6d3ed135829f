"""Images as arrays: brightness (mean), contrast (standard deviation), width and height.

The order of the axes is told from the shape: ``(H, W, C)`` where the last one is 1, 3 or 4, else ``(C, H, W)`` where the first
one is. Of four channels the fourth is opacity, and left out. Brightness and contrast are taken over all pixels and channels,
in the unit of the values. An image with a missing value has neither; one with an infinite value has an infinite brightness, or
none, and no contrast; a constant one has contrast 0.

Images as files are read by `agent.summarise.image_file`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MEASURES = ("brightness", "contrast", "width", "height")

CHANNELS = (1, 3, 4)


class Axes(NamedTuple):
    """Which dimension of a shape is what."""

    height: int
    width: int
    channels: int


def axes_of(shape: Sequence[int]) -> Axes | None:
    """Tell the axes of an image from its shape; ``None`` for what is no image.

    >>> axes_of((28, 28, 1)), axes_of((3, 224, 224)), axes_of((128, 768))
    (Axes(height=0, width=1, channels=2), Axes(height=1, width=2, channels=0), None)
    """
    if len(shape) != 3 or min(shape) < 1:
        return None
    # A picture of one to four pixels' height or width is none: (3, 4, 1) is a small table.
    if shape[2] in CHANNELS and min(shape[:2]) > CHANNELS[-1]:
        return Axes(0, 1, 2)
    if shape[0] in CHANNELS and min(shape[1:]) > CHANNELS[-1]:
        return Axes(1, 2, 0)
    return None


class PixelSummary(NamedTuple):
    """One value a row, shape ``(rows,)`` each."""

    brightness: Floats
    contrast: Floats


def summarise(table: Floats, shape: Sequence[int] = ()) -> PixelSummary:
    """Summarise images of one shape.

    Parameters
    ----------
    table
        Flattened images on their side, shape ``(values, rows)``, NaN where missing, at least one value.
    shape
        Of one image, to tell which values are opacity; none are left out where it is not known.

    Returns
    -------
    PixelSummary
        Brightness in the unit of the values, contrast at least 0. Cost: four passes.

    Examples
    --------
    >>> found = summarise(np.array([[0.0, 7.0], [1.0, 7.0]]))
    >>> found.brightness.tolist(), found.contrast.tolist()
    ([0.5, 7.0], [0.5, 0.0])
    """
    pixels = _without_opacity(table, shape)
    count = len(pixels)
    with np.errstate(over="ignore", invalid="ignore"):
        brightness = np.add.reduce(pixels, axis=0) / count
        away = pixels - brightness
        contrast = np.sqrt(np.einsum("pr,pr->r", away, away) / count)
    contrast[~np.isfinite(contrast)] = np.nan
    return PixelSummary(brightness, contrast)


def _without_opacity(table: Floats, shape: Sequence[int]) -> Floats:
    axes = axes_of(shape)
    if axes is None or shape[axes.channels] != 4:
        return table
    channels = np.arange(4)
    if axes.channels == 0:
        return table[: 3 * (len(table) // 4)]
    opaque = np.tile(channels < 3, len(table) // 4)
    return np.ascontiguousarray(table[opaque])
