"""Recorded traffic of real servers once more over the wire: untouched both ways, and each exchange in it recorded once.

What to expect is written down below. `h11` and `h2` read the same bytes as a second opinion, so the table is not ours alone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from random import Random

import h2.config
import h2.connection
import h2.events
import pytest

from agent.exchange import NO_GRPC_STATUS, Exchange, Outcome
from tests.exchanges import CAPTURES
from tests.http1 import content_of, exchanges_in
from tests.parts import wait_until
from tests.relay import Relay, ScriptedServer, read_exactly, relay, send_pieces

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

Expected = tuple[str, str, str, int, int, int, int]
"""Protocol, method, target, status, gRPC status, messages in, messages out."""


def http(method: str, target: str, status: int = 200) -> list[Expected]:
    return [("http/1.1", method, target, status, NO_GRPC_STATUS, 0, 0)]


def rpc(name: str, grpc_status: int = 0, sent: int = 1, received: int = 1) -> Expected:
    return ("grpc", "POST", f"/inference.GRPCInferenceService/{name}", 200, grpc_status, sent, received)


METADATA = [rpc(name) for name in ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata")]
PREDICT, INFER, CHAT = "/v1/models/iris:predict", "/v2/models/iris/infer", "/v1/chat/completions"

TABLE: dict[str, list[Expected]] = {
    "kserve/grpc_iris_infer": [rpc("ModelInfer")],
    "kserve/grpc_iris_metadata": METADATA,
    "kserve/grpc_iris_stream_infer": [rpc("ModelStreamInfer", 12, 2, 0)],
    "kserve/grpc_nomodel_infer": [rpc("ModelInfer", 5, 1, 0)],
    "kserve/metrics": http("GET", "/metrics"),
    "kserve/v1_iris_bad_json": http("POST", PREDICT, 400),
    "kserve/v1_iris_bad_shape": http("POST", PREDICT, 500),
    "kserve/v1_iris_predict": http("POST", PREDICT),
    "kserve/v1_iris_status": http("GET", "/v1/models/iris"),
    "kserve/v1_models": http("GET", "/v1/models"),
    "kserve/v1_nomodel": http("POST", "/v1/models/nope:predict", 404),
    "kserve/v2_iris_infer_bad_json": http("POST", INFER, 422),
    "kserve/v2_iris_infer_bad_shape": http("POST", INFER, 500),
    "kserve/v2_iris_infer_curl": http("POST", INFER),
    "kserve/v2_iris_infer_curl_chunked": http("POST", INFER),
    "kserve/v2_iris_infer_curl_gzip_resp": http("POST", INFER),
    "kserve/v2_iris_infer_curl_nested": http("POST", INFER),
    "kserve/v2_iris_infer_expect100": http("POST", INFER),
    "kserve/v2_iris_infer_traceparent": http("POST", INFER),
    "kserve/v2_iris_metadata": http("GET", "/v2/models/iris"),
    "kserve/v2_iris_ready": http("GET", "/v2/models/iris/ready"),
    "kserve/v2_iris_tritonhttp_binary": http("POST", INFER),
    "kserve/v2_iris_tritonhttp_binary_in_json_out": http("POST", INFER),
    "kserve/v2_iris_tritonhttp_json": http("POST", INFER, 400),
    "kserve/v2_live": http("GET", "/v2/health/live"),
    "kserve/v2_nomodel_infer": http("POST", "/v2/models/nope/infer", 404),
    "kserve/v2_ready": http("GET", "/v2/health/ready"),
    "kserve/v2_server_metadata": http("GET", "/v2"),
    "mlflow/health": http("GET", "/health"),
    "mlflow/iris_bad_json": http("POST", "/invocations", 400),
    "mlflow/iris_bad_schema": http("POST", "/invocations", 400),
    "mlflow/iris_csv": http("POST", "/invocations"),
    "mlflow/iris_dataframe_records": http("POST", "/invocations"),
    "mlflow/iris_dataframe_split": http("POST", "/invocations"),
    "mlflow/iris_inputs": http("POST", "/invocations"),
    "mlflow/iris_instances": http("POST", "/invocations"),
    "mlflow/ping": http("GET", "/ping"),
    "mlflow/version": http("GET", "/version"),
    "mlserver/grpc_iris_infer": [rpc("ModelInfer")],
    "mlserver/grpc_iris_infer_gzip": [rpc("ModelInfer")],
    "mlserver/grpc_iris_metadata": METADATA,
    "mlserver/grpc_iris_stream_infer": [rpc("ModelStreamInfer", 0, 2, 1)],
    "mlserver/grpc_nomodel_infer": [rpc("ModelInfer", 5, 1, 0)],
    "mlserver/metrics": http("GET", "/metrics"),
    "mlserver/v2_iris_infer_bad_json": http("POST", INFER, 422),
    "mlserver/v2_iris_infer_bad_shape": http("POST", INFER, 500),
    "mlserver/v2_iris_infer_curl": http("POST", INFER),
    "mlserver/v2_iris_infer_curl_chunked": http("POST", INFER),
    "mlserver/v2_iris_infer_curl_gzip_resp": http("POST", INFER),
    "mlserver/v2_iris_infer_curl_nested": http("POST", INFER),
    "mlserver/v2_iris_infer_curl_versioned": http("POST", "/v2/models/iris/versions/v1/infer"),
    "mlserver/v2_iris_infer_expect100": http("POST", INFER),
    "mlserver/v2_iris_infer_traceparent": http("POST", INFER),
    "mlserver/v2_iris_metadata": http("GET", "/v2/models/iris"),
    "mlserver/v2_iris_ready": http("GET", "/v2/models/iris/ready"),
    "mlserver/v2_iris_tritonhttp_binary": http("POST", INFER, 422),
    "mlserver/v2_iris_tritonhttp_binary_gzip": http("POST", INFER, 422),
    "mlserver/v2_iris_tritonhttp_binary_in_json_out": http("POST", INFER, 422),
    "mlserver/v2_iris_tritonhttp_json": http("POST", INFER),
    "mlserver/v2_live": http("GET", "/v2/health/live"),
    "mlserver/v2_nomodel_infer": http("POST", "/v2/models/nope/infer", 404),
    "mlserver/v2_ready": http("GET", "/v2/health/ready"),
    "mlserver/v2_repository_index": http("POST", "/v2/repository/index"),
    "mlserver/v2_server_metadata": http("GET", "/v2"),
    "torchserve/bad_json": http("POST", "/predictions/iris", 503),
    "torchserve/management_models": http("GET", "/models"),
    "torchserve/metrics": http("GET", "/metrics"),
    "torchserve/nomodel": http("POST", "/predictions/nope", 404),
    "torchserve/ping": http("GET", "/ping"),
    "torchserve/predictions_iris": http("POST", "/predictions/iris"),
    "torchserve/predictions_iris_version": http("POST", "/predictions/iris/1.0"),
    "torchserve/v2_live": http("GET", "/v2/health/live", 404),
    "triton/grpc_iris_infer": [rpc("ModelInfer")],
    "triton/grpc_iris_infer_gzip": [rpc("ModelInfer")],
    "triton/grpc_iris_metadata": METADATA,
    "triton/grpc_iris_stream_infer": [rpc("ModelStreamInfer", 0, 2, 2)],
    "triton/grpc_nomodel_infer": [rpc("ModelInfer", 5, 1, 0)],
    "triton/grpc_upper_bytes": [rpc("ModelInfer")],
    "triton/metrics": http("GET", "/metrics"),
    "triton/v2_iris_infer_bad_json": http("POST", INFER, 500),
    "triton/v2_iris_infer_bad_shape": http("POST", INFER, 500),
    "triton/v2_iris_infer_curl": http("POST", INFER),
    "triton/v2_iris_infer_curl_chunked": http("POST", INFER),
    "triton/v2_iris_infer_curl_gzip_resp": http("POST", INFER),
    "triton/v2_iris_infer_curl_nested": http("POST", INFER),
    "triton/v2_iris_infer_curl_versioned": http("POST", "/v2/models/iris/versions/1/infer"),
    "triton/v2_iris_infer_traceparent": http("POST", INFER),
    "triton/v2_iris_metadata": http("GET", "/v2/models/iris"),
    "triton/v2_iris_ready": http("GET", "/v2/models/iris/ready"),
    "triton/v2_iris_stats": http("GET", "/v2/models/iris/stats", 403),
    "triton/v2_iris_tritonhttp_binary": http("POST", INFER),
    "triton/v2_iris_tritonhttp_binary_gzip": http("POST", INFER),
    "triton/v2_iris_tritonhttp_binary_in_json_out": http("POST", INFER),
    "triton/v2_iris_tritonhttp_json": http("POST", INFER),
    "triton/v2_live": http("GET", "/v2/health/live"),
    "triton/v2_nomodel_infer": http("POST", "/v2/models/nope/infer", 404),
    "triton/v2_ready": http("GET", "/v2/health/ready"),
    "triton/v2_repository_index": http("POST", "/v2/repository/index", 403),
    "triton/v2_server_metadata": http("GET", "/v2"),
    "vllm/chat_bad_json": http("POST", CHAT, 400),
    "vllm/chat_logprobs": http("POST", CHAT),
    "vllm/chat_no_messages": http("POST", CHAT, 400),
    "vllm/chat_nonstream": http("POST", CHAT),
    "vllm/chat_openai_client": http("POST", CHAT),
    "vllm/chat_stream": http("POST", CHAT),
    "vllm/chat_stream_openai_client": http("POST", CHAT),
    "vllm/chat_stream_usage": http("POST", CHAT),
    "vllm/chat_too_long": http("POST", CHAT, 400),
    "vllm/chat_wrong_model": http("POST", CHAT, 404),
    "vllm/completions": http("POST", "/v1/completions"),
    "vllm/completions_stream": http("POST", "/v1/completions"),
    "vllm/health": http("GET", "/health"),
    "vllm/metrics": http("GET", "/metrics"),
    "vllm/version": http("GET", "/version"),
}


def cases() -> list[str]:
    return sorted(str(path.relative_to(CAPTURES))[:-4] for path in CAPTURES.rglob("*.req"))


def read(case: str) -> tuple[bytes, bytes]:
    return (CAPTURES / f"{case}.req").read_bytes(), (CAPTURES / f"{case}.resp").read_bytes()


def is_http2(sent: bytes) -> bool:
    return sent.startswith(b"PRI ")


def messages_in(content: bytes) -> int:
    count = 0
    while content:
        content = content[5 + int.from_bytes(content[1:5], "big") :]
        count += 1
    return count


def body_of(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[2]


class Opinion:
    """What others read in a capture: the exchanges, and the content of each, both ways."""

    def __init__(self, case: str) -> None:
        sent, received = read(case)
        self.exchanges: list[Expected] = []
        self.contents: list[tuple[bytes, bytes]] = []
        if is_http2(sent):
            self._read_http2(sent, received)
        else:
            self._read_http1(sent, received)

    def _read_http1(self, sent: bytes, received: bytes) -> None:
        for opinion in exchanges_in(sent, received):
            self.exchanges += http(opinion.method, opinion.target, opinion.status)
            self.contents.append((opinion.request, opinion.response))

    def _read_http2(self, sent: bytes, received: bytes) -> None:
        heads: dict[int, dict[bytes, bytes]] = {}
        facts: dict[int, dict[bytes, bytes]] = {}
        there: dict[int, bytes] = {}
        back: dict[int, bytes] = {}
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        server.initiate_connection()
        client.initiate_connection()
        for event in server.receive_data(sent):
            if isinstance(event, h2.events.RequestReceived):
                heads[event.stream_id] = dict(event.headers)
                client.send_headers(event.stream_id, list(event.headers))
            elif isinstance(event, h2.events.DataReceived):
                there[event.stream_id] = there.get(event.stream_id, b"") + event.data
        for event in client.receive_data(received):
            if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                facts.setdefault(event.stream_id, {}).update(event.headers)
            elif isinstance(event, h2.events.DataReceived):
                back[event.stream_id] = back.get(event.stream_id, b"") + event.data
        for stream, head in heads.items():
            question, answer = there.get(stream, b""), back.get(stream, b"")
            assert head[b"content-type"] == b"application/grpc"
            status, grpc_status = int(facts[stream][b":status"]), int(facts[stream][b"grpc-status"])
            method, target = head[b":method"].decode(), head[b":path"].decode()
            counts = messages_in(question), messages_in(answer)
            self.exchanges.append(("grpc", method, target, status, grpc_status, *counts))
            self.contents.append((question, answer))


class Stage:
    """A relay before a server that plays the recorded server's part."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, bytes]] = []
        """How much to read, then what to send."""
        self.cuts: list[int] = []
        self.received = b""
        self.server = ScriptedServer(self.perform)

    def perform(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for size, answer in self.steps:
            self.received += read_exactly(client, size)
            send_pieces(client, answer, self.cuts)
        client.recv(1)  # the client closes first


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Stage, Relay]]:
    played = Stage()
    with relay(played.server.port) as running:
        yield played, running
    played.server.close()


def turns(sent: bytes, received: bytes) -> list[tuple[bytes, bytes]]:
    """What each side says in turn: who expects 100 Continue waits for it."""
    if not is_http2(sent) and received.startswith(b"HTTP/1.1 100 "):
        head, interim = sent.index(b"\r\n\r\n") + 4, received.index(b"\r\n\r\n") + 4
        return [(sent[:head], received[:interim]), (sent[head:], received[interim:])]
    return [(sent, received)]


def facts(record: Exchange) -> Expected:
    return (
        record.protocol,
        record.method,
        record.target,
        record.status,
        record.grpc_status,
        record.request_messages,
        record.response_messages,
    )


def test_the_table_is_that_of_the_captures() -> None:
    assert sorted(TABLE) == cases()


@pytest.mark.parametrize("case", cases())
def test_others_read_the_same(case: str) -> None:
    assert Opinion(case).exchanges == TABLE[case]


@pytest.mark.parametrize("case", cases())
def test_a_capture_passes_untouched_and_each_exchange_is_recorded_once(stage: tuple[Stage, Relay], case: str) -> None:
    played, running = stage
    sent, received = read(case)
    expected = TABLE[case]
    before, exchanges = len(running.records), running.context.counters.exchanges
    random = Random(case)
    bytewise = list(range(0, max(len(sent), len(received)), 1 if len(received) < 1000 else 89))
    plans = [[], bytewise, [random.randrange(100_000) for _ in range(7)], [random.randrange(100_000) for _ in range(40)]]
    for cuts in plans:
        played.cuts, played.received = cuts, b""
        said = turns(sent, received)
        played.steps = [(len(there), back) for there, back in said]
        with running.connect() as client:
            got = b""
            for there, back in said:
                send_pieces(client, there, cuts)
                got += read_exactly(client, len(back))
        assert got == received
        assert played.received == sent
    records = running.wait_for_records(before + len(plans) * len(expected))[before:]
    assert [facts(record) for record in records] == expected * len(plans)
    assert {record.outcome for record in records} == {Outcome.COMPLETE}
    assert {record.flags & 7 for record in records} == {0}
    wait_until(lambda: running.context.counters.connections == 0, "all connections closed")
    assert running.context.counters.exchanges - exchanges == len(plans) * len(expected)
    assert running.context.counters.faults == 0
    check_contents(case, records, len(plans))


def check_contents(case: str, records: list[Exchange], times: int) -> None:
    sent, received = read(case)
    contents = Opinion(case).contents * times
    if is_http2(sent):
        assert [(body_of(record.request), body_of(record.response)) for record in records] == contents
        assert all(record.request_size <= len(sent) and record.response_size <= len(received) for record in records)
        serialized = CAPTURES / f"{case}.resp.pb"
        if serialized.exists():
            assert {body_of(record.response)[5:] for record in records} == {serialized.read_bytes()}
        return
    assert {(record.request, record.response) for record in records} == {(sent, received)}
    assert {(record.request_size, record.response_size) for record in records} == {(len(sent), len(received))}
    assert [(content_of(sent), content_of(received))] * times == contents
