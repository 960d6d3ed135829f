"""A real Prometheus and a real OTLP receiver."""

from __future__ import annotations

import importlib.util
import json
import os
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.parts import accepts, free_port, program, running, wait_until


class Prometheus(NamedTuple):
    """A Prometheus and its HTTP API."""

    port: int

    def get(self, path: str, **query: str) -> Any:
        """Call the HTTP API and give its ``data``."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, promql: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Evaluate an expression now: numbers by their labels, without those of the target."""
        return {
            tuple(sorted((k, v) for k, v in series["metric"].items() if k not in ("instance", "job", "__name__"))): float(
                series["value"][1]
            )
            for series in self.get("query", query=promql)["result"]
        }


@contextmanager
def prometheus(target_ports: Sequence[int], folder: Path, *, interval: str = "500ms") -> Iterator[Prometheus]:
    """Run Debian's Prometheus; skip where it is not installed."""
    command = program("prometheus")
    targets = json.dumps([f"127.0.0.1:{port}" for port in target_ports])
    config = folder / "prometheus.yml"
    config.write_text(
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
        f"scrape_configs: [{{job_name: outrider, static_configs: [{{targets: {targets}}}]}}]\n",
        encoding="utf-8",
    )
    port = free_port()
    arguments = [
        command,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with running(arguments, folder / "prometheus.log"):
        wait_until(lambda: accepts(port), "Prometheus listens")
        wait_until(lambda: _is_ready(port), "Prometheus is ready")
        yield Prometheus(port)


def _is_ready(port: int) -> bool:
    """Whether it takes queries: it listens before that, and answers 503 meanwhile."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Rotel(NamedTuple):
    """An OTLP receiver that prints what it gets."""

    grpc_port: int
    http_port: int
    log: Path

    def text(self) -> str:
        """Everything printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def rotel(folder: Path, *, grpc_port: int = 0, http_port: int = 0) -> Iterator[Rotel]:
    """Run the receiver out of the wheel `rotel`; skip where it is not installed."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        pytest.skip("the wheel rotel is not installed")
    binary = Path(found.origin).parent / "rotel-agent"
    receiver = Rotel(grpc_port or free_port(), http_port or free_port(), folder / "rotel.log")
    arguments = [
        str(binary), "start", "--exporter", "blackhole",
        "--otlp-grpc-endpoint", f"127.0.0.1:{receiver.grpc_port}",
        "--otlp-http-endpoint", f"127.0.0.1:{receiver.http_port}",
        "--debug-log", "metrics", "--debug-log", "traces", "--debug-log-verbosity", "detailed",
    ]  # fmt: skip
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ROTEL_"))}
    with running(arguments, receiver.log, environ):
        wait_until(lambda: accepts(receiver.grpc_port) and accepts(receiver.http_port), "rotel listens")
        yield receiver
