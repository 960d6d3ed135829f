"""The proxy's own counters: plain integers, read once a second."""

from __future__ import annotations

import os
import resource
import time

from agent.exchange import DOUBLINGS, ProxyStats


class Durations:
    """Counts of durations in buckets that double, as `agent.exchange.ProxyStats` describes them."""

    __slots__ = ("counts", "sum_ns")

    def __init__(self) -> None:
        self.counts = [0] * _ALL_DOUBLINGS
        self.sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count a duration, not negative."""
        self.sum_ns += duration_ns
        self.counts[(duration_ns >> 10).bit_length()] += 1

    def buckets(self) -> tuple[int, ...]:
        """Give the counts with the longest durations in one bucket."""
        last = DOUBLINGS - 1
        return (*self.counts[:last], sum(self.counts[last:]))


_ALL_DOUBLINGS = 64
"""What 64 bits hold: no duration needs to be compared with a limit."""


class Counters:
    """Mutable twin of `agent.exchange.ProxyStats`, whose documentation tells what each one counts."""

    __slots__ = (
        "accepted",
        "bodies_left_out",
        "connections",
        "connections_idle",
        "connections_refused",
        "exchanges",
        "faults",
        "handshakes_failed",
        "held",
        "lag",
        "lost_away",
        "lost_died",
        "lost_full",
        "monitor_restarts",
        "refused",
        "unreachable",
        "upstreams",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.accepted = 0
        self.exchanges = 0
        self.lost_full = 0
        self.lost_away = 0
        self.lost_died = 0
        self.bodies_left_out = 0
        self.unreachable = 0
        self.refused = 0
        self.connections_refused = 0
        self.connections_idle = 0
        self.faults = 0
        self.handshakes_failed = 0
        self.upstreams: dict[str, bool] = {}
        self.monitor_restarts = 0
        self.held = Durations()
        self.lag = Durations()

    @property
    def records_dropped(self) -> int:
        """All records that were lost, whatever the reason."""
        return self.lost_full + self.lost_away + self.lost_died

    def stats(self, active_requests: int = 0, tap_bytes: int = 0) -> ProxyStats:
        """Freeze the counters, with the memory and CPU time of this process."""
        return ProxyStats(
            connections=self.connections,
            active_requests=active_requests,
            accepted=self.accepted,
            exchanges=self.exchanges,
            lost_full=self.lost_full,
            lost_away=self.lost_away,
            lost_died=self.lost_died,
            bodies_left_out=self.bodies_left_out,
            unreachable=self.unreachable,
            refused=self.refused,
            connections_refused=self.connections_refused,
            connections_idle=self.connections_idle,
            faults=self.faults,
            monitor_restarts=self.monitor_restarts,
            tap_bytes=tap_bytes,
            rss_bytes=_rss_bytes(),
            cpu_ns=time.process_time_ns(),
            held=self.held.buckets(),
            held_ns=self.held.sum_ns,
            lag=self.lag.buckets(),
            lag_ns=self.lag.sum_ns,
            handshakes_failed=self.handshakes_failed,
            upstreams=tuple((upstream, int(ready)) for upstream, ready in self.upstreams.items()),
        )


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - a system file, read once a second on the event loop
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except OSError:  # not Linux: the peak is the best there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
