"""Selections: exact counts by group, merged like one, as bytes and back, and panes of a window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import OutriderError
from agent.window.selection import Selection, Selections

SIZES = (2, 1)
SECOND = 10**9

row = st.tuples(st.integers(-1, 2), st.integers(-1, 1), st.booleans(), st.booleans())


def arguments(rows: list[tuple[int, int, bool, bool]]) -> tuple[Any, Any, Any]:
    first, second, answered, selected = (np.array([each[place] for each in rows]) for place in range(4))
    kinds = (np.int64, np.int64, np.bool_, np.bool_)
    first, second, answered, selected = (a.astype(k) for a, k in zip((first, second, answered, selected), kinds, strict=True))
    return [first, second], answered, selected


def of(rows: list[tuple[int, int, bool, bool]]) -> Selection:
    selection = Selection(SIZES)
    selection.update(*arguments(rows))
    return selection


@given(st.lists(row, max_size=30))
def test_counts_are_those_of_the_rows(rows: list[tuple[int, int, bool, bool]]) -> None:
    result = of(rows).result()
    assert result.shape == (3, 2, 2)
    for place, (grouping, group) in enumerate(((0, 0), (0, 1), (1, 0))):
        mine = [each for each in rows if each[grouping] == group and each[2]]
        others = [each for each in rows if each[grouping] not in (group, -1) and each[2]]
        expected = [[len(part), sum(each[3] for each in part)] for part in (mine, others)]
        assert result[place].tolist() == expected


@given(st.lists(row, max_size=20), st.lists(row, max_size=20))
def test_merged_is_sequential(first: list[tuple[int, int, bool, bool]], second: list[tuple[int, int, bool, bool]]) -> None:
    merged = of(first)
    merged.merge(of(second))
    assert merged.to_bytes() == of(first + second).to_bytes()


@given(st.lists(row, max_size=20))
def test_bytes_bring_it_back(rows: list[tuple[int, int, bool, bool]]) -> None:
    selection = of(rows)
    assert Selection.from_bytes(selection.to_bytes(), SIZES).result().tolist() == selection.result().tolist()


def test_a_grouping_that_was_not_sent_is_unknown() -> None:
    selection = Selection(SIZES)
    selection.update([None, np.array([0])], np.array([True]), np.array([True]))
    assert selection.result().tolist() == [[[0, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 1], [0, 0]]]


@pytest.mark.parametrize("data", [b"", b"x", Selection((1,)).to_bytes()])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(OutriderError, match="selection"):
        Selection.from_bytes(data, SIZES)


def test_other_groups_do_not_merge() -> None:
    with pytest.raises(OutriderError, match="different groups"):
        Selection((1,)).merge(Selection((2,)))


def fed(ring: Selections, at: float, count: int = 1) -> None:
    ring.update([np.zeros(count, dtype=np.int64)], np.ones(count, dtype=bool), np.ones(count, dtype=bool), round(at * SECOND))


def answered(ring: Selections, at: float) -> list[int]:
    found: list[int] = ring.window(round(at * SECOND)).counts[:, 0, 0, 0].tolist()
    return found


def test_panes_are_kept_apart_and_leave_the_window() -> None:
    ring = Selections((1,), SECOND, 3)
    for second in range(5):
        fed(ring, second + 0.5, second + 1)
    assert answered(ring, 4.9) == [3, 4, 5]
    assert answered(ring, 6.0) == [5]
    assert answered(ring, 9.0) == []
    assert ring.window(9 * SECOND)[1].shape == (0, 1, 2, 2)


def test_a_clock_that_goes_back_keeps_the_window() -> None:
    ring = Selections((1,), SECOND, 3)
    fed(ring, 100.0)
    fed(ring, 101.0, 2)
    fed(ring, 100.5, 3)
    assert answered(ring, 101.5) == [1, 5]
    fed(ring, 50.0, 4)
    assert answered(ring, 50.5) == [1, 9]
    assert ring.window(50 * SECOND)[0] == [49 * SECOND, 50 * SECOND]


def test_a_window_is_brought_back() -> None:
    ring = Selections((1,), SECOND, 3)
    fed(ring, 1.0, 2)
    fed(ring, 2.0, 3)
    other = Selections((1,), SECOND, 3)
    other.restore(ring.to_bytes())
    assert answered(other, 2.5) == [2, 3]


@pytest.mark.parametrize("other", [Selections((1,), 2 * SECOND, 3), Selections((2,), SECOND, 3)])
def test_a_window_of_other_panes_or_groups_is_refused(other: Selections) -> None:
    ring = Selections((1,), SECOND, 3)
    fed(ring, 1.0)
    with pytest.raises(OutriderError, match=r"panes are|expected"):
        other.restore(ring.to_bytes())
    assert answered(other, 1.0) == []


def repeated(ring: Selections, at: float, values: list[float]) -> None:
    some = np.ones(len(values), dtype=bool)
    ring.update([np.zeros(len(values), dtype=np.int64)], some, some, round(at * SECOND), [np.array(values)])


def test_runs_of_equal_rows_go_on_over_panes_and_are_brought_back() -> None:
    ring = Selections((1,), SECOND, 3, (0,))
    repeated(ring, 1.0, [1.0, 2.0, 2.0])
    repeated(ring, 2.0, [2.0, 3.0])
    assert ring.window(2 * SECOND).repeats.tolist() == [[3, 5, 2], [2, 6, 1]]
    other = Selections((1,), SECOND, 3, (0,))
    other.restore(ring.to_bytes())
    assert other.window(2 * SECOND).repeats.tolist() == [[3, 5, 2], [2, 6, 1]]
