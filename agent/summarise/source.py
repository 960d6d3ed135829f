"""What is summarised, and into which columns: the one way from values to summaries, in training and behind a live model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.summarise import embedding, image, image_file, text

Floats = NDArray[np.float64]
Values = Floats | NDArray[Any]

EMBEDDING = "embedding"
IMAGE = "image"
IMAGE_FILE = "image_file"
TEXT = "text"

MEASURES: dict[str, tuple[str, ...]] = {
    EMBEDDING: embedding.MEASURES,
    IMAGE: image.MEASURES,
    IMAGE_FILE: image_file.MEASURES,
    TEXT: text.MEASURES,
}
"""By kind; a source may have fewer."""

TABLES = (EMBEDDING, IMAGE)
"""Kinds whose values are many numbers each; those of the others are one object."""

WHOLE_MEASURES = frozenset({"width", "height", "bytes", "length", "words"})
"""Measures that are whole numbers."""

_SCRIPTS = np.array([*text.SCRIPTS, None], dtype=object)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A column that is watched through summaries, named ``name.measure``.

    Parameters
    ----------
    name
        The column's.
    kind
        One of `MEASURES`.
    measures
        In the order of their columns.
    shape
        Of each value in training; empty where they differed, and for objects.
    centroid
        Of the vectors of training, shape ``(width,)``; ``None`` where there is none.
    members
        While training is summarised: how many vectors the centroid is the mean of.
    """

    name: str
    kind: str
    measures: tuple[str, ...]
    shape: tuple[int, ...] = ()
    centroid: Floats | None = None
    members: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the summary columns."""
        return tuple(f"{self.name}.{measure}" for measure in self.measures)

    @property
    def width(self) -> int:
        """Values of a row: 1 for objects, 0 where they differ."""
        if self.kind not in TABLES:
            return 1
        return math.prod(self.shape) if self.shape else 0


def of_table(source: Source, table: Floats, shape: Sequence[int]) -> list[Values]:
    """Summarise values that are numbers.

    Parameters
    ----------
    source
        Of a kind in `TABLES`.
    table
        Shape ``(values, rows)``, NaN where missing; as many values as the centroid has, if there is one.
    shape
        Of one row's values; empty where it is not known: an image then has no size.

    Returns
    -------
    list of arrays
        Shape ``(rows,)``, one for each of `Source.measures`; measures of numbers are `steady`.
    """
    if source.kind == EMBEDDING:
        vectors = embedding.summarise(table, source.centroid, source.members)
        size = vectors.norm / math.sqrt(len(table))
        found: dict[str, Values | None] = {
            "norm": steady(vectors.norm, vectors.norm),
            "mean": steady(vectors.mean, size),
            "cosine": steady(vectors.cosine, np.ones(1), 20) if vectors.cosine is not None else None,
        }
    else:
        pixels = image.summarise(table, shape)
        axes = image.axes_of(shape)
        height, width = (shape[axes.height], shape[axes.width]) if axes is not None else (math.nan, math.nan)
        # A row without any value is no image, so it has no size either.
        there = ~np.isnan(table).all(axis=0)
        found = {
            "brightness": steady(pixels.brightness, np.hypot(pixels.brightness, pixels.contrast)),
            "contrast": steady(pixels.contrast, np.hypot(pixels.brightness, pixels.contrast)),
            "width": np.where(there, width, np.nan),
            "height": np.where(there, height, np.nan),
        }
    missing = np.full(table.shape[1], np.nan)
    return [_or(found[measure], missing) for measure in source.measures]


def steady(values: Floats, size: Floats, bits: int = 13) -> Floats:
    """Round values to so many bits below the power of two that holds `size`.

    Many models give vectors of length 1, or of mean 0, up to rounding; and images are standardised likewise. Nothing but the
    rounding would be left to compare, and a client that writes fewer digits would count as drift. Half precision, which has 11
    bits, moves the norm of 768 values by a sixth of half a step of 13 bits.

    >>> steady(np.array([0.99999994, 1.00000006, 123.456, 3e-9]), np.array([1.0, 1.0, 123.456, 1.0])).tolist()
    [1.0, 1.0, 123.453125, 0.0]
    """
    _, exponent = np.frexp(np.where(np.isfinite(size), size, 0.0))
    step = np.ldexp(1.0, np.maximum(exponent, -1000) - bits)
    with np.errstate(invalid="ignore", over="ignore"):
        rounded: Floats = np.rint(values / step) * step
    return np.where(np.isfinite(rounded), rounded, values)


def _or(values: Values | None, other: Values) -> Values:
    return other if values is None else values


def of_objects(source: Source, values: Sequence[object]) -> list[Values]:
    """Summarise texts or files, one a row; ``None``, and whatever is neither, is missing.

    Parameters
    ----------
    source
        Of a kind not in `TABLES`.
    values
        ``str`` for texts; for files as `agent.summarise.image_file.bytes_of` takes them.

    Returns
    -------
    list of arrays
        Shape ``(rows,)``, one for each of `Source.measures`: float64, and for ``script`` objects.
    """
    if source.kind == TEXT:
        return _of_texts(source, values)
    pixels = not set(image_file.PIXEL_MEASURES).isdisjoint(source.measures)
    files = [image_file.summarise(value, pixels=pixels) for value in values]
    return [np.array([getattr(file, measure) for file in files], dtype=np.float64) for measure in source.measures]


def _of_texts(source: Source, values: Sequence[object]) -> list[Values]:
    places = np.array([place for place, value in enumerate(values) if isinstance(value, str)], dtype=np.intp)
    found = text.summarise([value for value in values if isinstance(value, str)])
    columns: list[Values] = []
    for measure in source.measures:
        if measure == "script":
            script = np.full(len(values), -1)
            script[places] = found.script
            columns.append(_SCRIPTS[script])
        else:
            column = np.full(len(values), np.nan)
            column[places] = getattr(found, measure)
            columns.append(column)
    return columns
