"""The demo's clients: real rows, both protocols, a steady rate, and honest pairs for the added latency.

Threads with blocking connections, because a thread that waits in ``recv`` measures a round trip, while a callback on a busy
event loop measures the loop. One request in five is sent twice, byte for byte the same: to the sidecar and straight to the
model server, in alternating order, over connections that stay open. The difference of the two medians is what the sidecar
adds.
"""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.demo import model
from agent.demo.scenario import Scenario, disturbed

THREADS = 2
"""Enough to have requests overlap, few enough to leave two cores to those who work."""

PAIR_EVERY = 5
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """A call: where to and with what."""

    path: str
    body: bytes


def v1_request(rows: NDArray[np.float64]) -> Request:
    """Rows of shape ``(n, features)`` as KServe V1; NaN becomes ``null``."""
    return Request(f"/v1/models/{model.NAME}:predict", msgspec.json.encode({"instances": [_plain(row) for row in rows]}))


def v2_request(rows: NDArray[np.float64], id_: str) -> Request:
    """Rows of shape ``(n, features)`` as Open Inference (V2), one tensor per column; NaN becomes ``null``."""
    tensors = []
    for i, name in enumerate(model.FEATURES):
        whole = name in model.INTEGERS
        data = [int(value) for value in rows[:, i]] if whole else rows[:, i].tolist()
        tensors.append({"name": name, "shape": [len(rows)], "datatype": "INT64" if whole else "FP64", "data": data})
    return Request(f"/v2/models/{model.NAME}/infer", msgspec.json.encode({"id": id_, "inputs": tensors}))


def _plain(row: NDArray[np.float64]) -> list[float | int]:
    # msgspec writes NaN as null.
    return [int(value) if name in model.INTEGERS else float(value) for name, value in zip(model.FEATURES, row, strict=True)]


@dataclass(frozen=True, slots=True)
class Tally:
    """What the clients saw so far.

    Parameters
    ----------
    requests, rows
        Answered through the sidecar.
    failures
        Requests without a ``200`` and one prediction per row, on either way.
    last_failure
        What the newest of them said; empty without one.
    requests_per_s
        Through the sidecar, over the last two seconds.
    pairs
        How many pairs `sidecar_s` and `direct_s` are the medians of (of the last 2,000).
    sidecar_s, direct_s
        Median round trip through the sidecar and straight to the model; NaN without pairs.
    """

    requests: int
    rows: int
    failures: int
    last_failure: str
    requests_per_s: float
    pairs: int
    sidecar_s: float
    direct_s: float

    @property
    def added_s(self) -> float:
        """What the sidecar adds to the median request; NaN without pairs."""
        return self.sidecar_s - self.direct_s


class Replay:
    """Clients that send rows, disturbed as the scenario says, from `start` to `stop`.

    Parameters
    ----------
    rows
        What to draw from, shape ``(n, features)``.
    scenario
        When to disturb what.
    sidecar_port, model_port
        On 127.0.0.1.
    requests_per_s
        Over all threads.
    """

    def __init__(
        self, rows: NDArray[np.float64], scenario: Scenario, sidecar_port: int, model_port: int, requests_per_s: float
    ) -> None:
        self._rows = rows
        self._scenario = scenario
        self._ports = (sidecar_port, model_port)
        self._interval_s = THREADS / requests_per_s
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._requests = 0
        self._rows_sent = 0
        self._failures = 0
        self._last_failure = ""
        self._ends: deque[float] = deque(maxlen=4096)
        self._pairs: deque[tuple[float, float]] = deque(maxlen=2000)
        self._threads = [threading.Thread(target=self._send, args=(seed,), daemon=True) for seed in range(THREADS)]
        self._started = 0.0

    def start(self) -> None:
        """Begin; the scenario's time runs from here."""
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the requests under way and return."""
        self._stopped.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(TIMEOUT_S)

    @property
    def elapsed_s(self) -> float:
        """Seconds since `start`."""
        return time.monotonic() - self._started

    def tally(self) -> Tally:
        """Sum up what happened so far."""
        with self._lock:
            now = time.monotonic()
            recent = sum(1 for end in self._ends if end > now - 2.0)
            pairs = np.array(self._pairs, dtype=np.float64).reshape(-1, 2)
            sidecar_s, direct_s = np.median(pairs, axis=0).tolist() if len(pairs) else (float("nan"), float("nan"))
            return Tally(
                requests=self._requests,
                rows=self._rows_sent,
                failures=self._failures,
                last_failure=self._last_failure,
                requests_per_s=recent / max(0.1, min(2.0, now - self._started)),
                pairs=len(pairs),
                sidecar_s=sidecar_s,
                direct_s=direct_s,
            )

    def _send(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 20040401])
        sidecar, direct = (_Client(port) for port in self._ports)
        due = time.monotonic() + seed * self._interval_s / THREADS
        sent = 0
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            # A client that fell behind goes on at its rate from here; it does not make up for it with a burst.
            due = max(due + self._interval_s, time.monotonic() - self._interval_s)
            rows = self._draw(rng)
            request = v1_request(rows) if rng.random() < 0.5 else v2_request(rows, f"{seed}-{sent}")
            sent += 1
            if sent % PAIR_EVERY:
                self._count(sidecar.post(request, len(rows)), len(rows))
                continue
            first, second = (sidecar, direct) if sent % (2 * PAIR_EVERY) else (direct, sidecar)
            answers = {client: client.post(request, len(rows)) for client in (first, second)}
            self._count(answers[sidecar], len(rows))
            self._count_pair(answers[sidecar], answers[direct])
        sidecar.close()
        direct.close()

    def _draw(self, rng: np.random.Generator) -> NDArray[np.float64]:
        size = 1 if rng.random() < 0.5 else int(rng.integers(2, 9))
        rows = self._rows[rng.integers(0, len(self._rows), size)]
        return disturbed(rows, self._scenario.begun(self.elapsed_s), rng)

    def _count(self, answer: _Answer, rows: int) -> None:
        with self._lock:
            self._requests += 1
            self._rows_sent += rows
            self._ends.append(time.monotonic())
            self._note(answer)

    def _count_pair(self, sidecar: _Answer, direct: _Answer) -> None:
        with self._lock:
            self._note(direct)
            if not sidecar.failure and not direct.failure:
                self._pairs.append((sidecar.seconds, direct.seconds))

    def _note(self, answer: _Answer) -> None:
        if answer.failure:
            self._failures += 1
            self._last_failure = answer.failure


@dataclass(frozen=True, slots=True)
class _Answer:
    seconds: float
    failure: str


class _Client:
    """One connection that stays open, and is opened again after a failure."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def post(self, request: Request, rows: int) -> _Answer:
        start = time.perf_counter()
        try:
            self._connection.request("POST", request.path, request.body, {"content-type": "application/json"})
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return _Answer(time.perf_counter() - start, f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - start
        if response.status != 200:
            return _Answer(seconds, f"{request.path} answered {response.status}: {body[:200].decode(errors='replace')}")
        if predictions_in(body) != rows:
            return _Answer(seconds, f"{request.path} did not answer with {rows} predictions")
        return _Answer(seconds, "")

    def close(self) -> None:
        self._connection.close()


def predictions_in(body: bytes) -> int:
    """How many predictions a V1 or V2 answer holds; -1 if it is neither."""
    try:
        answer = msgspec.json.decode(body)
        predictions = answer["predictions"] if "predictions" in answer else answer["outputs"][0]["data"]
        return len(predictions)
    except (msgspec.MsgspecError, KeyError, IndexError, TypeError):
        return -1
