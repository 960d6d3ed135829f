"""SVG of a column: well-formed, with all that is to be seen in it, and nothing of what a name might smuggle in."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.compare.charts import TOP_CATEGORIES, category_rows, chart, ticks
from agent.compare.comparison import Bars, Distribution

EVIL = '<script>alert("1")</script>&\x00\ud800]]>'


def listed(categories: list[str], before: list[int], now: list[int], unseen: int = 0, unlisted: int = 0) -> Distribution:
    return Distribution("c", now, before, categories=categories, unseen=unseen, reference_unseen=unlisted)


def binned(edges: list[float], shares: list[float], reference: list[float], name: str = "x") -> Distribution:
    return Distribution(name, [], [], bars=Bars(edges, shares, reference))


def test_a_histogram_has_both_outlines_to_scale() -> None:
    root = ET.fromstring(chart(binned([0.0, 1.0, 2.0], [0.25, 0.75], [1.0, 0.0])))
    outlines = {path.get("class"): path.get("d") for path in root.iter("path")}
    assert outlines == {
        "train": "M0.0 122.0V8.0H240.0V122.0H480.0V122.0",
        "data": "M0.0 122.0V93.5H240.0V36.5H480.0V122.0",
    }
    assert [text.text for text in root.iter("text")] == ["0", "0.5", "1", "1.5", "2"]
    assert root.get("aria-label") == "Histogram of x from 0 to 2: training filled, the data as a line."


def test_a_sample_without_values_is_not_drawn() -> None:
    root = ET.fromstring(chart(binned([0.0, 1.0], [0.0], [1.0])))
    assert [path.get("class") for path in root.iter("path")] == ["train"]


@given(st.text(), st.lists(st.text(), max_size=4))
def test_any_names_give_well_formed_xml(name: str, categories: list[str]) -> None:
    ET.fromstring(chart(binned([0.0, 1.0], [1.0], [1.0], name)))
    counts = [1] * len(categories)
    drawn = chart(Distribution(name, counts, counts, categories=categories, unseen=1))
    root = ET.fromstring(drawn)
    assert {element.tag for element in root.iter()} == {"svg", "g", "title", "text", "rect"}


def test_names_are_text_and_nothing_else() -> None:
    drawn = chart(listed([EVIL], [1], [1]))
    assert "<script" not in drawn
    (group,) = ET.fromstring(drawn).iter("g")
    assert group.findtext("title") == '<script>alert("1")</script>&\ufffd\ufffd]]>: 100 % in training, 100 % in the data'


def test_categories_are_bars_of_their_shares() -> None:
    root = ET.fromstring(chart(listed(["a", ""], [80, 20], [10, 40], unseen=50)))
    said = [text.text for text in root.iter("text")]
    assert said == ["a", "80 % → 10 %", "(empty)", "20 % → 40 %", "never seen before", "0 % → 50 %"]
    widths = [float(rect.get("width", "")) for rect in root.iter("rect")]
    assert widths == pytest.approx([210.0, 26.2, 52.5, 105.0, 0.0, 131.2], abs=0.1)


def test_the_largest_categories_of_either_are_shown_and_the_others_as_one() -> None:
    names = [f"c{place}" for place in range(50)]
    before, now = [100 - place for place in range(50)], [0] * 49 + [10]
    rows = category_rows(listed(names, before, now))
    assert len(rows) == TOP_CATEGORIES + 1
    assert rows[0][0] == "c49"
    assert rows[-1][0] == "30 others"
    assert sum(row[1] for row in rows) == pytest.approx(1.0)
    ET.fromstring(chart(listed(names, before, now)))


def test_rare_categories_of_training_are_not_called_new() -> None:
    rows = category_rows(listed(["a"], [90], [90], unseen=10, unlisted=10))
    assert rows[-1][0] == "unlisted"


def test_nothing_to_draw() -> None:
    assert chart(listed([], [], [])) == ""
    ET.fromstring(chart(listed(["a"], [0], [0])))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_ticks_are_few_and_inside(one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high)
    slack = abs(high / 1e6 - low / 1e6) + 5e-324
    assert 1 <= len(found) <= 11
    assert all(low - slack <= tick <= high + slack for tick in found)


@pytest.mark.parametrize("edges", [[0.0, 5e-324], [-1.7e308, 1.7e308], [1e300, 2e300], [1.0, 1.0 + 2**-52], [-1e-9, 1e-9]])
def test_extreme_edges(edges: list[float]) -> None:
    drawn = chart(binned(edges, [1.0], [1.0]))
    ET.fromstring(drawn)
    assert not re.search(r"\b(nan|inf)\b", drawn)


def test_numbers_that_are_all_missing_have_no_chart() -> None:
    assert chart(Distribution(name="x", counts=[0], reference_counts=[0], missing=300, reference_missing=300)) == ""
