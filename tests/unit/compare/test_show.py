"""A comparison on a terminal."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from rich.console import Console

from agent.compare.comparison import Comparison
from agent.compare.show import show
from tests.unit.compare.tables import compared, houses, profile_of


def shown(found: Comparison, width: int = 160) -> list[str]:
    output = io.StringIO()
    show(found, Console(file=output, width=width))
    return output.getvalue().splitlines()


@pytest.fixture(scope="module")
def found() -> Comparison:
    table = {"[red]\x1b[2J": np.arange(2000.0), **houses(2, 2000), "other": np.zeros(2000)}
    table["area"] = table["area"] + 30
    table["region"] = np.where(np.arange(2000) % 2, "east", table["region"].astype(str)).astype(object)
    del table["rooms"]
    training = {"[red]\x1b[2J": np.arange(2000.0), **houses(1, 2000)}
    return compared(profile_of(training, prediction="price", model_name="houses"), table, name="march.csv")


def test_what_drifted_comes_first_with_its_reason(found: Comparison) -> None:
    lines = shown(found)
    assert lines[0] == "houses · march.csv · 2,000 rows against 2,000 of training"
    assert " columns drifted" in lines[1]
    states = [re.split("  +", line)[1] for line in lines[4 : lines.index("", 4)]]
    assert states == sorted(states, key=["drifted", "ok"].index)
    (reason,) = [line for line in lines[lines.index("", 4) :] if line.startswith("area  ")]
    assert "at least" in reason
    assert "mean 130 instead of 1" in reason or "mean 129 instead of" in reason


def test_names_are_printed_as_they_are_but_without_control_characters(found: Comparison) -> None:
    assert any(line.startswith("[red]\ufffd[2J") for line in shown(found))
    assert not any("\x1b" in line for line in shown(found))


def test_notes_are_at_the_end(found: Comparison) -> None:
    lines = shown(found)
    assert "missing columns, counted as missing values: rooms" in lines
    assert "columns that the profile does not know, not looked at: other" in lines


def test_histograms_of_both_are_side_by_side(found: Comparison) -> None:
    line = next(line for line in shown(found) if line.startswith("region "))
    assert re.search(r"  █▄▃ {10,}▄▂▂█ *$", line), line


@pytest.mark.parametrize("width", [60, 90, 200])
def test_any_width(found: Comparison, width: int) -> None:
    lines = shown(found, width)
    assert max(len(line) for line in lines[3:14]) <= width
    assert ("at least" in lines[3]) == (width > 100)


def test_nothing_drifted_and_nothing_decided() -> None:
    profile = profile_of(houses(1, 500))
    assert shown(compared(profile, houses(1, 500)))[1] == "None of 9 columns drifted"
    assert shown(compared(profile, houses(1, 50)))[1] == "Nothing could be decided: only 50 rows, at least 100 are needed"
