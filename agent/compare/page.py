"""A comparison as one HTML file: no script, nothing from outside, light or dark as the reader's screen is.

The markup is well-formed XML, which a test reads as such. It looks like the sidecar's own page (`agent.admin.page`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from agent.compare.charts import chart
from agent.compare.comparison import Comparison, Distribution
from agent.compare.markup import escaped
from agent.compare.order import broken, moved, notes, ordered, title, verdict
from agent.compare.parts import words_of
from agent.compare.sections import groups_section, segments_section
from agent.compare.style import STYLE
from agent.evaluate.reason import number, share
from agent.evaluate.report import ColumnReport, Decision, Score

_LOUD = (Decision.DRIFTED, Decision.SUSPECT)

_HEADINGS = {
    Decision.DRIFTED: "Drifted",
    Decision.SUSPECT: "Suspect",
    Decision.INSUFFICIENT: "Not enough to decide",
    Decision.OK: "As in training",
    Decision.NO_REFERENCE: "Not compared",
}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(comparison: Comparison) -> str:
    """Draw a comparison as a page. About 6 KB and 4 KB a column."""
    columns = ordered(comparison)
    drawn = {distribution.name: distribution for distribution in comparison.distributions}
    places = {column.name: place for place, column in enumerate(comparison.columns)}
    cards = [
        _group(decision, [column for column in columns if column.decision is decision], drawn, places) for decision in _HEADINGS
    ]
    model = title(comparison)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8"/>',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            '<meta name="generator" content="Outrider"/>',
            f"<title>{words_of(comparison.decision)} · {escaped(model)} · {escaped(comparison.data)}</title>",
            '<link rel="icon" href="data:,"/>',
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            _header(comparison, model),
            _links(columns, places),
            _notes(notes(comparison)),
            _legend() if columns else "",
            *cards[:2],
            _together(comparison),
            segments_section(comparison),
            groups_section(comparison),
            *cards[2:],
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(comparison: Comparison, model: str) -> str:
    made = dt.datetime.fromtimestamp(comparison.time_ns // 10**9, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    span = ""
    if comparison.window_end_ns > comparison.window_start_ns:
        span = f", {_day(comparison.window_start_ns)} to {_day(comparison.window_end_ns)}"
    state = f'<span class="state {comparison.decision}">{words_of(comparison.decision)}</span>'
    return (
        f"<header><h1>{escaped(model)}</h1>{state}</header>"
        f'<p class="verdict">{escaped(verdict(comparison))}.</p>'
        f'<p class="facts"><strong>{escaped(comparison.data)}</strong>: {comparison.rows:,} rows{span}, against '
        f"{comparison.training_rows:,} of training. Compared at {made}.</p>"
    )


def _day(time_ns: int) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=time_ns // 10**9)).strftime("%Y-%m-%d")


def _links(columns: Sequence[ColumnReport], places: dict[str, int]) -> str:
    links = [
        f'<a class="{column.decision}" href="#column-{places[column.name]}">{escaped(column.name)}</a>'
        for column in columns
        if column.decision in _LOUD
    ]
    return f'<nav aria-label="Drifted columns">{"".join(links)}</nav>' if len(links) > 1 else ""


def _notes(lines: Sequence[str]) -> str:
    items = "".join(f"<li>{escaped(line[:1].upper() + line[1:])}.</li>" for line in lines)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _legend() -> str:
    return '<p class="legend"><span class="key train"></span>training<span class="key data"></span>the data</p>'


def _group(decision: Decision, columns: Sequence[ColumnReport], drawn: dict[str, Distribution], places: dict[str, int]) -> str:
    if not columns:
        return ""
    heading = f'<h2>{_HEADINGS[decision]} <span class="count">{len(columns):,}</span></h2>'
    cards = [_card(column, drawn.get(column.name), places[column.name]) for column in columns]
    return f'<section class="{decision}">{heading}<div class="cards">{"".join(cards)}</div></section>'


def _card(column: ColumnReport, distribution: Distribution | None, place: int) -> str:
    kind = f"{escaped(column.role)} · {escaped(column.type)}"
    state = f'<span class="state {column.decision}">{words_of(column.decision)}</span>'
    return "".join(
        [
            f'<article id="column-{place}"><div class="head"><h3>{escaped(column.name)}</h3>{state}</div>',
            f'<p class="kind">{kind}</p>',
            _why(column),
            chart(distribution) if distribution is not None else "",
            _facts(column) if column.scores else "",
            _scores(column),
            "</article>",
        ]
    )


def _why(column: ColumnReport) -> str:
    evidence, _, changes = column.reason.partition("; ")
    if not changes:
        evidence, changes = "", evidence
    lines = [("why", changes[:1].upper() + changes[1:]), ("proof", evidence[:1].upper() + evidence[1:])]
    if broken(column):
        lines.append(("proof", f"Broke the schema: {broken(column)}"))
    return "".join(f'<p class="{style}">{escaped(text)}.</p>' for style, text in lines if text)


def _facts(column: ColumnReport) -> str:
    rows: list[tuple[str, str, str]] = []
    for name, before, now in (
        ("mean", column.reference_mean, column.mean),
        ("median", column.reference_median, column.median),
    ):
        if before is not None or now is not None:
            rows.append((name, _number(before), _number(now)))
    rows.append(("missing", _share(column.reference_missing_share), _share(column.missing_share)))
    if column.unseen_share:
        rows.append(("unseen categories", "–", _share(column.unseen_share)))
    rows.append(("rows", f"{column.reference_rows:,}", f"{column.rows:,}"))
    cells = "".join(f'<tr><th scope="row">{name}</th><td>{before}</td><td>{now}</td></tr>' for name, before, now in rows)
    head = '<tr><td></td><th scope="col">training</th><th scope="col">data</th></tr>'
    return f'<table class="facts"><thead>{head}</thead><tbody>{cells}</tbody></table>'


def _scores(column: ColumnReport) -> str:
    if not column.scores:
        return ""
    head = _row("th", ("statistic", "score", "at least", "tolerance", "rows", "state"))
    body = "".join(_score(score) for score in column.scores)
    table = f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"
    return f'<details><summary>{_all(len(column.scores))}</summary><div class="frame">{table}</div></details>'


def _all(scores: int) -> str:
    return f"all {scores} scores" if scores > 1 else "the score"


def _score(score: Score) -> str:
    tolerance = "off" if score.threshold is None else number(score.threshold)
    cells = (score.statistic, number(score.value), number(score.lower), tolerance, f"{score.rows:,}", words_of(score.decision))
    return _row("td", cells, style=score.decision if score.decision in _LOUD else "")


def _row(tag: str, cells: Iterable[str], style: str = "") -> str:
    scope = ' scope="col"' if tag == "th" else ""
    inner = "".join(f"<{tag}{scope}>{escaped(cell)}</{tag}>" for cell in cells)
    return f'<tr class="{style}">{inner}</tr>' if style else f"<tr>{inner}</tr>"


def _together(comparison: Comparison) -> str:
    found = moved(comparison)
    if not found:
        return ""
    items = "".join(f"<li>{escaped(each.reason[:1].upper() + each.reason[1:])}.</li>" for each in found)
    heading = f'<h2>How columns go together <span class="count">{len(found):,}</span></h2>'
    return f'<section class="drifted">{heading}<article><ul class="together">{items}</ul></article></section>'


def _number(value: float | None) -> str:
    return "–" if value is None else number(value)


def _share(value: float | None) -> str:
    return "–" if value is None else share(value)
