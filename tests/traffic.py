"""A made-up model's training rows, and a client that replays rows through the sidecar."""

from __future__ import annotations

import http.client
import json
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from agent.profile.build import build
from agent.profile.format import Profile
from tests.sidecar import Sidecar

PREDICT = "/v1/models/demo:predict"
FAST = {"OUTRIDER_PANE": "500ms", "OUTRIDER_WINDOW": "30s"}
"""Settings under which an evaluation comes twice a second."""


def training(rows: int = 4000) -> NDArray[np.float64]:
    """Rows of age, weight and ratio; the same ones every time."""
    return np.random.default_rng(1).normal([5.0, 100.0, 0.5], [1.0, 20.0, 0.1], (rows, 3))


def training_profile() -> Profile:
    """The profile of those rows and of their sum, which the model server of the tests predicts."""
    rows = training()
    columns = {"age": rows[:, 0], "weight": rows[:, 1], "ratio": rows[:, 2], "prediction": rows.sum(axis=1)}
    return build(columns, prediction="prediction", model_name="demo")


def connect(running: Sidecar) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)


def call(connection: http.client.HTTPConnection, rows: list[list[float]], path: str = PREDICT) -> tuple[int, bytes]:
    connection.request("POST", path, json.dumps({"instances": rows}), {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        return response.status, response.read()


def replay(running: Sidecar, rows: NDArray[np.float64], batch: int = 50) -> None:
    with closing(connect(running)) as connection:
        for start in range(0, len(rows), batch):
            status, _ = call(connection, rows[start : start + batch].tolist())
            assert status == 200
