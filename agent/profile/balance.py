"""How balanced the training data is: the classes of label and prediction, and the groups that it was cut by.

A model learns little of what it hardly sees, and repeats what was unfair before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.group_language import Grouping, favourable, parse
from agent.profile.format import ColumnProfile, Profile, SegmentTable

FEW = 0.01
"""A class or group with less than this share of the rows is hardly there."""

FOUR_FIFTHS = 0.8
"""A group selected less than this many times as often as the others: 29 CFR 1607.4 D, the four-fifths rule."""

MIN_ROWS = 30
"""Below so many rows with an outcome a rate says nothing."""

_SHOWN = 8
"""Classes or groups of a column that are listed."""


@dataclass(frozen=True, slots=True)
class GroupBalance:
    """One group of training.

    Parameters
    ----------
    name
        Such as ``gender=f`` or ``age<25``.
    share
        Of the rows with a value, in [0, 1].
    rows
        How many those are.
    answered, selected, other_answered, other_selected
        Rows with an outcome, and with a favourable one: of the group, and of the others; all 0 where nobody knows the outcome.
    """

    name: str
    share: float
    rows: int
    answered: int = 0
    selected: int = 0
    other_answered: int = 0
    other_selected: int = 0

    @property
    def rate(self) -> float | None:
        """The selection rate; ``None`` without rows."""
        return self.selected / self.answered if self.answered else None

    @property
    def ratio(self) -> float | None:
        """The selection rate over that of the others; ``None`` where either has too few rows, or the others' is 0."""
        if min(self.answered, self.other_answered) < MIN_ROWS or not self.other_selected:
            return None
        return (self.selected / self.answered) / (self.other_selected / self.other_answered)


def groups_of(table: SegmentTable) -> list[GroupBalance]:
    """Give the groups of one grouping, in the order of the profile."""
    grouping = parse(table.by)[0]
    total = sum(table.rows) + table.others
    answered, selected = sum(table.answered), sum(table.selected)
    found = []
    for place, (value, rows) in enumerate(zip(table.values, table.rows, strict=True)):
        name = grouping.name(value) if grouping.comparison is None else table.by
        mine = (table.answered[place], table.selected[place]) if table.outcome else (0, 0)
        found.append(GroupBalance(name, rows / total, rows, *mine, answered - mine[0], selected - mine[1]))
    return found


def describe(profile: Profile) -> list[str]:
    """Say in a line each how balanced the classes and the groups are; nothing where there are none."""
    lines = [f"{column.role} {column.name}: " + _listed(_classes(column)) for column in _answers(profile)]
    for table in profile.segments:
        groups = groups_of(table)
        if groups:
            chosen = f"; chosen is {Grouping(table.outcome, favourable(table.favourable))}" if table.outcome else ""
            lines.append(f"by {table.by}: " + _listed([_line(group) for group in groups]) + chosen)
    return lines


def warnings(profile: Profile) -> list[str]:
    """Say which outcome nobody has, what is hardly there, and which groups are selected much less often than the others."""
    return [*_never_favourable(profile), *_rare_classes(profile), *_rare_groups(profile), *_unlike_groups(profile)]


def _never_favourable(profile: Profile) -> Iterator[str]:
    told = {(t.outcome, t.favourable) for t in profile.segments if t.outcome and sum(t.answered) and not sum(t.selected)}
    for outcome, wanted in sorted(told):
        values = [value for column in profile.columns if column.name == outcome for value, _ in _shares(column)]
        known = f" (its values: {_listed([repr(value) for value in values])})" if values else ""
        yield f"no row has the favourable outcome {wanted.removeprefix('=')!r} in column {outcome!r}{known}: check --favourable"


def _rare_classes(profile: Profile) -> Iterator[str]:
    for column in _answers(profile):
        for value, share in _shares(column):
            if share < FEW:
                name = f"class {value!r} of {column.name!r}"
                yield f"{name} has {_percent(share)} of the rows: a model learns little of so few"


def _rare_groups(profile: Profile) -> Iterator[str]:
    for table in profile.segments:
        rare = [group for group in groups_of(table) if group.share < FEW]
        if rare:
            listed = ", ".join(f"{group.name} ({group.rows:,})" for group in rare[:_SHOWN])
            more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
            yield f"groups with less than {_percent(FEW)} of the rows: {listed}{more}; little can be said of them"


def _unlike_groups(profile: Profile) -> Iterator[str]:
    for table in profile.segments:
        for group in groups_of(table):
            if group.ratio is not None and group.ratio < FOUR_FIFTHS:
                rates = (
                    f"{_percent(group.selected / group.answered)} against {_percent(group.other_selected / group.other_answered)}"
                )
                yield (
                    f"{group.name} is selected {group.ratio:.2g} times as often as the others in training ({rates} of column "
                    f"{table.outcome!r}): a model may learn that"
                )


def _answers(profile: Profile) -> list[ColumnProfile]:
    return [
        column
        for column in profile.columns
        if column.role in ("label", "prediction") and column.categories is not None and len(column.categories.values) > 1
    ]


def _shares(column: ColumnProfile) -> list[tuple[str, float]]:
    categories = column.categories
    present = column.rows - column.missing
    if categories is None or not present:
        return []
    return [(value, count / present) for value, count in zip(categories.values, categories.counts, strict=True)]


def _classes(column: ColumnProfile) -> list[str]:
    return [f"{value or '(empty)'} {_percent(share)}" for value, share in _shares(column)]


def _line(group: GroupBalance) -> str:
    chosen = "" if group.rate is None else f", {_percent(group.rate)} chosen"
    return f"{group.name} {_percent(group.share)}{chosen}"


def _listed(parts: list[str]) -> str:
    more = f"; {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    return "; ".join(parts[:_SHOWN]) + more


def _percent(share: float) -> str:
    """Write a share.

    >>> _percent(0.415), _percent(0.0123), _percent(0)
    ('41.5 %', '1.23 %', '0 %')
    """
    return f"{100 * share:.3g} %"
