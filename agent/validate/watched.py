"""Which groups of rows are watched: those that the profile knows, the most frequent in training first, up to a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from agent.batch import Batch, Checked
from agent.group_language import Grouping
from agent.profile.schema import Schema
from agent.sketch.summary import CategorySummary
from agent.validate.groups import Grouper, Places


class Watched:
    """The groups of one grouping that are watched.

    Parameters
    ----------
    grouper
        Tells all of its groups.
    chosen
        Places in `Grouper.values` of those that are watched.

    Attributes
    ----------
    grouping
        How rows are told apart.
    values
        Of the watched groups: a category, or the comparison as it is written.
    names
        As `agent.group_language` has them.
    """

    __slots__ = ("_grouper", "_place", "grouping", "names", "values")

    def __init__(self, grouper: Grouper, chosen: Sequence[int]) -> None:
        self.grouping = grouper.grouping
        self.values = tuple(grouper.values[place] for place in chosen)
        is_one = self.grouping.comparison is not None
        self.names = tuple(str(self.grouping) if is_one else self.grouping.name(value) for value in self.values)
        self._grouper = grouper
        # By what `Grouper.of` gives; the last two are other values, and -1.
        self._place = np.full(len(grouper.values) + 2, len(chosen))
        self._place[list(chosen)] = np.arange(len(chosen))
        self._place[-1] = -1

    def of(self, batch: Batch, checked: Checked) -> Places | None:
        """Give the group of each row, as `Grouper.of` does of all groups: those that are not watched are other values."""
        groups = self._grouper.of(batch, checked)
        return None if groups is None else self._place[groups]


def watch(
    groupings: Iterable[Grouping], schema: Schema, most: int, refuse: Callable[[Grouping, str], None]
) -> tuple[Watched, ...]:
    """Choose groups: those that were named one by one, then the most frequent in training.

    Parameters
    ----------
    groupings
        What the settings ask for.
    schema
        What the profile knows.
    most
        How many groups at most, of all groupings together.
    refuse
        Called for each grouping that can't be watched, with the reason.

    Returns
    -------
    tuple
        One for each grouping that can be, in their order; it may have no groups. Values are in the order of the profile.
    """
    groupers = []
    for grouping in groupings:
        try:
            groupers.append(Grouper(grouping, schema))
        except ValueError as error:
            refuse(grouping, str(error))
    chosen = sorted(_ranked(groupers))[:most]
    return tuple(Watched(each, sorted(p for _, place, p in chosen if place == at)) for at, each in enumerate(groupers))


def _ranked(groupers: Sequence[Grouper]) -> Iterator[tuple[float, int, int]]:
    """Give all groups as (rank, place of the grouper, place of the group)."""
    for at, grouper in enumerate(groupers):
        if grouper.grouping.comparison is not None:
            yield -np.inf, at, 0
            continue
        reference = grouper.column.reference
        counts = reference.counts.tolist() if isinstance(reference, CategorySummary) else []
        yield from ((-count, at, place) for place, count in enumerate(counts))
