"""The page: well-formed, self-contained, and all of the comparison on it."""

from __future__ import annotations

import re
from functools import cache
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest

from agent.compare.comparison import Comparison
from agent.compare.page import page
from tests.unit.compare.tables import Table, compared, houses, profile_of

EVIL = '<script>alert("1")</script>'


def with_evil(table: Table) -> Table:
    region = np.where(table["region"] == "west", EVIL, table["region"])
    return {EVIL: table.pop("area"), **table, "region": region, "row\x00": table["rooms"]}


@cache
def comparison() -> Comparison:
    table = with_evil(houses(2, 2000))
    table[EVIL] = table[EVIL] + 30
    del table["price"], table["garden"]
    table["z<x>"] = table["rooms"]
    return compared(profile_of(with_evil(houses(1, 2000)), prediction="price", model_name="h<b>"), table, name="<data>")


def root_of(found: Comparison) -> ET.Element:
    return ET.fromstring(page(found).removeprefix("<!DOCTYPE html>"))


def text_of(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def test_page_is_well_formed_and_names_are_text() -> None:
    root = root_of(comparison())
    assert list(root.iter("script")) == []
    (card,) = [article for article in root.iter("article") if article.findtext(".//h3") == EVIL]
    assert card.findtext(".//span") == "drifted"
    assert root.findtext(".//h1") == "h<b>"
    page(comparison()).encode("utf-8")


def test_page_needs_nothing_from_outside() -> None:
    drawn = page(comparison())
    assert re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?([^\"')\s>]+)", drawn) == re.findall(
        r'href="(data:,|#column-\d+)"', drawn
    )
    assert "http" not in drawn.replace("http-equiv", "")
    assert "@import" not in drawn


def test_every_column_has_a_card_with_its_scores() -> None:
    root = root_of(comparison())
    cards = {article.findtext(".//h3"): article for article in root.iter("article") if article.find(".//h3") is not None}
    columns = {column.name.replace("\x00", "\ufffd"): column for column in comparison().columns}
    assert cards.keys() == columns.keys()
    for name, column in columns.items():
        assert len(cards[name].findall(".//details//tbody/tr")) == len(column.scores)
        assert len(cards[name].findall(".//svg")) == (1 if column.reference_rows else 0)


def test_drifted_columns_come_first_and_are_linked() -> None:
    root = root_of(comparison())
    headings = [text_of(heading) for heading in root.iter("h2")]
    assert headings[0].startswith("Drifted")
    assert headings.index("Not enough to decide 1") < next(
        i for i, text in enumerate(headings) if text.startswith("As in training")
    )
    ids = {article.get("id") for article in root.iter("article")}
    links = [link.get("href", "") for link in root.findall(".//nav/a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= ids


def test_reader_is_told_what_is_missing() -> None:
    text = text_of(root_of(comparison()))
    assert "Missing columns, counted as missing values: garden." in text
    assert "Not in the data, so not compared: price." in text
    assert "Columns that the profile does not know, not looked at: z<x>." in text
    assert "<data>: 2,000 rows, against 2,000 of training." in text


@pytest.mark.parametrize("tag", ["th", "svg"])
def test_tables_and_charts_are_told_to_those_who_do_not_see_them(tag: str) -> None:
    found = list(root_of(comparison()).iter(tag))
    assert found
    assert all(element.get("scope") if tag == "th" else element.get("role") == "img" for element in found)
    assert all(element.get("aria-label") for element in found if tag == "svg")


def test_what_moved_together_is_said() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 3000))
    found = compared(profile_of({"x<": x, "y": x + 0.2 * y}), {"x<": x, "y": rng.permutation(x + 0.2 * y)})
    text = text_of(root_of(found))
    assert "but how columns go together changed." in text or "and how columns go together changed." in text
    assert "correlation of x< and y" in text.lower()


def test_span_of_the_data_is_shown() -> None:
    found = msgspec.structs.replace(comparison(), window_start_ns=0, window_end_ns=86_400 * 10**9)
    assert "2,000 rows, 1970-01-01 to 1970-01-02, against" in text_of(root_of(found))


def test_nothing_drifted() -> None:
    found = compared(profile_of(houses(1, 500)), houses(1, 500))
    text = text_of(root_of(found))
    assert "None of 9 columns drifted." in text
    assert "Drifted" not in [text_of(heading).split()[0] for heading in root_of(found).iter("h2")]
