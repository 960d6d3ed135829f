"""The proxy's own counters: plain integers, read once a second."""

from __future__ import annotations

import os
import resource
import time

from agent.exchange import ProxyStats


class Counters:
    """Mutable twin of `agent.exchange.ProxyStats`, whose documentation tells what each one counts."""

    __slots__ = (
        "accepted",
        "bodies_left_out",
        "connections",
        "exchanges",
        "faults",
        "monitor_restarts",
        "records_dropped",
        "refused",
        "unreachable",
    )

    def __init__(self) -> None:
        self.connections = 0
        self.accepted = 0
        self.exchanges = 0
        self.records_dropped = 0
        self.bodies_left_out = 0
        self.unreachable = 0
        self.refused = 0
        self.faults = 0
        self.monitor_restarts = 0

    def stats(self, active_requests: int = 0) -> ProxyStats:
        """Freeze the counters, with the memory and CPU time of this process."""
        return ProxyStats(
            connections=self.connections,
            active_requests=active_requests,
            accepted=self.accepted,
            exchanges=self.exchanges,
            records_dropped=self.records_dropped,
            bodies_left_out=self.bodies_left_out,
            unreachable=self.unreachable,
            refused=self.refused,
            faults=self.faults,
            monitor_restarts=self.monitor_restarts,
            rss_bytes=_rss_bytes(),
            cpu_ns=time.process_time_ns(),
        )


def _rss_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - a system file, read once a second on the event loop
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except OSError:  # not Linux: the peak is the best there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
