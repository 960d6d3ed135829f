"""Segments and groups for readers: their order and the words of their rows, on a terminal and on the page."""

from __future__ import annotations

import io
from functools import cache
from xml.etree import ElementTree as ET

import msgspec
import pytest
from rich.console import Console

from agent.compare.comparison import Comparison
from agent.compare.page import page
from agent.compare.parts import GROUP_HEAD, SEGMENT_HEAD, group_cells, groups_of, segment_cells, segments_of
from agent.compare.show import show
from agent.evaluate.report import Decision, GapReport, GroupReport
from agent.evaluate.segments import SegmentSummary
from tests.unit.compare.tables import compared, houses, profile_of

EVIL = "region='<b>[red]\x1b'"


def segment(name: str, decision: Decision, reason: str = "", drifted: tuple[str, ...] = ()) -> SegmentSummary:
    column, _, value = name.partition("=")
    return SegmentSummary(name, column, value, decision, reason, 1200, 3400, list(drifted))


def gap(value: float | None, lower: float | None, upper: float | None) -> GapReport:
    return GapReport(value, lower, upper, 0.0, 0.1, Decision.OK, 0, 0.0)


GROUP = GroupReport(
    "region=north", "region", "north", Decision.DRIFTED, "selected 1 %", 1500, 450, 500, 300, 0.3, 0.6,
    gap(-0.3, -0.35, -0.25), gap(0.5, 0.41, None),
)  # fmt: skip
FAULT = GroupReport("town", "town", "", Decision.NO_REFERENCE, "the profile has no column 'town'")


@cache
def comparison() -> Comparison:
    plain = compared(profile_of(houses(1, 1000)), houses(2, 1000), name="march.csv")
    segments = [
        segment("region=west", Decision.OK),
        segment(EVIL, Decision.DRIFTED, "area<: mean 5 instead of 1", ("area<", "rooms", "a", "b", "c", "d", "e")),
        segment("region=north", Decision.INSUFFICIENT, "only 5 rows, at least 100 are needed"),
    ]
    return msgspec.structs.replace(plain, decision=Decision.DRIFTED, segments=segments, groups=[FAULT, GROUP])


def lines_of(found: Comparison, width: int = 160) -> list[str]:
    output = io.StringIO()
    show(found, Console(file=output, width=width))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def tables_of(found: Comparison) -> dict[str, ET.Element]:
    root = ET.fromstring(page(found).removeprefix("<!DOCTYPE html>"))
    sections = [section for section in root.iter("section") if section.find(".//table[@class='parts']") is not None]
    return {section.findtext("h2", "").strip(): section for section in sections}


def cells_of(row: ET.Element) -> list[str]:
    return ["".join(cell.itertext()) for cell in row]


def test_the_most_alarming_come_first() -> None:
    assert [each.decision for each in segments_of(comparison())] == ["drifted", "insufficient", "ok"]
    assert [each.name for each in groups_of(comparison())] == ["region=north", "town"]


def test_a_row_has_a_cell_under_each_head() -> None:
    drifted = segment_cells(segments_of(comparison())[0])
    assert drifted == (EVIL, "drifted", "1,200", "3,400", "area<, rooms, a, b, c and 2 more")
    assert len(drifted) == len(SEGMENT_HEAD)
    assert group_cells(GROUP) == (
        "region=north", "unlike", "30.0 %", "60.0 %", "-0.3", "-0.35 … -0.25", "0.5", "0.41 … ∞", "1,500",
    )  # fmt: skip
    assert group_cells(FAULT) == ("town", "no reference", *"–" * 6, "0")
    assert len(group_cells(FAULT)) == len(GROUP_HEAD)


def test_a_gap_without_an_interval_or_a_value() -> None:
    bare = msgspec.structs.replace(GROUP, difference=gap(-0.3, None, None), ratio=gap(None, None, None))
    assert group_cells(bare)[4:8] == ("-0.3", "–", "–", "–")


def test_terminal_has_both_tables_with_their_reasons() -> None:
    lines = lines_of(comparison())
    start = next(place for place, line in enumerate(lines) if line.startswith("segment "))
    assert lines[start].split() == ["segment", "state", "rows", "in", "training", "drifted", "columns"]
    assert lines[start + 1].startswith("region='<b>[red]\ufffd'  drifted")
    assert "region='<b>[red]\ufffd'  area<: mean 5 instead of 1" in lines
    assert "region=north  only 5 rows, at least 100 are needed" in lines
    assert any(line.startswith("region=north  unlike ") and "-0.35 … -0.25" in line for line in lines)
    assert "region=north  selected 1 %" in lines
    assert [line for line in lines if "the profile has no column" in line] == lines[-1:]
    assert "groups by town can't be watched: the profile has no column 'town'" in lines
    assert "1 of 2 segments drifted; 1 of 1 group unlike the others" in lines[1]


@pytest.mark.parametrize("width", [60, 90, 200])
def test_tables_fit_the_terminal(width: int) -> None:
    lines = lines_of(comparison(), width)
    heads = [place for place, line in enumerate(lines) if line.startswith(("segment ", "group "))]
    assert len(heads) == 2
    for place in heads:
        assert max(len(line) for line in lines[place : lines.index("", place)]) <= width
    assert ("95 %" in lines[heads[1]]) == (width > 100)


def test_page_has_both_sections_with_their_reasons() -> None:
    tables = tables_of(comparison())
    assert list(tables) == ["Segments", "Whom the answers favour"]
    rows = [cells_of(row) for row in tables["Segments"].findall(".//tbody/tr")]
    assert rows[0] == ["region='<b>[red]\ufffd'", "drifted", "1,200", "3,400", "area<, rooms, a, b, c and 2 more"]
    assert rows[1] == ["area<: mean 5 instead of 1."]
    assert rows[-1][:2] == ["region=west", "ok"]
    rows = [cells_of(row) for row in tables["Whom the answers favour"].findall(".//tbody/tr")]
    assert [row[0] for row in rows] == ["region=north", "selected 1 %.", "town", "the profile has no column 'town'."]
    assert rows[0][5] == "-0.35 … -0.25"
    heads = [head for table in tables.values() for head in table.iter("th")]
    assert {head.get("scope") for head in heads} == {"col"}


def test_a_section_is_marked_only_where_something_drifted() -> None:
    calm = msgspec.structs.replace(comparison(), groups=[FAULT])
    assert [table.get("class") for table in tables_of(calm).values()] == ["drifted", None]


def test_no_sections_where_nothing_is_cut() -> None:
    plain = msgspec.structs.replace(comparison(), segments=[], groups=[])
    assert tables_of(plain) == {}
    assert not any(line.startswith(("segment ", "group ")) for line in lines_of(plain))
    assert "segment" not in lines_of(plain)[1]


def test_nothing_decided_of_any_segment_is_said() -> None:
    none = segment("region=north", Decision.INSUFFICIENT, "only 5 rows")
    found = msgspec.structs.replace(comparison(), segments=[none], groups=[])
    assert lines_of(found)[1].endswith("; nothing could be decided of segments")
    assert "only 5 rows" in [line.partition("  ")[2] for line in lines_of(found)]
