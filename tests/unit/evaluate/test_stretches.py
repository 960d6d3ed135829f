"""Which stretches of a window are compared."""

from __future__ import annotations

from agent.evaluate.stretches import stretches

MINUTE = 60 * 10**9


def starts(count: int) -> list[int]:
    return [MINUTE * at for at in range(count)]


def test_single_panes_are_doubled_up_to_all() -> None:
    assert [stretch.taken for stretch in stretches(starts(60), 60 * MINUTE, [1] * 60)] == [1, 2, 4, 8, 16, 32, 60]
    assert [stretch.taken for stretch in stretches(starts(4), 4 * MINUTE, [1] * 4)] == [1, 2, 4]
    assert [stretch.taken for stretch in stretches(starts(1), MINUTE, [1])] == [1]


def test_groups_give_the_next_longer_stretch_and_none_twice() -> None:
    held = [20, 20, 20, 1, 1]
    found = stretches([0, 20 * MINUTE, 40 * MINUTE, 60 * MINUTE, 61 * MINUTE], 62 * MINUTE, held)
    assert [(stretch.taken, stretch.panes) for stretch in found] == [(1, 1), (2, 2), (3, 22), (4, 42), (5, 62)]
    assert [stretch.span_s for stretch in found] == [60, 120, 22 * 60, 42 * 60, 62 * 60]


def test_panes_without_rows_are_no_panes_but_time() -> None:
    newest = stretches([0, 59 * MINUTE], 60 * MINUTE, [1, 1])[-1]
    assert (newest.taken, newest.panes, newest.span_s) == (2, 2, 3600)
