"""The page's sections of segments and of groups: a table each, with the reasons below the rows."""

from __future__ import annotations

from collections.abc import Sequence

from agent.compare.comparison import Comparison
from agent.compare.markup import escaped
from agent.compare.parts import GROUP_HEAD, SEGMENT_HEAD, group_cells, groups_of, segment_cells, segments_of
from agent.evaluate.report import Decision

_Line = tuple[tuple[str, ...], Decision, str]
"""Cells, decision, reason."""


def segments_section(comparison: Comparison) -> str:
    """Draw the segments; empty where there are none."""
    lines = [(segment_cells(each), each.decision, each.reason) for each in segments_of(comparison)]
    return _section("Segments", SEGMENT_HEAD, lines, words=(0, 1, 4))


def groups_section(comparison: Comparison) -> str:
    """Draw the groups; empty where there are none."""
    lines = [(group_cells(each), each.decision, each.reason) for each in groups_of(comparison)]
    return _section("Whom the answers favour", GROUP_HEAD, lines, words=(0, 1))


def _section(heading: str, head: Sequence[str], lines: Sequence[_Line], words: Sequence[int]) -> str:
    """Draw a table; `words` are the columns of texts, the others are of numbers."""
    if not lines:
        return ""
    loud = f' class="{Decision.DRIFTED}"' if any(decision is Decision.DRIFTED for _, decision, _ in lines) else ""
    kind = [' class="text"' if place in words else "" for place in range(len(head))]
    names = "".join(f'<th scope="col"{style}>{escaped(name)}</th>' for name, style in zip(head, kind, strict=True))
    body = "".join(_line(line, kind) for line in lines)
    table = f'<table class="parts"><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table>'
    title = f'<h2>{heading} <span class="count">{len(lines):,}</span></h2>'
    return f'<section{loud}>{title}<article><div class="frame">{table}</div></article></section>'


def _line(line: _Line, kind: Sequence[str]) -> str:
    cells, decision, reason = line
    styles = [f' class="text {decision}"' if place == 1 else style for place, style in enumerate(kind)]
    row = "".join(f"<td{style}>{escaped(cell)}</td>" for cell, style in zip(cells, styles, strict=True))
    why = f'<tr class="reason"><td colspan="{len(cells)}"><div>{escaped(_sentence(reason))}</div></td></tr>' if reason else ""
    return f"<tr>{row}</tr>{why}"


def _sentence(reason: str) -> str:
    return reason if reason.endswith(".") else f"{reason}."
