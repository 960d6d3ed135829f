"""However the clock walks and jumps: nothing raises, no row is counted twice, totals only grow, a saved ring goes on alike."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.batch import Checked
from agent.profile.schema import ColumnSchema, Schema
from agent.window.ring import Ring

PANE = 100
SCHEMA = Schema(
    "m",
    "1",
    (
        ColumnSchema("x", "feature", "float", True, None, None, np.array([0.0]), np.array([0]), None, None),
        ColumnSchema("c", "feature", "category", True, None, None, None, None, ("red",), None),
    ),
    (),
)

CLOCK = st.lists(
    st.tuples(st.sampled_from((0, 1, 30, 99, 100, 101, 350, 5000, -1, -99, -100, -450, -9000)), st.integers(0, 3)), max_size=30
)
PANES = st.integers(1, 70)


def rows_of(count: int) -> Checked:
    return Checked(count, (np.arange(count, dtype=np.float64), np.array(["red"] * count, dtype=object)), {})


def total(ring: Ring, column: str) -> int:
    totals = ring.totals()[column]
    return int(totals.counts.sum()) + totals.missing


@given(CLOCK, PANES)
def test_no_row_is_lost_from_the_totals_or_seen_twice(steps: list[tuple[int, int]], panes: int) -> None:
    ring = Ring(SCHEMA, PANE, panes)
    now, seen = 1_000_000, 0
    for step, count in steps:
        now += step
        ring.update(rows_of(count), now)
        seen += count
        ring.rotate(now)
        window = ring.window(now)
        assert total(ring, "x") == total(ring, "c") == seen
        assert window.rows <= seen
        assert window.start_ns <= window.end_ns
        for summary in map(window.summary, range(2)):
            assert summary is not None
            assert summary.rows == window.rows


@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 3)), max_size=30), PANES)
def test_a_clock_that_only_goes_on_gives_the_rows_of_the_window(steps: list[tuple[int, int]], panes: int) -> None:
    ring = Ring(SCHEMA, PANE, panes)
    group = -(-panes // 60)
    now, fed = 1_000_000, []
    for step, count in steps:
        now += step
        ring.update(rows_of(count), now)
        fed.append((now // PANE, count))
        inside = sum(count for pane, count in fed if pane > now // PANE - panes)
        at_most = sum(count for pane, count in fed if pane > now // PANE - panes - group)
        assert inside <= ring.window(now).rows <= (inside if group == 1 else at_most)


@given(CLOCK, CLOCK, PANES)
def test_a_saved_ring_goes_on_alike(before: list[tuple[int, int]], after: list[tuple[int, int]], panes: int) -> None:
    ring = Ring(SCHEMA, PANE, panes)
    now = 1_000_000
    for step, count in before:
        now += step
        ring.update(rows_of(count), now)
    restored = Ring(SCHEMA, PANE, panes)
    restored.restore(ring.to_bytes())
    for step, count in after:
        now += step
        for each in (ring, restored):
            each.update(rows_of(count), now)
        one, other = ring.window(now), restored.window(now)
        assert (one.start_ns, one.end_ns, one.rows) == (other.start_ns, other.end_ns, other.rows)
        assert total(ring, "x") == total(restored, "x")
