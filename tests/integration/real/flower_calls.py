"""Flowers for the model ``iris`` of MLServer and of Triton, sent by tritonclient in the server's environment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.integration.real.clients import Clients
from tests.integration.real.errands import ROWS, ROWS_OF_A_CALL, Answer, Errand, run_errands

Flowers = npt.NDArray[np.float32]

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
TRAINING_ROWS = 2000
MILLIMETRES = 10.0
"""In a centimetre."""
SHIFTED_ROWS = 4 * ROWS
"""Enough to outweigh the ordinary ones in the window."""

_SPECIES = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
_SPREAD = np.array([[0.35, 0.38, 0.17, 0.1], [0.52, 0.31, 0.47, 0.2], [0.64, 0.32, 0.55, 0.27]])


def flowers(errand: Errand) -> Flowers:
    """Make flowers up, the same ones for the same errand; more where petals come in another unit, to fill the window."""
    rows = TRAINING_ROWS if errand.way == "training" else ROWS if errand.unit == 1 else SHIFTED_ROWS
    generator = np.random.default_rng(errand.seed)
    species = generator.integers(0, 3, rows)
    found = generator.normal(_SPECIES[species], _SPREAD[species]).clip(0.1)
    found[:, 2] *= errand.unit
    return found.round(1).astype(np.float32)


def _each(errand: Errand, call: Callable[[Clients, Flowers], Any], batch: int = ROWS_OF_A_CALL) -> list[Answer]:
    """Call with a few flowers at a time; give each call's classes, or how it failed."""
    clients = Clients(errand.http, errand.grpc)
    rows = flowers(errand)
    answers: list[Answer] = []
    for start in range(0, len(rows), batch):
        try:
            found = call(clients, rows[start : start + batch])
            answers.append({"classes": found.as_numpy("predict").ravel().tolist()})
        except clients.http.InferenceServerException as error:
            answers.append({"status": error.status()})
    clients.close()
    return answers


def _over_http(clients: Clients, rows: Flowers, *, binary: bool, **options: Any) -> Any:
    given = clients.http.InferInput("features", list(rows.shape), "FP32")
    given.set_data_from_numpy(rows, binary_data=binary)
    wanted = clients.http.InferRequestedOutput("predict", binary_data=binary)
    return clients.over_http.infer("iris", [given], outputs=[wanted], **options)


def _gzip(clients: Clients, rows: Flowers) -> Any:
    return _over_http(clients, rows, binary=False, request_compression_algorithm="gzip", response_compression_algorithm="gzip")


def _over_grpc(clients: Clients, rows: Flowers) -> Any:
    given = clients.grpc.InferInput("features", list(rows.shape), "FP32")
    given.set_data_from_numpy(rows)
    return clients.over_grpc.infer("iris", [given], outputs=[clients.grpc.InferRequestedOutput("predict")])


WAYS: dict[str, Callable[[Errand], list[Answer]]] = {
    "training": lambda errand: _each(errand, _over_grpc, TRAINING_ROWS),
    "json": lambda errand: _each(errand, lambda clients, rows: _over_http(clients, rows, binary=False)),
    "gzip": lambda errand: _each(errand, _gzip),
    "binary": lambda errand: _each(errand, lambda clients, rows: _over_http(clients, rows, binary=True)),
    "grpc": lambda errand: _each(errand, _over_grpc),
}


if __name__ == "__main__":
    run_errands(WAYS)
