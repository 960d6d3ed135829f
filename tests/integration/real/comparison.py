"""The same calls twice, at the server and through one sidecar before both its ports, and what the sidecar says of them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.real.servers import Ports, before
from tests.parts import free_ports, wait_until
from tests.sidecar import ROOT, Sidecar, fetch, sidecar

CALLS_TIMEOUT_S = 100
NO_STATUS = ""


@dataclass(frozen=True)
class Call:
    """One call, what its answer must show, and how it counts.

    Parameters
    ----------
    name
        A function of ``http_calls`` or ``grpc_calls``.
    shows
        A piece of the server's own answer as JSON: two equal answers prove nothing where no server answered.
    http
        Exchanges over HTTP.
    grpc
        Exchanges over gRPC by status code; those under `NO_STATUS` ended before one came, and count as no call.
    sent, received
        gRPC messages of all its exchanges.
    outcome
        How its exchanges end.
    """

    name: str
    shows: str
    http: int = 0
    grpc: Mapping[str, int] = field(default_factory=dict)
    sent: int = 0
    received: int = 0
    outcome: str = "complete"

    @property
    def exchanges(self) -> int:
        """How many exchanges it is."""
        return self.http + sum(self.grpc.values())


def over_http(name: str, shows: str, exchanges: int = 1, outcome: str = "complete") -> Call:
    """Describe a call over HTTP."""
    return Call(name, shows, http=exchanges, outcome=outcome)


def over_grpc(name: str, shows: str, status: int = 0, sent: int = 1, received: int = 1, exchanges: int = 1) -> Call:
    """Describe a call over gRPC whose exchanges all end with one status."""
    return Call(name, shows, grpc={str(status): exchanges}, sent=sent, received=received)


CANCELLED = Call("bare_cancelled", '"status": "CANCELLED"', grpc={NO_STATUS: 1}, sent=1, outcome="client_gone")
"""Goes alone: how many messages were on their way when the client went is not certain."""


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Parameters
    ----------
    calls
        What was called.
    direct, through
        Answers by call, from the server itself and through the sidecar.
    metrics
        The samples of ``/metrics`` when all was counted.
    exit_code, log
        How the sidecar ended, and what it logged.
    """

    calls: Sequence[Call]
    direct: Mapping[str, Any]
    through: Mapping[str, Any]
    metrics: Mapping[str, float]
    exit_code: int
    log: str

    def check_answer(self, call: Call) -> None:
        """The server answered what it should, and the sidecar changed nothing of it."""
        assert call.shows in json.dumps(self.direct[call.name])
        assert self.through[call.name] == self.direct[call.name]

    def check_exchanges(self) -> None:
        """Each call is counted once, under its outcome; nothing was lost on the way to the monitor."""
        expected: Counter[str] = Counter()
        for call in self.calls:
            expected[call.outcome] += call.exchanges
        assert self.by_label("outrider_exchanges_total", "outcome") == expected
        assert self.metrics["outrider_proxy_exchanges_total"] == sum(expected.values())
        assert self.metrics["http_server_active_requests"] == 0

    def check_grpc_calls(self) -> None:
        """Each gRPC call is counted once, under the status that its client saw."""
        expected: Counter[str] = Counter()
        for call in self.calls:
            expected.update({status: number for status, number in call.grpc.items() if status != NO_STATUS})
        assert self.by_label("outrider_grpc_calls_total", "rpc_grpc_status_code") == expected

    def check_messages(self) -> None:
        """Each gRPC message is counted once, in its direction."""
        expected = {"request": sum(call.sent for call in self.calls), "response": sum(call.received for call in self.calls)}
        assert self.by_label("outrider_messages_total", "direction") == expected

    def check_cancelled(self) -> None:
        """The one call ended early: its answers are those of the server, and at least what the client got is counted."""
        self.check_answer(CANCELLED)
        self.check_exchanges()
        self.check_grpc_calls()
        messages = self.by_label("outrider_messages_total", "direction")
        assert messages["request"] == 1
        assert 3 <= messages["response"] < 400
        self.check_faults()

    def check_faults(self) -> None:
        """Neither process met anything that it did not understand, and the sidecar ended as it should."""
        assert self.metrics["outrider_proxy_faults_total"] == 0
        assert self.by_label("outrider_faults_total", "stage") == {}
        assert self.exit_code == 0
        assert " error " not in self.log.lower(), self.log

    def by_label(self, metric: str, label: str) -> dict[str, float]:
        """Sum a metric's samples by one of their labels; the empty text stands for those without it."""
        return _by_label(self.metrics, metric, label)


def _by_label(metrics: Mapping[str, float], metric: str, label: str) -> dict[str, float]:
    sums: Counter[str] = Counter()
    for sample, value in metrics.items():
        name, _, labels = sample.partition("{")
        if name == metric:
            found = re.search(rf'[{{,]{label}="([^"]*)"', "{" + labels)
            sums[found[1] if found else ""] += int(value)
    return dict(sums)


def compare(python: Path, server: Ports, calls: Sequence[Call], folder: Path) -> Comparison:
    """Make all calls at the server, then through a sidecar, by clients that run in the server's environment."""
    names = [call.name for call in calls]
    direct = _call(python, server, names)
    lanes = Ports(*free_ports(2))
    expected = sum(call.exchanges for call in calls)
    with sidecar(folder, server.http, before(lanes, server)) as running:
        through = _call(python, lanes, names)
        metrics = _counted(running, expected)
        exit_code = running.stop()
    return Comparison(calls, direct, through, metrics, exit_code, running.log())


def readiness(server: Ports, checks: str, folder: Path) -> tuple[int, str]:
    """What ``/readyz`` says once both ports were asked: status and text."""
    settings = before(free_ports(2), server) | {"OUTRIDER_READY": checks}
    said: list[tuple[int, str]] = []

    def asked() -> bool:
        status, body = fetch(running.health, "/readyz") or (0, b"not asked yet")
        said.append((status, body.decode()))
        return "not asked yet" not in said[-1][1]

    with sidecar(folder, server.http, settings, wait_for_monitor=False) as running:
        wait_until(asked, "both ports are asked")
    return said[-1]


def _call(python: Path, ports: Ports, names: Sequence[str]) -> dict[str, Any]:
    command = [str(python), "-m", "tests.integration.real.clients", str(ports.http), str(ports.grpc), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=CALLS_TIMEOUT_S)
    assert done.returncode == 0, done.stderr[-4000:]
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def _counted(running: Sidecar, expected: int) -> dict[str, float]:
    """The metrics once both processes have counted all calls; the last ones where they never do, for the tests to show."""
    metrics: dict[str, float] = {}

    def all_counted() -> bool:
        metrics.clear()
        metrics.update(running.metrics())
        seen = sum(_by_label(metrics, "outrider_exchanges_total", "outcome").values())
        return seen == expected and metrics["outrider_proxy_exchanges_total"] == expected

    try:
        wait_until(all_counted, "all calls are counted", timeout_s=15)
    except pytest.fail.Exception:
        print(f"{expected} exchanges were expected")
    return metrics
