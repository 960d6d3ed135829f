"""Cutting the training data by the values of columns while it is counted.

Which values, and into which bins, the first reading has found; so all that is left are counts, which add up exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent import group_language
from agent.errors import ProfileError
from agent.group_language import COMPARE, Comparison, Grouping
from agent.profile.census import NumberCensus, TextCensus
from agent.profile.chunking import MONITORED
from agent.profile.column import MAX_LISTED, Column, Tallied
from agent.profile.format import ColumnProfile, Profile, SegmentTable
from agent.profile.roles import Names
from agent.profile.segments import COARSE, FINE, MOST, SegmentFigures, pack
from agent.sketch.bins import origin_of
from agent.sketch.categorical import places

MAX_GROUPINGS = 10
"""Columns to cut by: each costs the second reading about a tenth more."""

PROFILE_BYTES = (1 << 20) - (8 << 10)
"""What the whole profile may take with its segments: a little less than the 1 MiB of a ConfigMap."""

BEYOND_BYTES = 256 << 10
"""What segments may take where the profile is larger than that without them."""


def groupings_of(by: Names, segments: Names, names: Sequence[str]) -> list[Grouping]:
    """Read what the user wants the data cut by: the columns with the role of segments, and `by`.

    Parameters
    ----------
    by
        As `agent.group_language` has it, each text one grouping or several; a column's name may also stand as it is.
    segments
        Columns that have the role.
    names
        The columns of the data.

    Raises
    ------
    ProfileError
        If it can't be read, or names no column; all faults at once.
    """
    found = [Grouping(name) for name in _several(segments)]
    faults = []
    for text in _several(by):
        try:
            read = (Grouping(text),) if text in names else group_language.parse(text)
        except ValueError as error:
            faults.append(f"by: {error}")
            continue
        faults += [f"by: there is no column {one.column!r}" for one in read if one.column not in names]
        found += read
    unique = list(dict.fromkeys(found))
    if len(unique) > MAX_GROUPINGS:
        faults.append(f"by: {len(unique)} are too many; there may be {MAX_GROUPINGS}")
    if faults:
        raise ProfileError("\n".join(dict.fromkeys(faults)))
    return unique


def favourable_of(text: str) -> Comparison | None:
    """Read which outcome is favourable; `ProfileError` says how to write it."""
    try:
        return group_language.favourable(text)
    except ValueError as error:
        raise ProfileError(f"favourable: {error}") from None


def _several(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


class Coder:
    """Which group a row belongs to, as a number.

    Parameters
    ----------
    grouping
        How rows are cut.
    column
        Its column, typed and prepared.

    Attributes
    ----------
    values
        The groups: categories as text, at most `MOST`; or the comparison as it is written.

    Raises
    ------
    ProfileError
        If the column has no categories and nothing is said of its numbers, or the other way round.
    """

    def __init__(self, grouping: Grouping, column: Column) -> None:
        self.grouping = grouping
        name, comparison = grouping.column, grouping.comparison
        self._compare: Comparison | None = None
        self._places: NDArray[np.int64] | None = None
        if column.categories is None:
            if column.bins is None:
                raise ProfileError(f"by: column {name!r} is {column.type}, which has no groups: pass --categorical {name} too")
            if comparison is None or comparison.number is None:
                raise ProfileError(
                    f"by: column {name!r} holds numbers: compare it, as in {name}<25, or pass --categorical {name}"
                )
            self._compare = comparison
            self.values: tuple[str, ...] = (str(comparison),)
            return
        known = tuple(column.candidates)
        if comparison is None:
            self.values = known[:MOST]
            wanted = np.arange(len(self.values))
        elif comparison.sign == "=":
            place = places(known).get(comparison.value)
            self.values, wanted = (
                (str(comparison),),
                np.array([] if place is None or place >= MAX_LISTED else [place], dtype=np.int64),
            )
        else:
            raise ProfileError(f"by: column {name!r} holds categories, which have no order: write {name}=value")
        self._places = np.full(len(known) + 2, len(self.values), dtype=np.int64)
        self._places[wanted] = np.arange(len(wanted))
        self._places[-1] = -1

    def of(self, tallied: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Give the group of each row: its place in `values`, beyond the last for another value, -1 where there is none."""
        if self._places is not None:
            return self._places[tallied.astype(np.int64)]
        comparison = cast("Comparison", self._compare)
        inside = COMPARE[comparison.sign](tallied, comparison.number)
        return np.where(np.isnan(tallied), -1, np.where(inside, 0, 1))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Which column says what a row came to, and which rows are the lucky ones."""

    column: Column
    favourable: Comparison

    def of(self, tallied: NDArray[np.float64] | NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Give the rows with an outcome, and those with a favourable one."""
        if self.column.categories is None:
            return ~np.isnan(tallied), COMPARE[self.favourable.sign](tallied, self.favourable.number)
        place = places(tuple(self.column.candidates)).get(self.favourable.value, -2)
        return tallied >= 0, tallied == place


def outcome_of(columns: Sequence[Column], favourable: Comparison | None) -> Outcome | None:
    """Find the column of outcomes: the first prediction, else the first probability, else the label.

    Where nobody says which outcome is favourable, it is ``true`` or ``1`` of booleans and of zeros and ones; of others it is not
    known, and the result is ``None``.

    Raises
    ------
    ProfileError
        If there is no such column, or its values can't be so compared.
    """
    ranked = [c for role in ("prediction", "probability", "label") for c in columns if c.role == role and not c.source]
    if not ranked:
        if favourable is not None:
            raise ProfileError("favourable: there is no prediction and no label: pass --prediction or --label")
        return None
    column = ranked[0]
    if favourable is None:
        usual = _usual(column)
        return None if usual is None else Outcome(column, usual)
    if column.categories is not None and favourable.sign != "=":
        raise ProfileError(f"favourable: column {column.name!r} holds categories: write one of them, not {favourable}")
    if column.categories is None and (column.bins is None or favourable.number is None):
        raise ProfileError(f"favourable: column {column.name!r} is {column.type}: write a comparison such as >=0.5")
    return Outcome(column, favourable)


def _usual(column: Column) -> Comparison | None:
    if column.categories is not None:
        known = set(column.candidates)
        if known and known <= {"false", "true"}:
            return Comparison("=", "true")
        return Comparison("=", "1") if known and known <= {"0", "1"} else None
    census = column.census
    zeros_and_ones = isinstance(census, NumberCensus) and census.exact is not None and set(census.exact) <= {0.0, 1.0}
    return Comparison("=", "1") if zeros_and_ones and column.bins is not None else None


class SegmentTally:
    """The second reading: every monitored column in every group.

    Parameters
    ----------
    groupings
        How rows are cut.
    columns
        Those that are counted, with bins and categories chosen.
    favourable
        Which outcome is favourable, if the user said so.

    Raises
    ------
    ProfileError
        If a column can't be cut by, or the outcome can't be compared; all faults of groupings at once.
    """

    def __init__(self, groupings: Sequence[Grouping], columns: Sequence[Column], favourable: Comparison | None) -> None:
        at = {column.name: place for place, column in enumerate(columns)}
        self._outcome = outcome_of(columns, favourable)
        self._outcome_at = -1 if self._outcome is None else at[self._outcome.column.name]
        faults, self._cuts = [], []
        for grouping in groupings:
            if grouping.column not in at:
                faults.append(f"by: column {grouping.column!r} is not counted: it has no groups")
                continue
            try:
                coder = Coder(grouping, columns[at[grouping.column]])
            except ProfileError as error:
                faults.append(str(error))
            else:
                self._cuts.append(_Cut(coder, at[grouping.column], columns))
        if faults:
            raise ProfileError("\n".join(faults))

    def update(self, tallied: Sequence[Tallied]) -> None:
        """Add a block: what `Column.tally` made of each of the columns."""
        outcome = None if self._outcome is None else self._outcome.of(_there(tallied[self._outcome_at]))
        for cut in self._cuts:
            cut.update(tallied, outcome)

    def result(self, profile: Profile) -> tuple[Profile, str]:
        """Put the segments into a profile, as finely as fits.

        Returns
        -------
        Profile
            With its segments.
        str
            What was left out, and why; empty where everything fits.
        """
        size = len(msgspec.json.encode(profile))
        room = BEYOND_BYTES if size > PROFILE_BYTES else PROFILE_BYTES - size
        tables = self._tables(profile, FINE, MOST)
        if _size(tables) <= room:
            return msgspec.structs.replace(profile, segments=tables), ""
        low, high = 0, MOST + 1
        tables = self._tables(profile, COARSE, low)
        while high - low > 1:
            middle = (low + high) // 2
            tried = self._tables(profile, COARSE, middle)
            low, high, tables = (middle, high, tried) if _size(tried) <= room else (low, middle, tables)
        kept = sum(table.figured for table in tables)
        left = sum(len(table.values) for table in tables) - kept
        said = f"the distributions of {kept} segments are kept in coarse bins" if kept else ""
        if left:
            said += f"{' and ' if said else ''}those of {left} {'rarer ones' if kept else 'segments'} are left out"
        return msgspec.structs.replace(profile, segments=tables), f"{said}: with more the profile would be larger than 1 MiB"

    def _tables(self, profile: Profile, detail: str, most: int) -> list[SegmentTable]:
        named = {column.name: column for column in profile.columns}
        outcome = ("", "") if self._outcome is None else (self._outcome.column.name, str(self._outcome.favourable))
        return [cut.result(named, detail, most, outcome) for cut in self._cuts]


def _size(tables: list[SegmentTable]) -> int:
    return len(msgspec.json.encode(tables))


def _there(tallied: Tallied) -> NDArray[np.float64] | NDArray[np.int64]:
    if tallied is None:
        raise TypeError("a counted column has values")
    return tallied


class _Cut:
    """Training cut by one grouping."""

    def __init__(self, coder: Coder, place: int, columns: Sequence[Column]) -> None:
        self._coder = coder
        self._place = place
        many = len(coder.values)
        self._rows = np.zeros(many + 1, dtype=np.int64)
        self._answered = np.zeros(many + 1, dtype=np.int64)
        self._selected = np.zeros(many + 1, dtype=np.int64)
        self._figures = {at: _Figures(column, many) for at, column in enumerate(columns) if column.role in MONITORED}

    def update(self, tallied: Sequence[Tallied], outcome: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None) -> None:
        codes = self._coder.of(_there(tallied[self._place]))
        size = len(self._rows)
        self._rows += np.bincount(codes[codes >= 0], minlength=size)
        if outcome is not None:
            answered, selected = outcome
            self._answered += np.bincount(codes[(codes >= 0) & answered], minlength=size)
            self._selected += np.bincount(codes[(codes >= 0) & selected], minlength=size)
        mine = (codes >= 0) & (codes < size - 1)
        codes = codes[mine]
        for at, figures in self._figures.items():
            figures.update(_there(tallied[at])[mine], codes)

    def result(self, named: Mapping[str, ColumnProfile], detail: str, most: int, outcome: tuple[str, str]) -> SegmentTable:
        order = np.argsort(-self._rows[:-1], kind="stable")
        order = order[self._rows[order] > 0]
        figured = order[:most]
        columns = []
        for figures in self._figures.values():
            profile = named[figures.name]
            if len(figured) and (found := figures.result(profile, figured, detail)) is not None:
                columns.append(pack(figures.name, found, profile))
        answered, selected = ([*of[order].tolist(), int(of[-1])] for of in (self._answered, self._selected))
        return SegmentTable(
            by=str(self._coder.grouping),
            values=[self._coder.values[place] for place in order.tolist()],
            rows=self._rows[order].tolist(),
            others=int(self._rows[-1]),
            detail=detail,
            figured=len(figured),
            columns=columns,
            outcome=outcome[0],
            favourable=outcome[1],
            answered=answered if outcome[0] else [],
            selected=selected if outcome[0] else [],
        )


class _Figures:
    """One column in all groups of a cut."""

    def __init__(self, column: Column, groups: int) -> None:
        self.name = column.name
        self._column = column
        self._edges = column.edges if column.bins is not None else None
        self._cells = column.classes if self._edges is None else len(self._edges) + 1
        self._groups = groups
        self._origin = 0.0 if self._edges is None else origin_of(self._edges)
        self._counts = np.zeros(groups * self._cells, dtype=np.int64)
        self._sums = np.zeros(groups * self._cells if self._edges is not None else 0)
        self._missing = np.zeros(groups, dtype=np.int64)
        self._infinite = np.zeros(groups, dtype=np.int64)
        census = column.census
        self._centre, self._scale = 0.0, 1.0
        if isinstance(census, NumberCensus) and census.count and math.isfinite(census.mean):
            self._centre = census.mean
            self._scale = math.sqrt(census.variance) if 0 < census.variance < math.inf else 1.0
        self._powers = np.zeros((3, groups))  # rows, sums and squares of (x - centre) / scale

    def update(self, values: NDArray[np.float64] | NDArray[np.int64], codes: NDArray[np.int64]) -> None:
        missing = np.isnan(values) if self._edges is not None else values < 0
        if missing.any():
            self._missing += np.bincount(codes[missing], minlength=self._groups)
            values, codes = values[~missing], codes[~missing]
        places = values.astype(np.int64) if self._edges is None else np.searchsorted(self._edges, values, side="right")
        cells = codes * self._cells + places
        self._counts += np.bincount(cells, minlength=len(self._counts))
        if self._edges is None:
            return
        finite = np.isfinite(values)
        if not finite.all():
            self._infinite += np.bincount(codes[~finite], minlength=self._groups)
            values, codes, cells = values[finite], codes[finite], cells[finite]
        with np.errstate(over="ignore", invalid="ignore"):
            self._sums += np.bincount(cells, values - self._origin, len(self._sums))
            scaled = (values - self._centre) / self._scale
            self._powers += [np.bincount(codes, scaled**power, self._groups) for power in range(3)]

    def result(self, profile: ColumnProfile, order: NDArray[np.intp], detail: str) -> SegmentFigures | None:
        """Give the groups in `order`; ``None`` for categories that the profile ranks otherwise than they were counted."""
        counts, sums = self._counts.reshape(self._groups, -1)[order], self._sums.reshape(self._groups, -1)[order]
        if self._edges is None:
            listed = [] if profile.categories is None else profile.categories.values
            census = self._column.census
            if len(listed) + 1 != self._cells or (isinstance(census, TextCensus) and not census.complete):
                return None
            at = {text: place for place, text in enumerate(self._column.candidates)}
            counts = counts[:, [*(at[text] for text in listed), self._cells - 1]]
        elif detail == COARSE and profile.numeric is not None:
            counts, sums = np.add.reduceat(counts, profile.numeric.coarse, axis=1), np.empty((len(order), 0))
        rows, first, second = self._powers[:, order]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            mean = first / rows
            variance = np.maximum(second / rows - mean * mean, 0.0)
            moments = (self._centre + mean * self._scale, variance * self._scale * self._scale)
        return SegmentFigures(counts, self._missing[order], self._infinite[order], *moments, sums)
