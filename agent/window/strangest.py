"""The strangest rows of the window, few enough to be read by a person."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.joint.anomaly import TOP

MAX_KEPT = 500
"""Rows that are kept at most: as the window moves on, the next ones must be there to follow."""


class Part(msgspec.Struct, frozen=True):
    """What one column adds to a row's strangeness.

    Parameters
    ----------
    column
        Its name, or that of a distance of the row as a whole.
    probability
        How probable a value as rare as this was in training, in (0, 1].
    """

    column: str
    probability: float


class StrangeRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row.

    Parameters
    ----------
    time_ns
        Wall clock: when its exchange began, or when it was taken in where that is not known.
    score
        About ``-log10`` of the share of training that is as strange.
    parts
        The columns that say most, strongest first.
    id
        Of the exchange, if it bears one.
    trace
        The trace that the exchange belongs to, 32 hexadecimal digits, if it was sampled.
    values
        By feature; only where ``OUTRIDER_KEEP_ROWS`` is on.
    """

    time_ns: int
    score: float
    parts: list[Part]
    id: str = ""
    trace: str = ""
    values: dict[str, float | str | None] | None = None


class Strangest:
    """Keeps the strangest rows of the last stretch of time.

    A row is kept while fewer than `TOP` newer ones are as strange: those are the only ones that can ever be shown again.

    Parameters
    ----------
    window_ns
        How long a row is kept.
    """

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._kept: list[tuple[int, StrangeRow]] = []
        """With the time at which each was taken in, oldest first."""

    def update(self, rows: Sequence[StrangeRow], now_ns: int) -> None:
        """Add the strangest rows of a batch, strangest first.

        Parameters
        ----------
        rows
            At most `TOP` of them matter.
        now_ns
            Wall clock.
        """
        # The strangest counts as the newest, so that none of a batch pushes out a stranger one.
        self._kept += [(now_ns, row) for row in reversed(rows[:TOP])]
        self._prune(now_ns)

    def result(self, now_ns: int) -> list[StrangeRow]:
        """Give at most `TOP` rows, the strangest first; empty where the window has none."""
        self._prune(now_ns)
        return sorted((row for _, row in self._kept), key=lambda row: -row.score)[:TOP]

    def _prune(self, now_ns: int) -> None:
        kept: list[tuple[int, StrangeRow]] = []
        top: list[float] = []
        for item in reversed(self._kept):
            taken_ns, row = item
            if not now_ns - self._window_ns < taken_ns <= now_ns + self._window_ns:  # the clock may have been set back
                continue
            if len(top) < TOP or row.score > top[0]:
                kept.append(item)
                top = sorted((*top, row.score))[-TOP:]
        if len(kept) > MAX_KEPT:
            lowest = sorted(row.score for _, row in kept)[-MAX_KEPT]
            kept = [item for item in kept if item[1].score >= lowest][:MAX_KEPT]
        self._kept = kept[::-1]
