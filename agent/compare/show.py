"""A comparison for a terminal, drawn with rich."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from agent.compare.comparison import Comparison, Distribution
from agent.compare.markup import clean
from agent.compare.order import broken, is_fault, leading, moved, notes, ordered, title, verdict
from agent.compare.parts import GROUP_HEAD, SEGMENT_HEAD, group_cells, groups_of, segment_cells, segments_of
from agent.evaluate.reason import number, share
from agent.evaluate.report import ColumnReport, Decision, GroupReport, Score
from agent.evaluate.segments import SegmentSummary
from agent.profile.show import WIDTH, bars, standard_console

STYLES = {
    Decision.DRIFTED: "bold red",
    Decision.SUSPECT: "yellow",
    Decision.OK: "green",
    Decision.INSUFFICIENT: "dim",
    Decision.NO_REFERENCE: "dim",
}

_NARROW = 110
"""Below this many characters a line, the bounds and rows are left out."""


def show(comparison: Comparison, console: Console | None = None) -> None:
    """Print a comparison.

    Parameters
    ----------
    comparison
        What to print.
    console
        Where to; standard output if not given. On a narrow one some columns of the table are left out.
    """
    console = console or standard_console()
    rows = f"{comparison.rows:,} rows against {comparison.training_rows:,} of training"
    head = f"[bold]{_plain(title(comparison))}[/bold] · {_plain(comparison.data)} · {rows}"
    console.print(head, highlight=False, soft_wrap=True)
    style = STYLES[comparison.decision]
    console.print(f"[{style}]{_plain(verdict(comparison))}[/{style}]", highlight=False, soft_wrap=True)
    console.print()
    console.print(_table(comparison, narrow=console.width < _NARROW))
    for line in _reasons(comparison):
        console.print(line, highlight=False, soft_wrap=True)
    _show_segments(comparison, console)
    _show_groups(comparison, console)
    for note in notes(comparison):
        console.print(_plain(note), highlight=False, style="dim", soft_wrap=True)


def _table(comparison: Comparison, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("column", no_wrap=True, overflow="ellipsis", min_width=8, max_width=20 if narrow else 32)
    table.add_column("state", no_wrap=True)
    table.add_column("statistic", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("at least", justify="right", no_wrap=True)
    table.add_column("tolerance", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("training", no_wrap=True, min_width=WIDTH)
    table.add_column("data", no_wrap=True, min_width=WIDTH)
    drawn = {distribution.name: distribution for distribution in comparison.distributions}
    for column in ordered(comparison):
        table.add_row(*_cells(column, drawn.get(column.name), narrow=narrow))
    return table


def _show_segments(comparison: Comparison, console: Console) -> None:
    lines = [(segment_cells(each), each.decision, _why(each)) for each in segments_of(comparison)]
    _show_parts(console, SEGMENT_HEAD, lines, left=(0, 1, 4))


def _show_groups(comparison: Comparison, console: Console) -> None:
    hidden = (5, 7) if console.width < _NARROW else ()
    places = [place for place in range(len(GROUP_HEAD)) if place not in hidden]
    lines = []
    for group in groups_of(comparison):
        cells = group_cells(group)
        lines.append((tuple(cells[place] for place in places), group.decision, _why(group)))
    _show_parts(console, tuple(GROUP_HEAD[place] for place in places), lines, left=(0, 1))


def _why(part: SegmentSummary | GroupReport) -> str:
    return "" if is_fault(part) else part.reason  # a note says it


def _show_parts(
    console: Console, head: Sequence[str], lines: Sequence[tuple[Sequence[str], Decision, str]], left: Sequence[int]
) -> None:
    if not lines:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(head):
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify="left" if place in left else "right")
    for cells, decision, _ in lines:
        style = STYLES[decision]
        name, state, *others = map(_plain, cells)
        table.add_row(name, f"[{style}]{state}[/{style}]", *others)
    console.print(table)
    console.print()
    reasons = [(cells[0], reason) for cells, _, reason in lines if reason]
    for name, reason in reasons:
        console.print(f"[bold]{_plain(name)}[/bold]  {_plain(reason)}", highlight=False, soft_wrap=True)
    if reasons:
        console.print()


def _cells(column: ColumnReport, distribution: Distribution | None, *, narrow: bool) -> list[str]:
    score, style = leading(column), STYLES[column.decision]
    wide = [] if narrow else [number(score.lower) if score else ""]
    missing = [] if narrow else [_missing(column)]
    reference, current = ("", "") if distribution is None else _histograms(distribution)
    return [
        _plain(column.name),
        f"[{style}]{column.decision.replace('_', ' ')}[/{style}]",
        score.statistic if score else "",
        number(score.value) if score else "",
        *wide,
        _tolerance(score),
        *missing,
        f"[dim]{reference}[/dim]",
        current,
    ]


def _tolerance(score: Score | None) -> str:
    return "" if score is None else "off" if score.threshold is None else number(score.threshold)


def _missing(column: ColumnReport) -> str:
    before, now = column.reference_missing_share, column.missing_share
    if not before and not now:
        return "·"
    return f"{share(before or 0.0)} → {share(now or 0.0)}"


def _histograms(distribution: Distribution) -> tuple[str, str]:
    """Draw training and the data over the same bars."""
    if distribution.bars is not None:
        drawn = (distribution.bars.reference_shares, distribution.bars.shares)
        starts = np.unique(np.arange(WIDTH) * len(drawn[0]) // WIDTH)
        sizes = np.diff(starts, append=len(drawn[0]))
        before, now = ((np.add.reduceat(np.array(shares), starts) / sizes).tolist() for shares in drawn)
        return bars(before), bars(now)
    counts = [*distribution.counts[: WIDTH - 1], sum(distribution.counts[WIDTH - 1 :]) + distribution.unseen]
    return bars(distribution.reference_counts[: len(counts)]), bars(counts)


def _reasons(comparison: Comparison) -> list[str]:
    lines = []
    for column in ordered(comparison):
        text = " · ".join(filter(None, (column.reason, broken(column))))
        if column.decision in (Decision.DRIFTED, Decision.SUSPECT, Decision.INSUFFICIENT) and text:
            lines.append(f"[bold]{_plain(column.name)}[/bold]  {_plain(text)}")
        elif broken(column):
            lines.append(f"{_plain(column.name)}  {_plain(broken(column))}")
    lines += [f"[bold]together[/bold]  {_plain(relation.reason)}" for relation in moved(comparison)]
    return ["", *lines, ""] if lines else [""]


def _plain(text: str) -> str:
    """Make text that others chose fit for a terminal: no control characters, no markup."""
    return escape_markup(clean(text).replace("\r", " ").replace("\n", " "))
