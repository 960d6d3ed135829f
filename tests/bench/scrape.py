"""What Outrider says of itself at ``/metrics``."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, fields

from prometheus_client.parser import text_string_to_metric_families

from tests.bench.processes import BenchError, Child

READY_TIMEOUT_S = 30.0
SETTLE_TIMEOUT_S = 20.0
_RECORDED = "outrider_exchanges_total"


@dataclass(frozen=True, slots=True)
class Counted:
    """Outrider's own counts since it started.

    Parameters
    ----------
    exchanges
        Ended, as the proxy counts.
    recorded
        Taken in by the monitor.
    tunnels
        Those of them that were connections passed on unseen.
    dropped
        Records that the proxy dropped.
    bodies_left_out
        Records that came without bodies.
    decoded
        Exchanges whose values were read.
    faults
        Errors of Outrider's own, in either process.
    restarts
        How often the monitor was started again.
    """

    exchanges: int
    recorded: int
    tunnels: int
    dropped: int
    bodies_left_out: int
    decoded: int
    faults: int
    restarts: int

    @property
    def tunnels_only(self) -> bool:
        """Whether nothing was followed: what went through is then known in connections, not in calls."""
        return 0 < self.tunnels == self.recorded

    def since(self, before: Counted) -> Counted:
        """Give what was added since `before`."""
        return Counted(**{field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(Counted)})


def read(port: int) -> Counted:
    """Scrape once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != 200:
        raise BenchError(f"/metrics answered {answer.status}")
    sums: dict[str, float] = {}
    tunnels = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
            if sample.name == _RECORDED and sample.labels.get("outcome") == "tunnel":
                tunnels += sample.value

    def total(name: str) -> int:
        return round(sums.get(name, 0.0))

    return Counted(
        exchanges=total("outrider_proxy_exchanges_total"),
        recorded=total(_RECORDED),
        tunnels=round(tunnels),
        dropped=total("outrider_proxy_records_dropped_total"),
        bodies_left_out=total("outrider_proxy_bodies_left_out_total"),
        decoded=total("outrider_decoded_total"),
        faults=total("outrider_faults_total") + total("outrider_proxy_faults_total"),
        restarts=total("outrider_proxy_monitor_restarts_total"),
    )


def wait_until_ready(child: Child, port: int) -> None:
    """Return when the monitor serves ``/metrics``: its start must not fall into the measurement."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while True:
        child.check()
        try:
            read(port)
        except OSError as error:
            if time.monotonic() > deadline:
                raise BenchError(f"the monitor does not serve /metrics after {READY_TIMEOUT_S:g} s: {error}") from error
            time.sleep(0.05)
        else:
            return


def settled(port: int) -> Counted:
    """Wait until the counts, which come about once a second, are the same over two seconds; give them."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    before = read(port)
    while time.monotonic() < deadline:
        time.sleep(2.0)
        after = read(port)
        if after == before:
            return after
        before = after
    return before
