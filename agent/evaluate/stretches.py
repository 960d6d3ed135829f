"""The newest stretches of a window, each about twice as long as the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Stretch(NamedTuple):
    """Some of the newest figures of a window.

    Parameters
    ----------
    taken
        How many of them.
    panes
        How many panes these hold; the older ones of a long window are kept in groups.
    span_s
        How far back it reaches, in seconds.
    """

    taken: int
    panes: int
    span_s: float


def stretches(starts_ns: Sequence[int], end_ns: int, panes: Sequence[int]) -> list[Stretch]:
    """Give the newest 1, 2, 4, ... panes and all of them, or the next more that the groups allow.

    A change that began three panes ago is diluted twentyfold in a window of sixty; among the newest four it is not.

    Parameters
    ----------
    starts_ns
        When each pane or group of panes begins, oldest first; at least one.
    end_ns
        When the window ends.
    panes
        How many panes each holds.

    Examples
    --------
    >>> minute = 60 * 10**9
    >>> [stretch.taken for stretch in stretches([minute * at for at in range(60)], 60 * minute, [1] * 60)]
    [1, 2, 4, 8, 16, 32, 60]
    >>> stretches([0, 5 * minute, 10 * minute], 11 * minute, [5, 5, 1])
    [Stretch(taken=1, panes=1, span_s=60.0), Stretch(taken=2, panes=6, span_s=360.0), Stretch(taken=3, panes=11, span_s=660.0)]
    """
    held = np.cumsum(panes[::-1])
    every = int(held[-1])
    wanted = [1 << power for power in range(every.bit_length()) if 1 << power < every]
    taken = sorted({int(np.searchsorted(held, least)) + 1 for least in wanted} | {len(held)})
    return [Stretch(count, int(held[count - 1]), (end_ns - starts_ns[len(starts_ns) - count]) / 1e9) for count in taken]
