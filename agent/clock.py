"""Time, in one place, so that a test can hand in its own.

Durations come from the monotonic clock, moments from the wall clock; both in whole nanoseconds. What needs time takes a
`Now`; nothing below the composition floor calls the clock by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

Now = Callable[[], int]
"""A clock: called with nothing, gives nanoseconds."""

wall_ns: Now = time.time_ns
monotonic_ns: Now = time.monotonic_ns
