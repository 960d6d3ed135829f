"""The real sidecar in a process of its own, for tests: started, waited for, stopped."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.parts import free_ports, wait_until

ROOT = Path(__file__).resolve().parent.parent


def fetch(port: int, path: str) -> tuple[int, bytes] | None:
    """GET from a local port; ``None`` where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, response.read()
    except OSError:
        return None
    finally:
        connection.close()


@dataclass
class Sidecar:
    """A running sidecar."""

    process: subprocess.Popen[bytes]
    port: int
    admin: int
    health: int
    log_path: Path

    def log(self) -> str:
        return self.log_path.read_text()

    def metrics(self) -> dict[str, float]:
        """All samples of ``/metrics`` by name and labels; empty while the monitor is away."""
        answer = fetch(self.admin, "/metrics")
        if answer is None or answer[0] != 200:
            return {}
        lines = (line.rpartition(" ") for line in answer[1].decode().splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def metric(self, prefix: str) -> float:
        """The sum of all samples whose name and labels start with `prefix`."""
        return sum(value for name, value in self.metrics().items() if name.startswith(prefix))

    def report(self) -> Any:
        answer = fetch(self.admin, "/api/report")
        return json.loads(answer[1]) if answer is not None and answer[0] == 200 else None

    def monitor(self) -> psutil.Process | None:
        """The monitor process, if it lives."""
        children = psutil.Process(self.process.pid).children()
        return next((child for child in children if "monitor" in child.cmdline()), None)

    def stop(self, within_s: float = 20.0) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


_WITH_FILES = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Takes a limit of open files, for good, and becomes what its arguments say."""


@contextmanager
def sidecar(
    tmp_path: Path,
    upstream: int,
    settings: Mapping[str, str],
    *,
    wait_for_monitor: bool = True,
    files: int = 0,
    stderr: Path | None = None,
) -> Iterator[Sidecar]:
    """Run ``outrider run`` before a local port.

    Parameters
    ----------
    settings
        Environment variables.
    files
        How many files it may have open; 0 for as many as this process.
    stderr
        Where its log goes instead of to a file of its own.
    """
    port, admin, health = free_ports(3)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "OTEL_"))}
    environ |= {
        "OUTRIDER_LISTEN": f"127.0.0.1:{port}",
        "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{upstream}",
        "OUTRIDER_ADMIN": f"127.0.0.1:{admin}",
        "OUTRIDER_HEALTH": f"127.0.0.1:{health}",
        "OUTRIDER_DRAIN_DELAY": "0s",
        **settings,
    }
    log_path = stderr or tmp_path / f"sidecar-{port}.log"
    limited = [sys.executable, "-c", _WITH_FILES, str(files)] if files else []
    with log_path.open("wb") as log:
        process = subprocess.Popen([*limited, sys.executable, "-m", "agent", "run"], cwd=ROOT, env=environ, stderr=log)
        running = Sidecar(process, port, admin, health, log_path)
        try:
            wait_until(lambda: fetch(health, "/readyz") is not None or process.poll() is not None, "readiness")
            assert process.poll() is None, running.log()
            if wait_for_monitor:
                wait_until(lambda: bool(running.metrics()), "the monitor's metrics")
            yield running
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
