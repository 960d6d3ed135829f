"""How training's columns go together, as part of a profile, and back. It is learned from the sample that `structure` is of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.joint.association import CELLS, Associations, Cells, cells_of
from agent.joint.correlation import ReferenceCorrelation
from agent.joint.design import Design, Encoded
from agent.joint.fourier import FREQUENCIES, ReferenceFourier, frequencies
from agent.joint.reference import LEAST_ROWS, JointReference, Learned, comparable, learn, reference_of
from agent.joint.relevance import relevance
from agent.joint.usual import Usual, sums_of, usual_association, usual_correlation, usual_discrepancy
from agent.profile.format import ColumnProfile, Interplay
from agent.profile.packing import Floats, deflate, floats_or_none, from_planes, inflate, pack_floats, to_planes, unpack_floats

OUTPUTS = ("prediction", "probability")
"""Roles of what features are compared with: the first prediction, else the first probability."""

MAX_ROWS = 65_535
"""Rows of the sample at most: counts have two bytes."""


MOST = 65_504.0
"""The largest float16."""


@dataclass(frozen=True, slots=True, eq=False)
class ChunkRows:
    """Rows of the chunks of training (`agent.profile.chunks`).

    Parameters
    ----------
    features, answer
        Values, as `interplay_of` takes them, shape ``(n,)`` each; no answer where there is no prediction.
    slots
        The chunk of each row, in ``[0, chunks)``.
    chunks
        How many there are.
    """

    features: Sequence[Encoded]
    answer: Encoded | None
    slots: NDArray[np.int64]
    chunks: int


def interplay_of(
    design: Design,
    features: Sequence[tuple[ColumnProfile, Encoded]],
    answer: tuple[ColumnProfile, Encoded] | None,
    rows: int,
    cut: ChunkRows | None = None,
) -> Interplay | None:
    """Learn from a sample of training.

    Parameters
    ----------
    design
        Of the features.
    features, answer
        What the profile says of each column, and its values in the sample.
    rows
        Of the sample, at most `MAX_ROWS`.
    cut
        Rows of the chunks, where training was cut.

    Returns
    -------
    Interplay
        ``None`` where there are too few rows or columns. Cost: 1.5 s for 50,000 rows of 64 columns of the design.
    """
    values = [column for _, column in features]
    learned = learn(design.matrix(values, rows), comparable(design))
    if learned is None:
        return None
    inputs = _cells([(profile, place) for place, (profile, _) in enumerate(features)] if answer is not None else [])
    answers = _cells([(answer[0], 0)] if answer is not None else [])
    counts = _tables(inputs, answers, values, answer[1] if answer is not None else None, np.zeros(rows, dtype=np.int64), 1)[0]
    correlation, fourier = learned.correlation, learned.fourier
    upper = np.triu_indices(design.width, 1)
    found = Interplay(
        rows=rows,
        r=pack_floats(correlation.r[upper], "<f4"),
        variances=pack_floats(np.nan_to_num(correlation.variance[upper]).clip(0, MOST), "<f2"),
        tails=pack_floats(correlation.tail[upper].clip(0, MOST), "<f2"),
        bandwidth=learned.bandwidth,
        means=pack_floats(fourier.means, "<f4"),
        squares=fourier.squares,
        largest=fourier.largest,
        prediction="" if answer is None else answer[0].name,
        counts=_squeezed(counts),
    )
    if cut is None:
        return found
    usual = _usual(cut, design, learned, inputs, answers, counts)
    return msgspec.structs.replace(
        found,
        usual_r=pack_floats(usual.correlation[upper], "<f2"),
        usual_associations=pack_floats(usual.association, "<f2"),
        usual_discrepancy=usual.discrepancy,
    )


def _tables(
    inputs: Cells, answers: Cells, features: Sequence[Encoded], answer: Encoded | None, slots: NDArray[np.int64], chunks: int
) -> NDArray[np.int64]:
    """Count the tables of each chunk, shape ``(chunks, features, CELLS, CELLS)``."""
    counts = np.zeros((chunks, len(inputs.names), CELLS, CELLS), dtype=np.int64)
    if answer is None:
        return counts
    cells, answered = inputs.place(features, len(slots)), answers.place([answer], len(slots))[0]
    for chunk in range(chunks):
        mine = slots == chunk
        tables = Associations(len(inputs.names))
        tables.update(cells[:, mine], answered[mine])
        counts[chunk] = tables.result()
    return counts


def _usual(cut: ChunkRows, design: Design, learned: Learned, inputs: Cells, answers: Cells, counts: NDArray[np.int64]) -> Usual:
    matrix = design.matrix(cut.features, len(cut.slots))
    moments, means = sums_of(matrix, cut.slots, cut.chunks, frequencies(design.width, learned.bandwidth))
    tables = _tables(inputs, answers, cut.features, cut.answer, cut.slots, cut.chunks)
    return Usual(
        usual_correlation(moments, learned.correlation),
        usual_association(tables, relevance(counts)),
        usual_discrepancy(moments.rows, means, learned.fourier),
    )


def joint_reference(
    interplay: Interplay, design: Design, features: Sequence[str], columns: Sequence[ColumnProfile], places: Mapping[str, int]
) -> JointReference:
    """Read what was learned; `interplay_faults` must have found nothing. Cost: 2 ms for 200 features.

    Parameters
    ----------
    interplay, columns
        Of a profile.
    design, features
        Of its structure.
    places
        Where each monitored column's values stand in `agent.batch.Checked.values`.
    """
    of_name = {column.name: column for column in columns}
    width, rows = design.width, interplay.rows
    r = _whole(unpack_floats(interplay.r, "<f4"), width)
    variances, tails = (_whole(unpack_floats(text, "<f2"), width) for text in (interplay.variances, interplay.tails))
    fourier = ReferenceFourier(rows, unpack_floats(interplay.means, "<f4"), interplay.squares, interplay.largest)
    correlation = ReferenceCorrelation(rows, r, variances, tails, comparable(design))
    answers = [interplay.prediction] if interplay.prediction else []
    inputs = _cells([(of_name[name], places[name]) for name in features] if answers else [])
    counts = _unsqueezed(interplay.counts, len(inputs.names)).reshape(-1, CELLS, CELLS)
    usual = None
    if interplay.usual_r:
        between = np.nan_to_num(_whole(unpack_floats(interplay.usual_r, "<f2"), width))
        usual = Usual(between, unpack_floats(interplay.usual_associations, "<f2"), interplay.usual_discrepancy)
    return reference_of(
        Learned(correlation, interplay.bandwidth, fourier),
        design.names,
        inputs,
        _cells([(of_name[name], places[name]) for name in answers]),
        relevance(counts),
        usual,
    )


def interplay_faults(
    interplay: Interplay, width: int, features: Sequence[str], of_name: Mapping[str, ColumnProfile], at: str
) -> Iterator[str]:
    """Say what does not hold together, one sentence each.

    Parameters
    ----------
    interplay
        Of a profile.
    width
        Columns of the design.
    features, of_name
        Of its structure, all known; and all columns of the profile.
    at
        JSON path.
    """
    if not LEAST_ROWS <= interplay.rows <= MAX_ROWS:
        yield f"{at}.rows is {interplay.rows}, not within {LEAST_ROWS} to {MAX_ROWS}"
    yield from _design_faults(interplay, width, at)
    answer = of_name.get(interplay.prediction)
    if interplay.prediction and (answer is None or answer.role not in OUTPUTS or _cut(answer) is None):
        yield f"{at}.prediction names {interplay.prediction!r}, which is no such column"
        return
    tables = sum(_cut(of_name[name]) is not None for name in features) if interplay.prediction else 0
    try:
        counts = _unsqueezed(interplay.counts, tables)
    except OutriderError as error:
        yield f"{at}.{error}"
        return
    if (counts.reshape(-1, CELLS * CELLS).sum(axis=1) > interplay.rows).any():
        yield f"{at}.counts has a table of more than {interplay.rows} rows"
    yield from _usual_faults(interplay, width * (width - 1) // 2, tables, at)


def _usual_faults(interplay: Interplay, pairs: int, tables: int, at: str) -> Iterator[str]:
    if not interplay.usual_r and (interplay.usual_associations or interplay.usual_discrepancy):
        yield f"{at}.usual_r is missing"
    sizes = (("usual_r", interplay.usual_r, pairs, 2), ("usual_associations", interplay.usual_associations, tables, 1))
    for name, text, size, most in sizes if interplay.usual_r else ():
        found = floats_or_none(text, "<f2", size)
        if found is None or not ((found >= 0) & (found <= most)).all():
            yield f"{at}.{name} is not {size} float16 within 0 and {most} in base64"
    if not 0 <= interplay.usual_discrepancy <= 2:
        yield f"{at}.usual_discrepancy is not within 0 and 2"


def _design_faults(interplay: Interplay, width: int, at: str) -> Iterator[str]:
    pairs = width * (width - 1) // 2
    r = floats_or_none(interplay.r, "<f4", pairs)
    if r is None or (np.abs(r) > 1).any():
        yield f"{at}.r is not {pairs} float32 within -1 and 1 in base64"
    for name, text in (("variances", interplay.variances), ("tails", interplay.tails)):
        found = floats_or_none(text, "<f2", pairs)
        if found is None or not ((found >= 0) & (found < np.inf)).all():
            yield f"{at}.{name} is not {pairs} float16 from 0 up in base64"
    means = floats_or_none(interplay.means, "<f4", 2 * FREQUENCIES)
    if means is None or not (np.abs(means) <= 1).all():
        yield f"{at}.means is not {2 * FREQUENCIES} float32 within -1 and 1 in base64"
    if not 0 < interplay.bandwidth < math.inf:
        yield f"{at}.bandwidth is not positive"
    if not (0 <= interplay.squares <= 1.001 and 0 <= interplay.largest <= 1.001):  # the features have length 1
        yield f"{at}.squares or largest is not within 0 and 1"


def _cells(columns: Sequence[tuple[ColumnProfile, int]]) -> Cells:
    cut = [(column.name, place, _cut(column)) for column, place in columns]
    return cells_of([(name, place, cells) for name, place, cells in cut if cells is not None])


def _cut(column: ColumnProfile) -> list[float] | int | None:
    """Give the edges of a number's coarse bins, how many categories are listed, or ``None``."""
    if column.categories is not None:
        return len(column.categories.values)
    if column.numeric is None:
        return None
    return [column.numeric.edges[start - 1] for start in column.numeric.coarse[1:]]


def _whole(values: Floats, width: int) -> Floats:
    whole = np.full((width, width), np.nan)
    upper = np.triu_indices(width, 1)
    whole[upper] = whole.T[upper] = values
    return whole


def _squeezed(counts: NDArray[np.int64]) -> str:
    """Low bytes, then high bytes, deflated: most of the latter are 0."""
    return deflate(to_planes(counts.astype("<u2").tobytes(), 2)) if counts.size else ""


def _unsqueezed(text: str, tables: int) -> NDArray[np.int64]:
    """Undo it; `OutriderError` if it is not so many tables. Never takes more memory than they do."""
    size = 2 * tables * CELLS * CELLS
    fault = f"counts is not {tables} tables"
    data = inflate(text, size, fault) if text or size else b""
    if len(data) != size:
        raise OutriderError(f"{fault}: {len(data)} bytes instead of {size}")
    return np.frombuffer(from_planes(data, 2), dtype="<u2").astype(np.int64)
