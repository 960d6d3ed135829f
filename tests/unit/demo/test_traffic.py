from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import numpy as np
import pytest

from agent.demo import model
from agent.demo.scenario import plan
from agent.demo.server import rows_of_v1, rows_of_v2
from agent.demo.traffic import Replay, predictions_in

ROWS = np.random.default_rng(1).uniform(1, 200, (50, len(model.FEATURES))).round(2)
ROWS[:, model.FEATURES.index("sex")] = 1
CALM = plan(20, disturb=False)


class Echo(BaseHTTPRequestHandler):
    """A model that predicts 1 for every row, keeps the connection, and refuses now and then if told so."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one write: two small ones wait 40 ms for a delayed acknowledgement
    refuse_every = 0
    enough = 0
    seen: list[bytes]
    done: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(body)
        if self.path.startswith("/v1"):
            answer: object = {"predictions": [1.0] * len(rows_of_v1(body))}
        else:
            answer = {"outputs": [{"name": "progression", "data": [1.0] * len(rows_of_v2(body)[1])}]}
        refused = self.refuse_every and len(self.seen) % self.refuse_every == 0
        content = b"no" if refused else msgspec.json.encode(answer)
        self.send_response(503 if refused else 200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        if len(self.seen) >= self.enough:
            self.done.set()

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def echo(*, enough: int, refuse_every: int = 0) -> Iterator[tuple[int, type[Echo]]]:
    members = {"seen": [], "done": threading.Event(), "enough": enough, "refuse_every": refuse_every}
    handler = type("Handler", (Echo,), members)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port, handler
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_real_rows_go_out_over_both_protocols_in_singles_and_batches_and_pairs_are_the_same_bytes() -> None:
    with echo(enough=200) as (port, sidecar), echo(enough=40) as (direct_port, direct):
        replay = Replay(ROWS, CALM, port, direct_port, 1000.0)
        replay.start()
        assert sidecar.done.wait(30)
        assert direct.done.wait(30)
        replay.stop()
    tally = replay.tally()
    assert tally.failures == 0, tally.last_failure
    assert tally.requests == len(sidecar.seen)
    assert tally.pairs == len(direct.seen)
    assert set(direct.seen) <= set(sidecar.seen)
    known = {row.tobytes() for row in ROWS}
    sizes: dict[str, set[int]] = {"v1": set(), "v2": set()}
    rows_seen = 0
    for body in sidecar.seen:
        kind, rows = ("v1", rows_of_v1(body)) if b"instances" in body else ("v2", rows_of_v2(body)[1])
        assert all(row.tobytes() in known for row in np.ascontiguousarray(rows))
        sizes[kind].add(len(rows))
        rows_seen += len(rows)
    assert tally.rows == rows_seen
    for seen in sizes.values():
        assert 1 in seen
        assert max(seen) > 1


def test_a_refusal_is_a_failure_with_its_words() -> None:
    with echo(enough=20, refuse_every=5) as (port, sidecar), echo(enough=1) as (direct_port, _):
        replay = Replay(ROWS, CALM, port, direct_port, 1000.0)
        replay.start()
        assert sidecar.done.wait(30)
        replay.stop()
    tally = replay.tally()
    assert tally.failures == len(sidecar.seen) // 5
    assert "answered 503: no" in tally.last_failure


def test_nobody_there_is_a_failure_and_no_crash() -> None:
    with echo(enough=1) as (closed_port, _):
        pass
    replay = Replay(ROWS, CALM, closed_port, closed_port, 1000.0)
    replay.start()
    while replay.tally().requests < 10:
        time.sleep(0.005)
    replay.stop()
    tally = replay.tally()
    assert tally.failures >= tally.requests
    assert "ConnectionRefusedError" in tally.last_failure
    assert tally.pairs == 0
    assert np.isnan(tally.added_s)


def test_a_replay_that_never_started_stops_and_has_nothing_to_tell() -> None:
    replay = Replay(ROWS, CALM, 1, 1, 1000.0)
    replay.stop()
    assert replay.tally().requests == 0


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'{"predictions":[1,2,3]}', 3),
        (b'{"outputs":[{"data":[1,2]}]}', 2),
        (b'{"outputs":[]}', -1),
        (b'{"predictions":1}', -1),
        (b"{}", -1),
        (b"[]", -1),
        (b"7", -1),
        (b"", -1),
    ],
)
def test_predictions_are_counted_and_anything_else_is_told_apart(body: bytes, count: int) -> None:
    assert predictions_in(body) == count
