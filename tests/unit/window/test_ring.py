from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.sketch.summary import CategorySummary, NumericSummary
from agent.window.pane import Pane
from agent.window.ring import RECENT, SLOTS, Ring

Batches = Callable[..., Checked]

MINUTE = 60 * 10**9
NOON = 1_700_000_000 * 10**9 // MINUTE * MINUTE


@pytest.fixture
def ring(schema: Schema) -> Ring:
    return Ring(schema, MINUTE, 5)


def total_rows(ring: Ring) -> int:
    x = ring.totals()["x"]
    return int(x.counts.sum()) + x.missing


def test_panes_end_on_whole_minutes(ring: Ring, batch: Batches) -> None:
    ring.update(batch(10), NOON + MINUTE // 2)
    assert not ring.rotate(NOON + MINUTE - 1)
    assert ring.rotate(NOON + MINUTE)
    assert not ring.rotate(NOON + MINUTE)
    assert ring.window(NOON + MINUTE).start_ns == NOON


def test_rotate_tells_of_a_pane_that_update_closed(ring: Ring, batch: Batches) -> None:
    ring.update(batch(10), NOON)
    ring.update(batch(10), NOON + MINUTE)
    assert ring.rotate(NOON + MINUTE + 1)
    assert not ring.rotate(NOON + MINUTE + 2)


def test_a_window_is_the_merge_of_its_panes(ring: Ring, schema: Schema, batch: Batches) -> None:
    whole = Pane(schema)
    for minute in range(5):
        for part in range(3):
            piece = batch(400, seed=10 * minute + part)
            ring.update(piece, NOON + minute * MINUTE + part)
            whole.update(piece)
    window = ring.window(NOON + 5 * MINUTE - 1)
    assert (window.start_ns, window.end_ns, window.rows) == (NOON, NOON + 5 * MINUTE - 1, 6000)
    for got, sketch in zip(map(window.summary, range(4)), whole.sketches, strict=True):
        expected = None if sketch is None else sketch.result()
        if isinstance(expected, NumericSummary):
            assert isinstance(got, NumericSummary)
            assert got.bin_counts.tolist() == expected.bin_counts.tolist()
            assert (got.rows, got.missing, got.minimum) == (expected.rows, expected.missing, expected.minimum)
            assert (got.mean, got.variance) == pytest.approx((expected.mean, expected.variance))
            assert got.weights.sum() == expected.count
        elif isinstance(expected, CategorySummary):
            assert isinstance(got, CategorySummary)
            assert (got.counts.tolist(), got.unseen) == (expected.counts.tolist(), expected.unseen)
        else:
            assert got is None


def test_old_panes_leave_the_window(ring: Ring, batch: Batches) -> None:
    rows = []
    for minute in range(9):
        ring.update(batch(100), NOON + minute * MINUTE)
        rows.append(ring.window(NOON + minute * MINUTE).rows)
    assert rows == [100, 200, 300, 400, 500, 500, 500, 500, 500]
    assert ring.window(NOON + 8 * MINUTE).start_ns == NOON + 4 * MINUTE
    assert ring.window(NOON + 10 * MINUTE).rows == 300
    assert ring.window(NOON + 99 * MINUTE).rows == 0


def test_asking_twice_gives_the_same(ring: Ring, batch: Batches) -> None:
    for minute in range(3):
        ring.update(batch(1000), NOON + minute * MINUTE)
    first, second = ring.window(NOON + 2 * MINUTE), ring.window(NOON + 2 * MINUTE)
    assert first.rows == second.rows == 3000
    x, again = first.summary(0), second.summary(0)
    assert x is not None
    assert again is not None
    assert x.rows == again.rows == 3000


def test_an_empty_ring_has_an_empty_window(ring: Ring) -> None:
    window = ring.window(NOON)
    assert (window.start_ns, window.end_ns, window.rows) == (NOON, NOON, 0)
    assert [summary.rows for summary in map(window.summary, range(4)) if summary is not None] == [0, 0, 0]
    assert total_rows(ring) == 0


def test_a_window_of_one_pane_is_the_current_pane(schema: Schema, batch: Batches) -> None:
    ring = Ring(schema, MINUTE, 1)
    ring.update(batch(10), NOON)
    assert ring.window(NOON + MINUTE - 1).rows == 10
    assert ring.window(NOON + MINUTE).rows == 0


def test_totals_never_decrease_and_outlive_the_window(ring: Ring, batch: Batches) -> None:
    before, rows = 0, 0
    for minute in range(20):
        ring.update(batch(100, seed=minute), NOON + minute * MINUTE)
        rows += 100
        ring.rotate(NOON + (minute + 1) * MINUTE)
        assert before <= total_rows(ring) == rows
        before = total_rows(ring)


def test_totals_have_the_bins_labels(ring: Ring, batch: Batches) -> None:
    ring.update(batch(1000), NOON)
    totals = ring.totals()
    assert list(totals) == ["x", "colour", "y"]
    assert totals["x"].labels == ("-2.0", "-1.5", "-1.0", "-0.5", "0.0", "0.5", "1.0", "1.5", "2.0", "+Inf")
    assert totals["x"].missing == 200
    assert totals["colour"].labels == ("red", "green", "_unseen")
    summary = ring.window(NOON).summary(1)
    assert isinstance(summary, CategorySummary)
    assert totals["colour"].counts.tolist() == [*summary.counts.tolist(), summary.unseen]
    assert totals["y"].labels == ("0.5", "+Inf")


def test_totals_that_were_handed_out_do_not_change(ring: Ring, batch: Batches) -> None:
    ring.update(batch(100), NOON)
    handed_out = ring.totals()["x"].counts.copy()
    totals = ring.totals()["x"]
    ring.update(batch(100), NOON)
    ring.rotate(NOON + MINUTE)
    assert np.array_equal(totals.counts, handed_out)


def test_a_clock_a_little_behind_goes_on_in_the_current_pane(ring: Ring, batch: Batches) -> None:
    ring.update(batch(10), NOON)
    ring.update(batch(10), NOON + MINUTE)
    ring.update(batch(10), NOON + MINUTE - 1)
    assert ring.rotate(NOON + MINUTE - 1)
    assert not ring.rotate(NOON + MINUTE - 1)
    assert ring.window(NOON + MINUTE + 1).rows == 30
    assert total_rows(ring) == 30


def test_a_clock_far_behind_moves_the_panes_along(ring: Ring, batch: Batches) -> None:
    day = 24 * 60 * MINUTE
    for minute in range(5):
        ring.update(batch(100), NOON + minute * MINUTE)
    window = ring.window(NOON - day)
    assert window.rows == 500
    assert window.start_ns <= window.end_ns == NOON - day
    rows = []
    for minute in range(1, 8):
        ring.update(batch(10), NOON - day + minute * MINUTE)
        rows.append(ring.window(NOON - day + minute * MINUTE).rows)
    assert rows == [410, 320, 230, 140, 50, 50, 50]
    assert total_rows(ring) == 570


def test_a_clock_far_ahead_drops_what_is_old(ring: Ring, batch: Batches) -> None:
    ring.update(batch(100), NOON)
    ring.update(batch(10), NOON + 1000 * MINUTE)
    assert ring.window(NOON + 1000 * MINUTE).rows == 10
    assert total_rows(ring) == 110


def test_a_long_window_keeps_its_old_panes_in_groups(schema: Schema, batch: Batches) -> None:
    panes = 10 * SLOTS
    ring = Ring(schema, MINUTE, panes)
    for minute in range(2 * panes):
        ring.update(batch(10, seed=minute), NOON + minute * MINUTE)
    assert len(ring._slots) <= SLOTS + 2
    window = ring.window(NOON + (2 * panes - 1) * MINUTE)
    assert 10 * panes <= window.rows < 10 * (panes + max(window.held))
    assert (window.end_ns - window.start_ns) // MINUTE == window.rows // 10 - 1
    assert total_rows(ring) == 20 * panes


def test_the_newest_panes_of_a_long_window_stay_single(schema: Schema, batch: Batches) -> None:
    panes = 10 * SLOTS
    ring = Ring(schema, MINUTE, panes)
    for minute in range(2 * panes):
        ring.update(batch(10, seed=minute), NOON + minute * MINUTE)
    window = ring.window(NOON + (2 * panes - 1) * MINUTE)
    assert window.held[-RECENT:] == (1,) * RECENT
    assert min(window.held[1 : -RECENT - 1]) > 1
    assert window.panes is not None
    assert (10 * np.array(window.held)).tolist() == window.panes.numeric.rows[:, 0].tolist()
    starts = [NOON // MINUTE + 2 * panes - sum(window.held[at:]) for at in range(len(window.held))]
    assert [start_ns // MINUTE for start_ns in window.starts_ns] == starts


def test_empty_panes_take_no_room(ring: Ring, batch: Batches) -> None:
    ring.update(batch(10), NOON)
    for minute in range(1, 5):
        ring.rotate(NOON + minute * MINUTE)
    assert len(ring._slots) == 1
    assert ring.window(NOON + 4 * MINUTE).rows == 10


@pytest.mark.parametrize(("pane_ns", "panes"), [(0, 1), (1, 0)])
def test_a_ring_without_panes_is_refused(schema: Schema, pane_ns: int, panes: int) -> None:
    with pytest.raises(OutriderError, match="at least one pane"):
        Ring(schema, pane_ns, panes)
