"""One look: rows without time, and how often they repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.batch import Checked
from agent.compare.copies import Copies
from agent.compare.look import Look, settings_of_look
from agent.evaluate.rule import Rule
from agent.profile.schema import Schema, schema_of
from tests.unit.compare.tables import DEFAULTS, profile_of


def numbers(seed: int, rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "y": rng.normal(size=rows)}


def schema() -> Schema:
    known = schema_of(profile_of(numbers(1, 4000)))
    return Schema(known.model, known.version, known.features, known.outputs)  # rows are not scored here


def look(rows: int) -> Look:
    known = schema()
    return Look(known, Copies(known.columns, rows), 100)


def checked(table: dict[str, Any], places: Any) -> Checked:
    return Checked(len(places), tuple(values[places] for values in table.values()), {})


def test_settings_of_a_look_are_one_pane_seen_once() -> None:
    rule = Rule.from_settings(settings_of_look(DEFAULTS, 7))
    assert (rule.looks, rule.consecutive, rule.min_rows, rule.against) == (1.0, 1, 7, ("training",))
    assert rule.level(10) == pytest.approx(rule.alpha / 10)


def test_all_rows_are_one_pane_whenever_they_come() -> None:
    whole, table = look(600), numbers(2, 600)
    for place in range(3):
        whole.update(checked(table, np.arange(200 * place, 200 * place + 200)), now_ns=place * 10**15)
    window = whole.window()
    assert (window.rows, window.starts_ns, window.held) == (600, (0,), (1,))
    assert window.repeats is not None
    assert window.repeats.tolist() == [[600, 600, 600]]


def test_copies_are_told_in_any_order_and_equal_neighbours_alone_are_not() -> None:
    whole = look(1200)
    whole.update(checked(numbers(2, 300), np.tile(np.arange(300), 4)))
    assert whole.repeated == 4.0
    window = whole.window()
    assert window.repeats is not None
    assert window.repeats.tolist() == [[1200, 4800, 300]]


def test_a_segment_repeats_as_its_own_rows_do() -> None:
    whole, table = look(1300), numbers(2, 1000)
    few, many = np.repeat(np.arange(10), 40), np.arange(100, 1000)
    segments = [whole.of_segment(schema()) for _ in range(2)]
    for segment, places in zip(segments, (few, many), strict=True):
        whole.update(checked(table, places))
        segment.update(checked(table, places))
    assert [segment.repeated for segment in segments] == [40.0, 1.0]
    assert 1.0 < whole.repeated < 40.0


def test_a_segment_whose_rows_can_not_be_told_repeats_as_all_do() -> None:
    whole, table = look(900), numbers(2, 300)
    whole.update(checked(table, np.tile(np.arange(300), 3)))
    segment = whole.of_segment(schema())
    segment.update(Checked(50, (np.full(50, np.nan), np.full(50, np.nan)), {}))
    assert segment.repeated == whole.repeated == 3.0


def test_no_rows_are_no_window() -> None:
    window = look(10).window()
    assert (window.rows, window.panes) == (0, None)
    assert window.repeats is not None
    assert window.repeats.shape == (0, 3)
