"""Recorded gRPC connections as exchanges, read with h2: one for each call."""

from __future__ import annotations

import msgspec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, ResponseReceived, TrailersReceived

from agent.exchange import Exchange
from tests.exchanges import CAPTURES, exchange


def grpc_cases() -> list[str]:
    """Every recorded connection that speaks gRPC."""
    return sorted(str(path.relative_to(CAPTURES))[:-4] for path in CAPTURES.rglob("grpc_*.req"))


def grpc_exchange(
    method: str, request: bytes, response: bytes, *, sent: str = "", received: str = "", status: int = 0, service: str = ""
) -> Exchange:
    """A call with bodies of whole messages; `sent` and `received` are the encodings of messages with the flag."""
    target = f"/{service or 'inference.GRPCInferenceService'}/{method}"
    head = f"POST {target} HTTP/2\r\nhost: m\r\nte: trailers\r\ncontent-type: application/grpc\r\n"
    asked = f"{head}grpc-encoding: {sent}\r\n\r\n" if sent else f"{head}\r\n"
    head = "HTTP/2 200\r\ncontent-type: application/grpc\r\n"
    answered = f"{head}grpc-encoding: {received}\r\n\r\n" if received else f"{head}\r\n"
    whole = exchange(asked.encode() + request, answered.encode() + response, protocol="grpc")
    return msgspec.structs.replace(whole, grpc_status=status)


def grpc_captured(case: str) -> list[Exchange]:
    """The calls of a recorded connection, such as ``triton/grpc_iris_infer``."""
    client, server = H2Connection(H2Configuration(client_side=True)), H2Connection(H2Configuration(client_side=False))
    client.initiate_connection()
    server.initiate_connection()
    asked: dict[int, dict[bytes, bytes]] = {}
    answered: dict[int, dict[bytes, bytes]] = {}
    there: dict[int, bytes] = {}
    back: dict[int, bytes] = {}
    for event in server.receive_data((CAPTURES / f"{case}.req").read_bytes()):
        if isinstance(event, RequestReceived):
            asked[event.stream_id] = dict(event.headers)
            client.send_headers(event.stream_id, list(event.headers))
        elif isinstance(event, DataReceived):
            there[event.stream_id] = there.get(event.stream_id, b"") + event.data
    for event in client.receive_data((CAPTURES / f"{case}.resp").read_bytes()):
        if isinstance(event, ResponseReceived | TrailersReceived):
            answered.setdefault(event.stream_id, {}).update(event.headers)
        elif isinstance(event, DataReceived):
            back[event.stream_id] = back.get(event.stream_id, b"") + event.data
    calls = []
    for stream, head in asked.items():
        service, method = head[b":path"].decode()[1:].split("/")
        sent, received = (heads.get(b"grpc-encoding", b"").decode() for heads in (head, answered[stream]))
        status = int(answered[stream][b"grpc-status"])
        body, answer = there.get(stream, b""), back.get(stream, b"")
        calls.append(grpc_exchange(method, body, answer, sent=sent, received=received, status=status, service=service))
    return calls
