"""The model servers as processes of their own, each with a REST and a gRPC port on loopback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.integration.real.environments import KSERVE, LITSERVE, LLAMA, MLFLOW, MLSERVER, TRITON, python_library
from tests.parts import accepts, free_ports, running, wait_until
from tests.sidecar import ROOT, fetch

START_TIMEOUT_S = 90.0
MODELS_READY = tuple(f"/v2/models/{name}/ready" for name in ("iris", "echo", "words"))


class Ports(NamedTuple):
    """Where the same server is called."""

    http: int
    grpc: int


def before(lanes: Sequence[int], server: Sequence[int]) -> dict[str, str]:
    """Settings of one sidecar before all ports of a server."""
    return {
        "OUTRIDER_LISTEN": ",".join(f"127.0.0.1:{port}" for port in lanes),
        "OUTRIDER_UPSTREAM": ",".join(f"http://127.0.0.1:{port}" for port in server),
    }


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
def kserve(folder: Path) -> Iterator[Ports]:
    """KServe's SDK with a pipeline of scikit-learn."""
    python = KSERVE.require()
    ports = Ports(*free_ports(2))
    command = [str(python), "-m", "tests.integration.real.kserve_server", str(ports.http), str(ports.grpc)]
    with _ready(command, ports, folder / "kserve.log", {}, ["/v2/models/houses/ready"]):
        yield ports


@contextmanager
def mlflow(folder: Path) -> Iterator[int]:
    """MLflow's scoring server with the same pipeline; it has a REST port only."""
    python = MLFLOW.require()
    model, port = folder / "model", free_ports(1)[0]
    # Its commands look for uvicorn on the path, and tell its makers of each use unless told not to.
    more = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environ = os.environ | {"PYTHONPATH": str(ROOT)} | more
    subprocess.run([python, "-m", "tests.integration.real.mlflow_model", model], check=True, cwd=ROOT, env=environ)
    command = [str(python), "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with _ready(command, Ports(port, port), folder / "mlflow.log", more, ["/ping"]):
        yield port


@contextmanager
def llama(folder: Path) -> Iterator[int]:
    """llama.cpp's server with the language model of the example; it speaks as OpenAI does."""
    python = LLAMA.require()
    port, example = free_ports(1)[0], ROOT / "examples" / "openai"
    subprocess.run([python, example / "make_model.py", folder / "tiny.gguf"], check=True)
    command = [str(python), str(example / "model.py"), str(folder / "tiny.gguf"), str(port)]
    with _ready(command, Ports(port, port), folder / "llama.log", {}, ["/health"]):
        yield port


@contextmanager
def litserve(folder: Path) -> Iterator[int]:
    """LitServe with the model of the example, on a route of its own."""
    python, port = LITSERVE.require(), free_ports(1)[0]
    command = [str(python), str(ROOT / "examples" / "custom-route" / "model.py"), str(port)]
    with _ready(command, Ports(port, port), folder / "litserve.log", {}, ["/health"]):
        yield port


@contextmanager
def _ready(
    command: list[str], ports: Ports, log: Path, more: dict[str, str], paths: Iterable[str] = MODELS_READY
) -> Iterator[None]:
    """Run a server, wait until all its models can be called, and say what it printed where that fails."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)} | more
    with running(command, log, environ) as process:

        def up() -> bool:
            assert process.poll() is None, log.read_text()[-4000:]
            return accepts(ports.grpc) and all((fetch(ports.http, path) or (0, b""))[0] == 200 for path in paths)

        try:
            wait_until(up, command[2], START_TIMEOUT_S)
        except BaseException:
            print(log.read_text()[-4000:])
            raise
        yield
