"""Tables that are too wide for columns: which vector or image of the profile each one is, and its summaries.

A table that bears the name of a vector or an image is that one. If a single table bears another name, or none, it is the only
vector or image that did not come otherwise, where it fits that; servers call their tensors ``input_1``. What is neither is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agent.batch import Table, Values
from agent.summarise.image import axes_of
from agent.summarise.source import EMBEDDING, IMAGE, MEASURES, TABLES, Source, of_table
from agent.validate.schema import SHAPE

AT_ONCE = 1 << 20
"""So many values are summarised at a time: as float64 they take 8 MiB, and images are copied twice on the way."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The table at `place` is this source, in this shape."""

    source: Source
    place: int
    shape: tuple[int, ...]


def source_of(table: Table, name: str) -> Source:
    """Give what a profile of such tables would summarise them as: an image if its shape is one's, else a vector without cosine.

    Parameters
    ----------
    table
        Of any width.
    name
        For a table that bears none.
    """
    shape = table.tensor.shape
    kind = IMAGE if axes_of(shape) is not None else EMBEDDING
    measures = tuple([measure for measure in MEASURES[kind] if measure != "cosine"])
    return Source(table.tensor.name or name, kind, measures, shape)


def bind_tables(
    tables: Sequence[Table], sources: Sequence[Source], *, alone: bool
) -> tuple[tuple[Bound, ...], tuple[tuple[int, str, str], ...]]:
    """Tell which table is which source.

    Parameters
    ----------
    tables
        Of one side.
    sources
        Vectors and images of that side that did not come as columns.
    alone
        Whether the profile has nothing else on that side, and nothing else came: then a table that fits nothing is a wrong one.

    Returns
    -------
    bound
        At most one for each source.
    broken
        Tables that are a source, but not in its shape: place, the source's name, and the kind of violation.
    """
    by_name = {source.name: source for source in sources}
    pairs = [(place, by_name.pop(table.tensor.name, None)) for place, table in enumerate(tables)]
    others = [place for place, source in pairs if source is None]
    only = next(iter(by_name.values())) if len(by_name) == len(others) == 1 else None
    bound, broken = [], []
    for place, named in pairs:
        source = named or only
        if source is None:
            continue
        tensor, width = tables[place].tensor, tables[place].values.shape[1]
        if fits(source, width, tensor.shape):
            bound.append(Bound(source, place, shape_for(source, tensor.shape)))
        elif named or alone:
            broken.append((place, source.name, SHAPE))
    return tuple(bound), tuple(broken)


def fits(source: Source, width: int, shape: tuple[int, ...]) -> bool:
    """Tell whether so many values a row, of that shape if it is known, can be a source's."""
    if source.kind not in TABLES:
        return width == 1
    if source.kind == EMBEDDING:
        return width == source.width
    # Servers flatten images as they like: without a shape, the number of values must do.
    return len(shape) <= 1 and width == source.width if axes_of(shape) is None else not source.shape or width == source.width


def shape_for(source: Source, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the shape of a source's value: as the wire says it, or that of training where it was flattened on the way."""
    return shape if len(shape) > 1 or not source.shape else source.shape


def summaries_of(bound: Bound, table: Table) -> list[Values]:
    """Summarise a table: shape ``(rows,)`` for each of the source's measures."""
    rows, width = table.values.shape
    step = max(1, AT_ONCE // width)
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN
        parts = [
            of_table(bound.source, np.ascontiguousarray(table.values[at : at + step].T, dtype=np.float64), bound.shape)
            for at in range(0, rows, step)
        ]
    return parts[0] if len(parts) == 1 else [np.concatenate(same) for same in zip(*parts, strict=True)]
