"""Medians over rounds, the table, and the comparison with the figures to reach; of any kind of round."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any, Generic, TypeVar

MB = 1e6

RoundT = TypeVar("RoundT")
"""A frozen dataclass of numbers: what was measured of one proxy in one round. NaN where it means nothing."""


@dataclass(frozen=True, slots=True)
class Column(Generic[RoundT]):
    """A column of the table: its title, the number under it, and how that is written."""

    title: str
    read: Callable[[RoundT], float]
    form: str = ",.0f"

    def cell(self, result: RoundT) -> str:
        """Write the number, or a dash where there is none."""
        value = self.read(result)
        return "-" if math.isnan(value) else format(value, self.form)


@dataclass(frozen=True, slots=True)
class Goal(Generic[RoundT]):
    """A figure to reach: `read` gives it from the medians of two proxies, or of one twice."""

    what: str
    proxy: str
    peer: str
    read: Callable[[RoundT, RoundT], float]
    at_least: bool
    bound: float
    unit: str


def medians(rounds: Sequence[RoundT]) -> RoundT:
    """Take the median of each field over the rounds."""
    kind: Any = type(rounds[0])
    result: RoundT = kind(*(median(getattr(one, field.name) for one in rounds) for field in fields(kind)))
    return result


def table(results: Mapping[str, RoundT], columns: Sequence[Column[RoundT]], base: str = "nginx") -> str:
    """Lay out the medians, and in brackets the ratio to `base` where it was measured."""
    lines = [["", *(column.title for column in columns)]]
    for name, result in results.items():
        cells = [name]
        for column in columns:
            value, cell = column.read(result), column.cell(result)
            if base in results and column.read(results[base]) > 0 and not math.isnan(value):
                cell += f" ({value / column.read(results[base]):.2f}x)"
            cells.append(cell)
        lines.append(cells)
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def compare(results: Mapping[str, RoundT], goals: Sequence[Goal[RoundT]]) -> list[tuple[str, bool]]:
    """Give one sentence per figure that can be told from the results, and whether it was reached."""
    said = []
    for goal in goals:
        if goal.proxy not in results or goal.peer not in results:
            continue
        value = goal.read(results[goal.proxy], results[goal.peer])
        reached = value >= goal.bound if goal.at_least else value <= goal.bound
        sign = "≥" if goal.at_least else "≤"
        verdict = "reached" if reached else "NOT REACHED"
        said.append((f"{verdict:<12} {goal.what}: {value:.2f} {goal.unit} (to reach: {sign} {goal.bound:g})", reached))
    return said
