"""MLServer behind the sidecar, called by its public clients: nothing of any answer changes, and every call is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.real.comparison import CANCELLED, Call, Comparison, compare, over_grpc, over_http, readiness
from tests.integration.real.environments import MLSERVER
from tests.integration.real.servers import Ports, mlserver

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

# MLServer knows no binary tensors over HTTP, and takes gzip but not deflate: errors, which are to be the same errors.
_FLOWERS = '"tensor": ["int64", [3, 1], [0, 2, 1]]'
_NO_JSON = '"status": "422", "error": "an exception occurred in the client while decoding the response'
_WORDS = '"words": [["one"], ["two"], ["three"], ["four"], ["five"]], "status": "OK"'

CALLS = (
    over_http("http_json", _FLOWERS),
    over_http("http_binary", _NO_JSON),
    over_http("http_binary_in", _NO_JSON),
    over_http("http_binary_out", _FLOWERS),
    over_http("http_gzip", _FLOWERS),
    over_http("http_gzip_binary", _NO_JSON),
    over_http("http_deflate", _NO_JSON),
    over_http("http_large_json", '["float32", [1000000], "82b42b10e4ed'),
    over_http("http_large_binary", _NO_JSON),
    over_http("http_metadata", '"version": "1.7.1"', exchanges=3),
    over_http("http_unknown_model", '"status": "404", "error": "Model tulips not found"'),
    over_http("http_bad_shape", '"status": "500"'),
    over_http("http_concurrent", '"id": "call-39"', exchanges=40),
    over_http("http_raw", '["ce-id", "call-7"]'),
    over_http("http_raw_gzip", '["content-encoding", "gzip"]'),
    over_http("http_raw_chunked", '["ce-id", "call-7"]'),
    over_http("http_bad_json", '"status": 422'),
    over_http("http_stream", '["Transfer-Encoding", "chunked"]'),
    over_http("http_stream_gzip", '["content-type", "text/event-stream; charset=utf-8"]'),
    over_http("http_stream_broken", '"whole": false', outcome="upstream_gone"),
    over_http("http_abandoned", '"line": "data: ', outcome="client_gone"),
    over_grpc("grpc_infer", _FLOWERS),
    over_grpc("grpc_gzip", _FLOWERS),
    over_grpc("grpc_deflate", _FLOWERS),
    over_grpc("grpc_large", '["float32", [800000], "56e5adf97856'),
    over_grpc("grpc_large_gzip", '["float32", [400000], "d6233db9cf7c'),
    over_grpc("grpc_too_large", "Received message larger than max (8000038 vs. 4194304)", status=8, sent=0, received=0),
    over_grpc("grpc_metadata", '"version": "1.7.1"', sent=3, received=3, exchanges=3),
    over_grpc("grpc_unknown_model", "Model tulips with version  not found", status=5, received=0),
    over_grpc("grpc_bad_shape", "X has 3 features, but LogisticRegression is expecting 4", status=13, received=0),
    over_grpc("grpc_concurrent", '"id": "call-39"', sent=40, received=40, exchanges=40),
    # tritonclient reads the model's name of each answer as an error: the messages of the two servers differ.
    over_grpc("grpc_stream", '{"status": null, "error": "words"}', received=5),
    over_grpc("bare_stream", _WORDS, received=5),
    over_grpc("bare_stream_gzip", _WORDS, received=5),
    over_grpc("bare_stream_several", '["b-2"], ["c-1"]', sent=3, received=9),
    over_grpc("bare_stream_broken", '"status": "INTERNAL", "details": "the text says so"', status=13, received=2),
    over_grpc("bare_stream_unknown_model", '"status": "NOT_FOUND"', status=5, received=0),
    over_grpc("bare_contents", "int64_contents: 2"),
    over_grpc("bare_unknown_method", '"status": "UNIMPLEMENTED"', status=12, received=0),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with mlserver(tmp_path_factory.mktemp("mlserver")) as ports:
        yield ports


@pytest.fixture(scope="module")
def comparison(server: Ports, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(MLSERVER.python, server, CALLS, tmp_path_factory.mktemp("sidecar"))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_an_answer_is_the_same_through_the_sidecar(comparison: Comparison, call: Call) -> None:
    comparison.check_answer(call)


def test_each_call_is_counted_once(comparison: Comparison) -> None:
    comparison.check_exchanges()


def test_each_grpc_call_is_counted_under_its_status(comparison: Comparison) -> None:
    comparison.check_grpc_calls()


def test_each_message_is_counted_in_its_direction(comparison: Comparison) -> None:
    comparison.check_messages()


def test_nothing_is_a_fault(comparison: Comparison) -> None:
    comparison.check_faults()


def test_a_cancelled_stream_is_one_call_without_a_status(server: Ports, tmp_path: Path) -> None:
    compare(MLSERVER.python, server, [CANCELLED], tmp_path).check_cancelled()


def test_readiness_asks_both_ports(server: Ports, tmp_path: Path) -> None:
    assert readiness(server, "http:/v2/health/ready,tcp", tmp_path) == (200, "ready\n")


def test_readiness_says_what_the_server_lacks(server: Ports, tmp_path: Path) -> None:
    status, reasons = readiness(server, "http:/v2/models/tulips/ready,grpc", tmp_path)
    assert status == 503
    rest, grpc = reasons.split("; ")
    assert rest == f"upstream http://127.0.0.1:{server.http}: HTTP 404"
    assert grpc == f"upstream http://127.0.0.1:{server.grpc}: grpc status 12: it has no health service\n"
