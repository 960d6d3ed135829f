"""The printed profile."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.show import WIDTH, bars, histogram, show


@pytest.fixture(scope="module")
def profile() -> Profile:
    rng = np.random.default_rng(1)
    x = rng.normal(size=1000)
    return build(
        {
            "x": np.where(rng.random(1000) < 0.1, np.nan, x),
            "[bold]odd[/bold] name": ["u", "v", "v", ""] * 250,
            "many": [f"c{i % 30}" for i in range(1000)],
            "nothing": [None] * 1000,
            "when": np.datetime64("2024-01-01") + np.arange(1000),
            "p": 2 * x,
            "y": 2 * x + 0.1,
        },
        prediction="p",
        label="y",
        model_name="credit",
        model_version="3",
    )


def printed(profile: Profile, width: int) -> str:
    stream = io.StringIO()
    show(profile, Console(file=stream, width=width))
    return stream.getvalue()


def test_wide_output_has_everything(profile: Profile) -> None:
    text = printed(profile, 160)
    assert text.startswith("credit 3 · regression · 1,000 rows · 7 columns\n")
    assert "mae 0.1 (1,000 rows)" in text
    assert "[bold]odd[/bold] name" in text
    assert "v 50%, (empty) 25%, u 25%" in text
    assert "26 more" in text
    assert "no values" in text
    assert "±" in text
    assert "prediction" in text


def test_rows_as_wholes_are_described_where_they_are_scored(profile: Profile) -> None:
    assert "rows: scored by 4 features; " in printed(profile, 160)
    assert "rows: scored" not in printed(build({"a": [1.0, 2.0], "b": [1.0, 3.0]}), 160)


@pytest.mark.parametrize("width", [40, 60, 80, 99, 100, 120])
def test_table_fits_the_terminal(width: int, profile: Profile) -> None:
    table = printed(profile, width).split("\n")[1:9]
    assert max(map(len, table)) <= width
    assert all(line[:1].strip() for line in table)


def test_histogram_of_a_normal_is_a_hill(profile: Profile) -> None:
    drawn = histogram(profile.columns[0])
    assert len(drawn) == WIDTH
    assert drawn.index("█") in range(5, 11)
    assert drawn[0] in "▁▂▃"


def test_histogram_of_odd_columns() -> None:
    columns = build({"c": [5.5, 5.5], "n": [None, None], "t": ["a", "b"], "u": np.arange(2) * 1e308}).columns
    assert histogram(columns[0])
    assert [histogram(column) for column in columns[1:3]] == ["", ""]
    assert len(histogram(columns[3])) == WIDTH


@pytest.mark.parametrize("heights", [[1.0, math.nan], [math.inf, 1.0], [0.0, 0.0], []])
def test_heights_that_can_not_be_drawn(heights: list[float]) -> None:
    assert bars(heights) == ""


@pytest.mark.parametrize("scale", [1e-310, 1.0, 4e307])
def test_histograms_at_the_ends_of_the_doubles(scale: float) -> None:
    values = np.random.default_rng(1).normal(size=2000).clip(-4, 4) * scale
    with np.errstate(all="ignore"):
        (column,) = build({"x": values}).columns
    drawn = histogram(column)
    assert len(drawn) == WIDTH
    assert "█" in drawn[4:12]
