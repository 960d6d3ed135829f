"""The methods that are compared, and the bench's side of a talk with one of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.environments import Environment, UnavailableError
from tests.bench.detect.wire import Column, columns_to_json, receive, send

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """One way to detect drift, and how to run it.

    Parameters
    ----------
    name
        As the tables have it.
    module
        In this package: the worker.
    environment
        ``None`` for our own interpreter.
    options
        For `Method.fit`.
    """

    name: str
    module: str
    environment: Environment | None = None
    options: Mapping[str, Any] | None = None

    def python(self) -> Path:
        """Give the interpreter that runs it."""
        return Path(sys.executable) if self.environment is None else self.environment.python()


_ALIBI = Environment("alibi", ("alibi-detect==0.13.0", "torch==2.13.0+cpu"))
_EVIDENTLY = Environment("evidently", ("evidently==0.7.23", "pandas<3"))
_NANNYML = Environment("nannyml", ("nannyml==0.13.1", "statsmodels", "pandas<3"))
_WHYLOGS = Environment("whylogs-viz", ("whylogs[viz]==1.6.4", "numpy<2", "pandas<3"))

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""One thread each: two methods are measured at a time."""

_START = """
import runpy, sys, types
tests = sys.modules["tests"] = types.ModuleType("tests")
tests.__path__ = ["tests"]
runpy.run_module("tests.bench.detect.{module}", run_name="__main__")
"""
"""Peers install packages named ``tests`` by mistake, which would stand before ours."""

_NO_TELEMETRY = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "True"}
"""They would tell their makers of each run."""

OUTRIDER = "Outrider"
WAYS: tuple[Way, ...] = (
    Way(OUTRIDER, "outrider"),
    Way("scipy, naive", "peer_scipy"),
    Way("Evidently", "peer_evidently", _EVIDENTLY),
    Way("NannyML", "peer_nannyml", _NANNYML),
    Way("whylogs", "peer_whylogs", _WHYLOGS),
    Way("alibi Tabular", "peer_alibi", _ALIBI, {"detector": "tabular"}),
    Way("alibi CVM online", "peer_alibi", _ALIBI, {"detector": "cvm"}),
    Way("alibi MMD online", "peer_alibi", _ALIBI, {"detector": "mmd"}),
)
ONLINE = ("alibi CVM online", "alibi MMD online")
"""They have no default settings, and no statistic but their own."""


class Talk:
    """A worker that runs. `outputs` and `version` are as its method says, after `fit`."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, errors: IO[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise UnavailableError(f"{name} has no pipes")
        self._inward, self._outward, self._errors = process.stdin, process.stdout, errors
        self._name = name
        self.outputs: tuple[str, ...] = ()
        self.version = ""

    def fit(self, columns: tuple[Column, ...], rows: Matrix, options: Mapping[str, Any] | None = None) -> None:
        """Hand over the training data."""
        said, _ = self._ask({"do": "fit", "columns": columns_to_json(columns), "options": dict(options or {})}, rows=rows)
        self.outputs, self.version = tuple(said["outputs"]), said["version"]

    def flags(self, rows: Matrix, window: int) -> NDArray[np.bool_]:
        """Ask for the default judgement: shape ``(looks, outputs)``."""
        return self._ask({"do": "flags", "window": window}, rows=rows)[1]["flags"]

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> tuple[int, Matrix]:
        """Ask for the statistics; give the rows between two looks, and shape ``(looks, outputs)``."""
        more = {} if stop is None else {"stop": stop}
        said, arrays = self._ask({"do": "statistics", "window": window, "unseen": unseen}, rows=rows, **more)
        return int(said["every"]), arrays["statistics"]

    def _ask(self, content: dict[str, Any], **arrays: NDArray[Any]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        try:
            send(self._inward, content, **arrays)
            said, answer = receive(self._outward)
        except (OSError, EOFError) as error:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip() or str(error)
            raise UnavailableError(f"{self._name} ended: {words.splitlines()[-1]}") from error
        if "error" in said:
            raise UnavailableError(f"{self._name}: {said['error']}")
        return said, answer


@contextmanager
def talk(way: Way) -> Iterator[Talk]:
    """Run a worker while the block lasts.

    Raises
    ------
    UnavailableError
        If its environment can't be made.
    """
    command = [str(way.python()), "-c", _START.format(module=way.module)]
    environ = {**os.environ, **dict.fromkeys(_THREADS, "1"), **_NO_TELEMETRY}
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, env=environ)
        try:
            yield Talk(process, way.name, errors)
        finally:
            process.kill()
            process.wait()
            for end in (process.stdin, process.stdout):
                with suppress(OSError):  # what it was not given any more
                    if end is not None:
                        end.close()
