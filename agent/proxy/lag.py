"""How late the event loop is: a clock of the kernel's ticks ten times a second, and each tick is answered as the loop gets to it.

libuv's timers count in milliseconds, which is a thousand times too coarse. ``timerfd_create(2)`` gives a file that becomes
readable at the nanosecond; Python offers it from 3.13 on, so it is called through the C library here.
"""

from __future__ import annotations

import asyncio
import ctypes
import os

from agent.clock import Now, monotonic_ns
from agent.proxy.counters import Durations

_INTERVAL_NS = 100_000_000
_CLOCK_MONOTONIC = 1
_NONBLOCK = os.O_NONBLOCK
_AT_A_TIME = 1
"""``TFD_TIMER_ABSTIME``: the first tick is given as a moment, so that it is known."""


class _Spec(ctypes.Structure):
    """``struct itimerspec``: interval and first tick, each in seconds and nanoseconds."""

    _fields_ = [(name, ctypes.c_long) for name in ("interval_s", "interval_ns", "first_s", "first_ns")]


class Lag:
    """Measures from `start` to `stop`.

    Parameters
    ----------
    loop
        The event loop.
    durations
        Where lags are counted.
    now_ns
        The monotonic clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, durations: Durations, now_ns: Now = monotonic_ns) -> None:
        self._loop = loop
        self._durations = durations
        self._now_ns = now_ns
        self._file = -1
        self._due_ns = 0

    def start(self) -> bool:
        """Begin; tell whether the system can do it."""
        library = ctypes.CDLL(None, use_errno=True)
        if not hasattr(library, "timerfd_create"):
            return False
        file = library.timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK | os.O_CLOEXEC)
        if file < 0:
            return False
        self._due_ns = self._now_ns() + _INTERVAL_NS
        spec = _Spec(*divmod(_INTERVAL_NS, 10**9), *divmod(self._due_ns, 10**9))
        if library.timerfd_settime(file, _AT_A_TIME, ctypes.byref(spec), None) != 0:
            os.close(file)
            return False
        self._file = file
        self._loop.add_reader(file, self._tick)
        return True

    def _tick(self) -> None:
        try:
            ticks = int.from_bytes(os.read(self._file, 8), "little")
        except OSError:
            return  # another reading took it
        self.take(ticks)

    def take(self, ticks: int) -> None:
        """Count how late it is. Where the loop stood still over several ticks, the first of them tells for how long."""
        self._durations.add(max(0, self._now_ns() - self._due_ns))
        self._due_ns += ticks * _INTERVAL_NS

    def stop(self) -> None:
        """End."""
        if self._file >= 0:
            self._loop.remove_reader(self._file)
            os.close(self._file)
            self._file = -1
