"""The model servers as processes of their own, each with a REST and a gRPC port on loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.integration.real.environments import MLSERVER, TRITON, python_library
from tests.parts import accepts, free_ports, running, wait_until
from tests.sidecar import ROOT, fetch

START_TIMEOUT_S = 90.0


class Ports(NamedTuple):
    """Where the same server is called."""

    http: int
    grpc: int


@contextmanager
def mlserver(folder: Path) -> Iterator[Ports]:
    """MLServer with a classifier of scikit-learn and two models of our own."""
    python = MLSERVER.require()
    ports = Ports(*free_ports(2))
    implementations = {
        "iris": "mlserver_sklearn.SKLearnModel",
        "echo": "tests.integration.real.mlserver_models.Echo",
        "words": "tests.integration.real.mlserver_models.Words",
    }
    for name, implementation in implementations.items():
        home = folder / name
        home.mkdir()
        settings = {"name": name, "implementation": implementation, "parameters": {"uri": "./model.joblib"}}
        (home / "model-settings.json").write_text(json.dumps(settings))
    script = ROOT / "tests" / "integration" / "real" / "mlserver_iris.py"
    subprocess.run([python, script, folder / "iris" / "model.joblib"], check=True)
    # Streams over gRPC need the metrics off, and no workers: MLServer's own documentation of its streaming.
    server = {
        "host": "127.0.0.1", "http_port": ports.http, "grpc_port": ports.grpc,
        "metrics_endpoint": None, "parallel_workers": 0, "debug": False,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(server))
    command = [str(python), "-m", "mlserver.cli.main", "start", str(folder)]
    with _ready(command, ports, folder / "mlserver.log", {}):
        yield ports


@contextmanager
def triton(folder: Path) -> Iterator[Ports]:
    """Triton with three models in Python."""
    python = TRITON.require()
    ports = Ports(*free_ports(2))
    command = [str(python), "-m", "tests.integration.real.triton_server", str(ports.http), str(ports.grpc)]
    library = {"LD_LIBRARY_PATH": str(python_library())}
    with _ready([*command, str(folder / "workspace")], ports, folder / "triton.log", library):
        yield ports


@contextmanager
def _ready(command: list[str], ports: Ports, log: Path, more: dict[str, str]) -> Iterator[None]:
    """Run a server, wait until all its models can be called, and say what it printed where that fails."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)} | more
    with running(command, log, environ) as process:

        def up() -> bool:
            assert process.poll() is None, log.read_text()[-4000:]
            return accepts(ports.grpc) and all(
                (fetch(ports.http, f"/v2/models/{name}/ready") or (0, b""))[0] == 200 for name in ("iris", "echo", "words")
            )

        try:
            wait_until(up, command[2], START_TIMEOUT_S)
        except BaseException:
            print(log.read_text()[-4000:])
            raise
        yield
