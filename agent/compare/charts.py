"""Charts of one column as SVG within a page: training filled, the data as a line over it. Colours are the page's."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agent.compare.comparison import Bars, Distribution
from agent.compare.markup import clean, escaped
from agent.evaluate.reason import number, share

WIDTH = 480
HEIGHT = 150
_FLOOR = 122.0
"""Where the bars stand; below are the labels."""
_TOP = 8.0

TOP_CATEGORIES = 20
"""Categories that are drawn at most; the others are drawn as one."""

_LINE = 26
_LABEL = 150
_BAR = 210
_NAME = 18
"""Characters of a category's name that fit."""

Row = tuple[str, float, float, str]
"""Label, share in training, share in the data, class."""


def chart(distribution: Distribution) -> str:
    """Draw a column: a histogram, or bars of its categories; empty where there is nothing to draw, as of numbers all missing.

    Well-formed XML, whatever the names.
    """
    if distribution.bars is not None:
        return _histogram(distribution.name, distribution.bars)
    if not distribution.categories and not distribution.unseen and not distribution.reference_unseen:
        return ""  # the counts of a numeric column are of its bins
    rows = category_rows(distribution)
    return _categories(distribution.name, rows) if rows else ""


def _histogram(name: str, bars: Bars) -> str:
    low, high = bars.edges[0], bars.edges[-1]
    tallest = max(*bars.shares, *bars.reference_shares, 1e-12)

    scale = 1.0 if math.isfinite(high - low) else 0.5

    def x(value: float) -> float:
        return WIDTH * ((scale * value - scale * low) / (scale * high - scale * low))

    def y(part: float) -> float:
        return _FLOOR - (_FLOOR - _TOP) * part / tallest

    places = [x(edge) for edge in bars.edges]
    drawn = [("train", bars.reference_shares), ("data", bars.shares)]
    parts = [f'<path class="{style}" d="{_steps(places, list(map(y, part)))}"/>' for style, part in drawn if any(part)]
    parts.append(f'<line class="axis" x1="0" x2="{WIDTH}" y1="{_FLOOR}" y2="{_FLOOR}"/>')
    for tick in ticks(low, high):
        at = min(max(x(tick), 0.0), float(WIDTH))
        anchor = "start" if at < 24 else "end" if at > WIDTH - 24 else "middle"
        parts.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{_FLOOR}" y2="{_FLOOR + 4}"/>')
        parts.append(f'<text x="{at:.1f}" y="{_FLOOR + 20}" text-anchor="{anchor}">{_label(tick)}</text>')
    said = f"Histogram of {name} from {number(low)} to {number(high)}: training filled, the data as a line."
    return _svg(HEIGHT, said, parts)


def _steps(places: Sequence[float], heights: Sequence[float]) -> str:
    """Give the outline of bars as a path, from the floor to the floor."""
    steps = [f"M{places[0]:.1f} {_FLOOR}"]
    for right, height in zip(places[1:], heights, strict=True):
        steps.append(f"V{height:.1f}H{right:.1f}")
    return "".join([*steps, f"V{_FLOOR}"])


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose round numbers between two others, 1, 2 or 5 times a power of ten apart.

    >>> ticks(0, 10), ticks(-1.3, 1.2), ticks(5, 5)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [-1.0, -0.5, 0.0, 0.5, 1.0], [5])
    """
    span = high / most - low / most
    if not span > 0 or not math.isfinite(span):
        return [low]
    power = 10.0 ** math.floor(math.log10(span))
    if power == 0.0:
        return [low]
    step = next((size * power for size in (1, 2, 5) if size * power >= span * 0.999), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first > 2 * most or first + 1 == first:
        return [low, high]
    return [round(place * step, 12 - math.floor(math.log10(step))) + 0.0 for place in range(first, last + 1)]


def _label(value: float) -> str:
    size = abs(value)
    if size >= 1e6 or (0 < size < 1e-3):
        return f"{value:.3g}"
    return f"{value:,.10g}"


def category_rows(distribution: Distribution) -> list[Row]:
    """Choose which categories to draw: those with the largest share in either, then all others, then unseen ones."""
    total = sum(distribution.counts) + distribution.unseen
    before = sum(distribution.reference_counts) + distribution.reference_unseen
    counted = zip(distribution.categories, distribution.reference_counts, distribution.counts, strict=True)
    rows = [(name, old / max(1, before), new / max(1, total), "") for name, old, new in counted]
    rows.sort(key=lambda row: -max(row[1], row[2]))
    shown, others = rows[:TOP_CATEGORIES], rows[TOP_CATEGORIES:]
    if others:
        shown.append((f"{len(others):,} others", sum(row[1] for row in others), sum(row[2] for row in others), "soft"))
    if distribution.unseen or distribution.reference_unseen:
        shares = distribution.reference_unseen / max(1, before), distribution.unseen / max(1, total)
        shown.append(("unlisted" if distribution.reference_unseen else "never seen before", *shares, "unseen"))
    return shown


def _categories(name: str, rows: Sequence[Row]) -> str:
    largest = max((max(row[1], row[2]) for row in rows if row[3] != "soft"), default=0.0) or 1.0

    def width(part: float) -> str:
        return f"{_BAR * min(1.0, part / largest):.1f}"

    parts = []
    for place, (label, before, now, style) in enumerate(rows):
        top = place * _LINE + 4
        kind = f' class="{style}"' if style else ""
        shown = clean(label) or "(empty)"
        short = shown if len(shown) <= _NAME else shown[: _NAME - 1] + "…"
        parts.append(f"<g{kind}><title>{escaped(shown)}: {share(before)} in training, {share(now)} in the data</title>")
        parts.append(f'<text x="{_LABEL - 10}" y="{top + 13}" text-anchor="end">{escaped(short)}</text>')
        parts.append(f'<rect class="train" x="{_LABEL}" y="{top}" width="{width(before)}" height="8" rx="1"/>')
        parts.append(f'<rect class="bar" x="{_LABEL}" y="{top + 9}" width="{width(now)}" height="8" rx="1"/>')
        end = _LABEL + _BAR + 10
        parts.append(f'<text class="figure" x="{end}" y="{top + 13}">{share(before)} → {share(now)}</text></g>')
    return _svg(len(rows) * _LINE + 6, f"Shares of the categories of {name}, in training and in the data.", parts)


def _svg(height: int, said: str, parts: Sequence[str]) -> str:
    drawn = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escaped(said)}">{drawn}</svg>'
