"""The model of training's rows as part of a profile, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from agent.joint.anomaly import DISTANCES, SCORE, Threshold
from agent.joint.design import MAX_DESIGN, NUMBER, Design, of_terms
from agent.joint.rows import RowModel
from agent.joint.subspace import MIN_WIDTH, Subspace
from agent.joint.tails import CUTS, ClassTail, NumberTail, Tail
from agent.profile.format import ColumnProfile, DesignColumn, Interplay, RowTail, Structure
from agent.profile.interplay import interplay_faults
from agent.profile.packing import floats_or_none, pack_floats, unpack_floats


def structure_of(
    model: RowModel, columns: Sequence[ColumnProfile], derived: list[ColumnProfile], interplay: Interplay | None = None
) -> Structure:
    """Write a model.

    Parameters
    ----------
    model
        What was learned of `columns`, in their order.
    columns
        What the profile says of them.
    derived
        What it says of the scores.
    interplay
        What was learned of how columns go together.
    """
    design = model.design
    terms = zip(design.places.tolist(), design.codes.tolist(), design.centres.tolist(), design.scales.tolist(), strict=True)
    return Structure(
        columns=list(model.names),
        design=[DesignColumn(model.names[place], c, s, _category(columns[place], code)) for place, code, c, s in terms],
        kept=model.subspace.kept,
        mean=pack_floats(model.subspace.mean, "<f4"),
        variances=pack_floats(model.subspace.variances, "<f4"),
        directions=pack_floats(model.subspace.directions, "<f4"),
        tails=[_tail_of(tail) for tail in model.tails if tail is not None],
        rows=model.threshold.rows,
        ranks=list(model.threshold.ranks),
        scores=list(model.threshold.scores),
        derived=derived,
        interplay=interplay,
    )


def _category(column: ColumnProfile, code: int) -> str | None:
    return None if code == NUMBER or column.categories is None else column.categories.values[code]


def _tail_of(tail: Tail) -> RowTail:
    rarities = pack_floats(tail.rarities, "<f4")
    if isinstance(tail, ClassTail):
        return RowTail(rarities)
    reach = [value if math.isfinite(value) else None for value in (tail.low, tail.high)]
    return RowTail(rarities, pack_floats(tail.cuts, "<f8"), tail.missing, tail.infinite, *reach)


def model_of(structure: Structure, columns: Sequence[ColumnProfile]) -> RowModel:
    """Read a model; `structure_faults` must have found nothing.

    Parameters
    ----------
    structure
        As in a profile.
    columns
        Of the same profile.
    """
    of_name = {column.name: column for column in columns}
    places = {name: place for place, name in enumerate(structure.columns)}
    terms = []
    for term in structure.design:
        known = of_name[term.column].categories
        code = NUMBER if term.category is None or known is None else known.values.index(term.category)
        name = term.column if term.category is None else f"{term.column}={term.category}"
        terms.append((name, places[term.column], code, term.centre, term.scale))
    design: Design = of_terms(terms)
    width = design.width
    subspace = Subspace(
        unpack_floats(structure.mean, "<f4"),
        unpack_floats(structure.variances, "<f4"),
        unpack_floats(structure.directions, "<f4").reshape(width, width),
        structure.kept,
    )
    threshold = Threshold(structure.rows, tuple(structure.ranks), tuple(structure.scores))
    return RowModel(tuple(structure.columns), design, subspace, tuple(map(_tail, structure.tails)), threshold)


def _tail(tail: RowTail) -> Tail:
    rarities = unpack_floats(tail.rarities, "<f4")
    if not tail.cuts:
        return ClassTail(rarities)
    low, high = (math.inf if value is None else value for value in (tail.low, tail.high))
    return NumberTail(unpack_floats(tail.cuts, "<f8"), rarities, tail.missing, tail.infinite, low, high)


Check = Callable[[ColumnProfile, int, str], Iterator[str]]


def structure_faults(structure: Structure, columns: Sequence[ColumnProfile], check: Check) -> Iterator[str]:
    """Say what does not hold together, one sentence each with its JSON path.

    Parameters
    ----------
    structure, columns
        Of a profile.
    check
        Says what is wrong with a column of so many rows at a path.
    """
    at = "$.structure"
    of_name = {column.name: column for column in columns}
    unknown = [name for name in structure.columns if name not in of_name]
    if unknown or len(set(structure.columns)) != len(structure.columns):
        yield f"{at}.columns repeats a name, or has one that is no column: {', '.join(map(repr, unknown[:3]))}"
        return
    yield from _design_faults(structure, of_name, at)
    yield from _subspace_faults(structure, at)
    if len(structure.tails) != len(structure.columns) + len(DISTANCES):
        yield f"{at}.tails has {len(structure.tails)} entries for {len(structure.columns)} columns and two distances"
        return
    kinds = [of_name[name].categories for name in structure.columns]
    for i, (tail, kind) in enumerate(zip(structure.tails, [*kinds, None, None], strict=True)):
        size = CUTS + 1 if kind is None else len(kind.values) + 2
        yield from _tail_faults(tail, size, kind is None, f"{at}.tails[{i}]")
    yield from _threshold_faults(structure, at)
    if [column.name for column in structure.derived] != [*DISTANCES, SCORE]:
        yield f"{at}.derived has other columns than {', '.join((*DISTANCES, SCORE))}"
    for i, column in enumerate(structure.derived):
        if column.role != "derived" or column.type != "float" or column.name in of_name:
            yield f"{at}.derived[{i}] is no derived float column"
        yield from check(column, column.rows, f"{at}.derived[{i}]")
    if structure.interplay is not None:
        yield from interplay_faults(structure.interplay, len(structure.design), structure.columns, of_name, f"{at}.interplay")


def _design_faults(structure: Structure, of_name: Mapping[str, ColumnProfile], at: str) -> Iterator[str]:
    for i, term in enumerate(structure.design):
        known = of_name[term.column].categories if term.column in structure.columns else None
        if term.column not in structure.columns or (term.category is not None) != (known is not None):
            yield f"{at}.design[{i}] is of {term.column!r}, which is no such column of {at}.columns"
        elif known is not None and term.category not in known.values:
            yield f"{at}.design[{i}].category is {term.category!r}, which {term.column!r} has not"
        if not (math.isfinite(term.centre) and 0 < term.scale < math.inf):
            yield f"{at}.design[{i}].centre or scale is no number to divide by"


def _subspace_faults(structure: Structure, at: str) -> Iterator[str]:
    width = len(structure.design)
    if not MIN_WIDTH <= width <= MAX_DESIGN or not 1 <= structure.kept < width:
        yield f"{at}.kept is {structure.kept}, of {width} columns of the design"
    for name, text, size in (
        ("mean", structure.mean, width),
        ("variances", structure.variances, width),
        ("directions", structure.directions, width * width),
    ):
        values = floats_or_none(text, "<f4", size)
        if values is None or not np.isfinite(values).all():
            yield f"{at}.{name} is not {size} float32 in base64"
        elif name == "variances" and not (values > 0).all():
            yield f"{at}.variances are not positive"


def _tail_faults(tail: RowTail, size: int, numeric: bool, at: str) -> Iterator[str]:
    rarities = floats_or_none(tail.rarities, "<f4", size)
    if rarities is None or not ((rarities >= 1) & (rarities < np.inf)).all():
        yield f"{at}.rarities is not {size} float32 from 1 up in base64"
    if not numeric:
        if tail.cuts:
            yield f"{at}.cuts is there for a category"
        return
    cuts = floats_or_none(tail.cuts, "<f8", CUTS)
    if cuts is None or not np.isfinite(cuts).all() or (np.diff(cuts) < 0).any():
        yield f"{at}.cuts is not {CUTS} ascending float64 in base64"
    if not (1 <= tail.missing < math.inf and 1 <= tail.infinite < math.inf):
        yield f"{at}.missing or infinite is below 1"
    if any(value is not None and not 0 < value < math.inf for value in (tail.low, tail.high)):
        yield f"{at}.low or high is not positive"


def _threshold_faults(structure: Structure, at: str) -> Iterator[str]:
    ranks, scores = structure.ranks, structure.scores
    if not ranks or len(ranks) != len(scores) or ranks[0] < 1 or ranks[-1] > structure.rows:
        yield f"{at}.ranks and scores are empty, or not as many, or not within {structure.rows} rows"
    if (np.diff(ranks) <= 0).any() or (np.diff(scores) > 0).any() or not np.isfinite(scores).all():
        yield f"{at}.ranks is not ascending, or scores is not descending"
