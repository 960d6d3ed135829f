"""A profile for a person to read: one line a column, drawn with rich."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.joint.anomaly import Threshold
from agent.joint.subspace import VARIANCE
from agent.profile.balance import describe as describe_balance
from agent.profile.chunks import Chunks, describe, doubt
from agent.profile.format import Categories, ColumnProfile, Numeric, Profile, Structure, Summarised

BARS = " ▁▂▃▄▅▆▇█"
WIDTH = 16
"""Bars of a histogram."""

PIPED_WIDTH = 160
"""Characters a line where there is no terminal to ask."""

_NARROW = 100
"""Below this many characters a line, the less important columns of the table are left out."""


def show(profile: Profile, console: Console | None = None) -> None:
    """Print a profile.

    Parameters
    ----------
    profile
        What to print.
    console
        Where to; standard output if not given. On a narrow one the roles and the moments are left out, and what does not
        fit is cut with an ellipsis.
    """
    console = console or standard_console()
    console.print(_title(profile), highlight=False)
    console.print(_table(profile, narrow=console.width < _NARROW))
    for line in _footer(profile):
        console.print(line, highlight=False, style="dim", soft_wrap=True)


def standard_console() -> Console:
    """Give standard output as a console: as wide as the terminal, or `PIPED_WIDTH` where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=PIPED_WIDTH)


def _title(profile: Profile) -> str:
    model = profile.model
    name = " ".join(filter(None, (model.name, model.version))) or "unnamed model"
    parts = [f"[bold]{escape(name)}[/bold]", model.task, f"{profile.rows:,} rows", f"{len(profile.columns)} columns"]
    if model.trained_at:
        parts.append(f"trained {escape(model.trained_at)}")
    return " · ".join(filter(None, parts))


def _table(profile: Profile, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("column", no_wrap=True, overflow="ellipsis", min_width=8, max_width=16 if narrow else 32)
    if not narrow:
        table.add_column("role", no_wrap=True)
    table.add_column("type", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("values", no_wrap=True, overflow="ellipsis", ratio=1)
    if not narrow:
        table.add_column("mean ± sd", no_wrap=True)
    table.add_column("distribution", no_wrap=True, min_width=WIDTH)
    for column in profile.columns:
        cells = [escape(column.name), column.role, column.type, share(column.missing, column.rows), escape(_values(column))]
        cells += [_moments(column.numeric), histogram(column)]
        table.add_row(*(cell for i, cell in enumerate(cells) if not (narrow and i in (1, 5))))
    return table


def share(part: int, whole: int) -> str:
    """Write a share in percent; anything above nothing is visibly so.

    >>> share(0, 10), share(1, 100_000), share(1, 8)
    ('·', '<0.1 %', '12.5 %')
    """
    if not part:
        return "·"
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent >= 0.1 else "<0.1 %"


def _values(column: ColumnProfile) -> str:
    if column.numeric is not None:
        numeric = column.numeric
        if numeric.minimum is None or numeric.maximum is None:
            return "no values"
        infinite = f", {numeric.infinite:,} infinite" if numeric.infinite else ""
        return f"{_number(numeric.minimum)} … {_number(numeric.maximum)}{infinite}"
    return _categories(column.categories, column.rows - column.missing) if column.categories is not None else "not looked at"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"


def _categories(categories: Categories, present: int) -> str:
    if not present:
        return "no values"
    top = zip(categories.values[:4], categories.counts[:4], strict=True)
    text = ", ".join(f"{value or '(empty)'} {count / present:.0%}" for value, count in top)
    more = categories.distinct - min(4, len(categories.values))
    return text + (f", {more:,} more" if more > 0 else "")


def _moments(numeric: Numeric | None) -> str:
    if numeric is None or numeric.mean is None or numeric.variance is None:
        return ""
    return f"{numeric.mean:.4g} ± {numeric.variance**0.5:.3g}"


def histogram(column: ColumnProfile) -> str:
    """Draw a column's distribution: bars of equal width between the outer edges, or one bar per category."""
    if column.categories is not None:
        return bars(column.categories.counts[:WIDTH])
    if column.numeric is None or not column.numeric.edges:
        return ""
    return bars(_heights(column.numeric))


def _heights(numeric: Numeric) -> list[float]:
    """Give the rows in `WIDTH` steps of equal width, taking those of each bin as evenly spread."""
    outer = [end for end in (numeric.minimum, numeric.maximum) if end is not None and math.isfinite(end)]
    # by a power of two, which is exact: neither the widest range overflows, nor is the narrowest lost among denormal numbers
    power = -math.frexp(max(map(abs, [*numeric.edges, *outer])))[1] - 1
    edges = np.ldexp(np.array(numeric.edges), power)
    lowest, highest = (None if end is None else float(np.ldexp(end, power)) for end in (numeric.minimum, numeric.maximum))
    width = edges[-1] - edges[0]
    below = np.cumsum(numeric.bin_counts[:-1], dtype=np.float64)
    total = below[-1] + numeric.bin_counts[-1]
    low, high = edges[0], edges[-1]
    # The open-ended bins are drawn where they are, unless a far outlier would leave no room for all the others.
    if lowest is not None and 0 < low - lowest <= width / 4:
        low, edges, below = lowest, np.append(lowest, edges), np.append(0.0, below)
    if highest is not None and 0 < highest - high <= width / 4:
        high, edges, below = highest, np.append(edges, highest), np.append(below, total)
    places = np.linspace(low, high, WIDTH + 1)[1:-1]
    return list(np.diff(np.interp(places, edges, below), prepend=0.0, append=total).tolist())


def bars(heights: Sequence[float]) -> str:
    """Draw heights as bars, the highest one full; empty where none is above zero, or one is not finite.

    >>> bars([0, 1, 4, 8])
    ' ▁▄█'
    """
    top = max(heights, default=0)
    if not 0 < top < math.inf or not all(map(math.isfinite, heights)):
        return ""
    levels = [max(1 if height > 0 else 0, round(height / top * (len(BARS) - 1))) for height in heights]
    return "".join(BARS[level] for level in levels)


def _summarised(summarised: Summarised) -> str:
    kind = summarised.kind.replace("_", " ")
    of = f" of {' x '.join(map(str, summarised.shape))} values" if summarised.shape else ""
    return f"{escape(summarised.column)}: {kind}{of}, watched by its {', '.join(summarised.measures)}"


def _rows(structure: Structure) -> str:
    threshold = Threshold(structure.rows, tuple(structure.ranks), tuple(structure.scores)).at(0.999)
    shape = f"{structure.kept} of {len(structure.design)} components hold {VARIANCE:.0%} of the variance"
    return f"rows: scored by {len(structure.columns)} features; {shape}; one in 1,000 is stranger than {threshold:.2f}"


def _chunks(profile: Profile) -> list[str]:
    chunks = Chunks.of(profile)
    if profile.chunks is None or chunks is None:
        return []
    lines = [describe(profile.chunks), *filter(None, [doubt(profile.chunks)])]
    habits = sorted(_habits(profile, chunks), reverse=True)[:3]
    if habits and len(chunks.rows) > 1:
        lines.append("their means differ by: " + ", ".join(f"{escape(name)} {spread:.2g} sd" for spread, name in habits))
    return lines


def _habits(profile: Profile, chunks: Chunks) -> Iterator[tuple[float, str]]:
    """Give how far the chunks' means lie from one another, in standard deviations of the column, beyond what chance does."""
    for column in profile.columns:
        if column.name not in chunks.columns or column.numeric is None or not column.numeric.variance:
            continue
        figures = chunks.columns[column.name]
        with np.errstate(over="ignore", invalid="ignore"):
            chance = (figures.variance / np.maximum(1, chunks.rows - figures.missing)).mean()
            beyond = figures.mean.var() - chance
            spread = np.sqrt(np.maximum(beyond, 0.0) / column.numeric.variance)
        # The variance of k normal means has the standard error sqrt(2 / (k - 1)) of itself.
        if np.isfinite(spread) and beyond > 4 * chance * np.sqrt(2 / max(1, len(chunks.rows) - 1)):
            yield float(spread), column.name


def _footer(profile: Profile) -> list[str]:
    lines = [_summarised(summarised) for summarised in profile.summaries]
    lines += _chunks(profile)
    lines += map(escape, describe_balance(profile))
    if profile.structure is not None:
        lines.append(_rows(profile.structure))
    if profile.performance:
        lines.append("performance: " + ", ".join(f"{p.measure} {p.value:.4g} ({p.rows:,} rows)" for p in profile.performance))
    strongest = sorted(profile.association, key=lambda item: -abs(item.value))[:5]
    if strongest:
        listed = ", ".join(f"{escape(a.feature)} {a.value:.2f} ({a.measure})" for a in strongest)
        lines.append(f"goes with the prediction: {listed}")
    return lines
