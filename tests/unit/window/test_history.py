from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.sketch.frame import Frames
from agent.window.history import DAY_NS, DAYS, History, HistoryWire
from agent.window.layout import Layout
from agent.window.pane import Pane

Batches = Callable[..., Checked]

HOUR = 3600 * 10**9
MINUTE = 60 * 10**9


@pytest.fixture
def layout(schema: Schema) -> Layout:
    return Layout.of(schema)


@pytest.fixture
def frames(schema: Schema, batch: Batches, layout: Layout) -> Callable[[int], Frames]:
    def make(rows: int) -> Frames:
        pane = Pane(schema)
        pane.update(batch(rows))
        return layout.frames(pane.sketches, pane.outside)

    return make


def rows(frames: Frames | None) -> float:
    return 0.0 if frames is None else float(frames.numeric.rows[0])


def test_the_window_before_is_as_long_as_the_window(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, 5 * MINUTE, season=False)
    for minute in range(20):
        history.add(minute * MINUTE, (minute + 1) * MINUTE, frames(10))
        history.forget((minute + 1) * MINUTE)
    assert rows(history.before()) == 50
    history.forget(100 * MINUTE)
    assert history.before() is None


def test_the_same_hour_of_earlier_days_is_taken_by_its_part(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    for hour in range(48):
        history.add(hour * HOUR, (hour + 1) * HOUR, frames(100 if hour % 24 == 9 else 10))
    today = 2 * DAY_NS
    assert rows(history.same_hours(today + 9 * HOUR, today + 10 * HOUR)) == 200
    assert rows(history.same_hours(today + 9 * HOUR + HOUR // 2, today + 10 * HOUR + HOUR // 2)) == pytest.approx(110)
    assert rows(history.same_hours(today + 3 * HOUR, today + 4 * HOUR)) == 20


def test_a_season_is_a_week(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    for day in range(20):
        history.add(day * DAY_NS, day * DAY_NS + HOUR, frames(10))
        history.forget(day * DAY_NS + HOUR)
    assert rows(history.same_hours(20 * DAY_NS, 20 * DAY_NS + HOUR)) == 10 * DAYS


def test_without_a_season_nothing_is_kept_of_earlier_days(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=False)
    history.add(0, HOUR, frames(10))
    assert history.same_hours(DAY_NS, DAY_NS + HOUR) is None


def test_panes_of_one_half_hour_are_added_up(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    for minute in range(120):
        history.add(minute * MINUTE, (minute + 1) * MINUTE, frames(1))
    assert [end - start for start, end, _ in history.to_wire().season] == [HOUR // 2] * 4


def test_it_goes_through_bytes(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    history.add(0, HOUR, frames(40))
    history.add(HOUR, 2 * HOUR, frames(60))
    wire = msgspec.msgpack.decode(msgspec.msgpack.encode(history.to_wire()), type=HistoryWire)
    again = History(layout, HOUR, season=True)
    again.from_wire(wire)
    assert again.to_wire() == history.to_wire()
    found, expected = again.before(), history.before()
    assert found is not None
    assert expected is not None
    np.testing.assert_array_equal(found.numeric.counts, expected.numeric.counts)
    np.testing.assert_array_equal(found.category.counts, expected.category.counts)


def test_a_history_of_other_columns_is_refused(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    history.add(0, HOUR, frames(40))
    broken = HistoryWire([(0, 1, [b"\0" * 8])], [])
    with pytest.raises(OutriderError, match="history is of other columns"):
        history.from_wire(broken)
    assert rows(history.before()) == 40


def test_it_moves_along_with_the_clock(layout: Layout, frames: Callable[[int], Frames]) -> None:
    history = History(layout, HOUR, season=True)
    history.add(0, HOUR, frames(40))
    history.move(-HOUR)
    assert [(start, end) for start, end, _ in history.to_wire().before] == [(-HOUR, 0)]
