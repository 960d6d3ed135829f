"""Triton behind the sidecar, called by its public clients: nothing of any answer changes, and every call is counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.real.comparison import CANCELLED, Call, Comparison, compare, over_grpc, over_http, readiness
from tests.integration.real.environments import TRITON
from tests.integration.real.servers import Ports, triton

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

_FLOWERS = '"tensor": ["int64", [3], [0, 2, 2]]'
_BINARY = '"parameters": {"binary_data_size": 24}'
_BAD_SHAPE = "unexpected shape for input 'features' for model 'iris'. Expected [-1,4], got [3,3]"
_FIVE = '{"tensor": ["object", [1], ["five"]]'

CALLS = (
    over_http("http_json", _FLOWERS),
    over_http("http_binary", _BINARY),
    over_http("http_binary_in", _FLOWERS),
    over_http("http_binary_out", _BINARY),
    over_http("http_gzip", _FLOWERS),
    over_http("http_gzip_binary", _BINARY),
    over_http("http_deflate", _FLOWERS),
    over_http("http_large_json", '["float32", [1000000], "82b42b10e4ed'),
    over_http("http_large_binary", '["float32", [1000000], "82b42b10e4ed'),
    over_http("http_metadata", '"version": "2.51.0"', exchanges=3),
    over_http("http_unknown_model", '"status": "404", "error": "Request for unknown model: \'tulips\' is not found"'),
    over_http("http_bad_shape", _BAD_SHAPE),
    over_http("http_concurrent", '"id": "call-39"', exchanges=40),
    over_http("http_raw", "call-7"),
    over_http("http_raw_gzip", '["Content-Encoding", "gzip"]'),
    over_http("http_raw_chunked", "call-7"),
    over_http("http_bad_json", "failed to parse the request JSON buffer"),
    over_http("http_stream", '["Transfer-Encoding", "chunked"]'),
    over_http("http_stream_gzip", '["Transfer-Encoding", "chunked"]'),
    over_http("http_stream_broken", "the text says so"),
    over_http("http_abandoned", '"line": "data: ', outcome="client_gone"),
    over_grpc("grpc_infer", _FLOWERS),
    over_grpc("grpc_gzip", _FLOWERS),
    over_grpc("grpc_deflate", _FLOWERS),
    over_grpc("grpc_large", '["float32", [800000], "56e5adf97856'),
    over_grpc("grpc_large_gzip", '["float32", [400000], "d6233db9cf7c'),
    over_grpc("grpc_too_large", '["float32", [2000000], "d18a2ceb742a'),  # not for Triton: it takes up to 2 GB
    over_grpc("grpc_metadata", '"version": "2.51.0"', sent=3, received=3, exchanges=3),
    over_grpc("grpc_unknown_model", "Request for unknown model: 'tulips' is not found", status=5, received=0),
    over_grpc("grpc_bad_shape", _BAD_SHAPE, status=3, received=0),
    over_grpc("grpc_concurrent", '"id": "call-39"', sent=40, received=40, exchanges=40),
    over_grpc("grpc_stream", _FIVE, received=5),
    over_grpc("grpc_stream_gzip", _FIVE, received=5),
    over_grpc("grpc_stream_several", '["c-4"]', sent=3, received=9),
    # Triton tells the fault of a stream's call in a message: the stream itself goes well.
    over_grpc("grpc_stream_broken", "the text says so", received=3),
    over_grpc("grpc_stream_unknown_model", "Request for unknown model: 'tulips' is not found"),
    over_grpc("bare_contents", "raw_output_contents"),
    over_grpc("bare_unknown_method", '"status": "UNIMPLEMENTED"', status=12, received=0),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    with triton(tmp_path_factory.mktemp("triton")) as ports:
        yield ports


@pytest.fixture(scope="module")
def comparison(server: Ports, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(TRITON.python, server, CALLS, tmp_path_factory.mktemp("sidecar"))


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
    compare(TRITON.python, server, [CANCELLED], tmp_path).check_cancelled()


def test_readiness_asks_both_ports(server: Ports, tmp_path: Path) -> None:
    assert readiness(server, "http:/v2/health/ready,grpc", tmp_path) == (200, "ready\n")


def test_readiness_says_what_the_server_lacks(server: Ports, tmp_path: Path) -> None:
    said = readiness(server, "http:/v2/models/tulips/ready,grpc", tmp_path)
    assert said == (503, f"upstream http://127.0.0.1:{server.http}: HTTP 400\n")
