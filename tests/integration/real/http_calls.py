"""Calls over HTTP: by tritonclient, and by the standard library where the headers and the pieces of an answer matter."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.integration.real.clients import FLOWERS, Clients, shown, unpacked

_CHANGING = ("date", "endpoint-load-metrics")
"""Headers that say another thing each time."""


def _infer(
    clients: Clients, tensor: npt.NDArray[Any], *, model: str = "iris", name: str = "features", output: str = "predict",
    binary: bool = False, binary_out: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """One call by tritonclient: the outputs, or the error with its status."""
    given = clients.http.InferInput(name, list(tensor.shape), "FP32")
    given.set_data_from_numpy(tensor, binary_data=binary)
    wanted = clients.http.InferRequestedOutput(output, binary_data=binary_out)
    return _answer(
        clients, lambda: clients.over_http.infer(model, [given], outputs=[wanted], request_id="call-7", **options), output
    )


def _answer(clients: Clients, call: Callable[[], Any], output: str) -> Any:
    try:
        result = call()
    except clients.http.InferenceServerException as error:
        return {"status": error.status(), "error": error.message()}
    return {"tensor": shown(result.as_numpy(output)), "response": _without_data(result.get_response())}


def _without_data(response: dict[str, Any]) -> dict[str, Any]:
    """The answer's head; its tensors are shown already, and may be long."""
    outputs = [{name: value for name, value in output.items() if name != "data"} for output in response["outputs"]]
    return response | {"outputs": outputs}


def http_json(clients: Clients) -> Any:
    return _infer(clients, FLOWERS)


def http_binary(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, binary=True, binary_out=True)


def http_binary_in(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, binary=True)


def http_binary_out(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, binary_out=True)


def http_gzip(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, request_compression_algorithm="gzip", response_compression_algorithm="gzip")


def http_gzip_binary(clients: Clients) -> Any:
    packing = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
    return _infer(clients, FLOWERS, binary=True, binary_out=True, **packing)


def http_deflate(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, request_compression_algorithm="deflate", response_compression_algorithm="deflate")


def _large(clients: Clients, *, binary: bool) -> Any:
    tensor = np.random.default_rng(3).random(1_000_000, dtype=np.float32)
    return _infer(clients, tensor, model="echo", name="data", output="same", binary=binary, binary_out=binary)


def http_large_json(clients: Clients) -> Any:
    return _large(clients, binary=False)


def http_large_binary(clients: Clients) -> Any:
    return _large(clients, binary=True)


def http_metadata(clients: Clients) -> Any:
    client = clients.over_http
    return [client.is_server_ready(), client.get_server_metadata(), client.get_model_metadata("iris")]


def http_unknown_model(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, model="tulips")


def http_bad_shape(clients: Clients) -> Any:
    """On a connection of its own: MLServer closes it after such an error, without saying so."""
    own = Clients(clients.http_port, clients.grpc_port)
    answer = _infer(own, FLOWERS[:, :3])
    own.over_http.close()
    return answer


def http_concurrent(clients: Clients) -> Any:
    """40 calls under way at once on 4 connections."""
    under_way = []
    for at in range(40):
        tensor = np.arange(at, at + 20, dtype=np.float32)
        given = clients.http.InferInput("data", [20], "FP32")
        given.set_data_from_numpy(tensor, binary_data=False)
        wanted = clients.http.InferRequestedOutput("same", binary_data=False)
        under_way.append(clients.over_http.async_infer("echo", [given], outputs=[wanted], request_id=f"call-{at}"))
    return [_answer(clients, call.get_result, "same") for call in under_way]


def _post(clients: Clients, path: str, body: bytes | Iterable[bytes], **headers: str) -> dict[str, Any]:
    """One call by the standard library, the answer in the pieces in which it came."""
    connection = http.client.HTTPConnection("127.0.0.1", clients.http_port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", path, body, {"content-type": "application/json", **named})
        response = connection.getresponse()
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _CHANGING]
        try:
            body, whole = response.read(), True
        except http.client.IncompleteRead as error:
            body, whole = error.partial, False
        text = unpacked(kept, body)
        return {"status": response.status, "reason": response.reason, "headers": kept, "text": text, "whole": whole}
    finally:
        connection.close()


def _question() -> bytes:
    tensor = {"name": "features", "shape": list(FLOWERS.shape), "datatype": "FP32", "data": FLOWERS.ravel().tolist()}
    return json.dumps({"id": "call-7", "inputs": [tensor]}).encode()


def http_raw(clients: Clients) -> Any:
    return _post(clients, "/v2/models/iris/infer", _question())


def http_raw_gzip(clients: Clients) -> Any:
    """Both bodies packed, and seen to be: long enough that both servers think it worth while."""
    tensor = {"name": "data", "shape": [500], "datatype": "FP32", "data": [0.5] * 500}
    body = gzip.compress(json.dumps({"id": "call-7", "inputs": [tensor]}).encode())
    return _post(clients, "/v2/models/echo/infer", body, content_encoding="gzip", accept_encoding="gzip")


def http_raw_chunked(clients: Clients) -> Any:
    """The request in chunks of 50 bytes."""
    body = _question()
    return _post(clients, "/v2/models/iris/infer", (body[at : at + 50] for at in range(0, len(body), 50)))


def http_bad_json(clients: Clients) -> Any:
    return _post(clients, "/v2/models/iris/infer", b'{"inputs": [')


def _text(clients: Clients, text: str) -> tuple[str, bytes]:
    """Path and body of a stream: MLServer wants tensors, Triton takes the text by its name."""
    if clients.takes_plain_text:
        return "/v2/models/words/generate_stream", json.dumps({"text": text}).encode()
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    return "/v2/models/words/infer_stream", json.dumps({"id": "call-7", "inputs": [tensor]}).encode()


def http_stream(clients: Clients) -> Any:
    """Words as server-sent events."""
    return _post(clients, *_text(clients, "one two three four five"), accept_encoding="identity")


def http_stream_gzip(clients: Clients) -> Any:
    return _post(clients, *_text(clients, "one two three four five"), accept_encoding="gzip")


def http_stream_broken(clients: Clients) -> Any:
    """The model fails after two words."""
    return _post(clients, *_text(clients, "one two fail three"), accept_encoding="identity")


def http_abandoned(clients: Clients) -> Any:
    """The client goes after the first of 400 words."""
    path, body = _text(clients, "word " * 400)
    connection = http.client.HTTPConnection("127.0.0.1", clients.http_port, timeout=60)
    connection.request("POST", path, body, {"content-type": "application/json", "accept-encoding": "identity"})
    with connection.getresponse() as response:
        line = response.readline().decode()
    connection.close()
    return {"status": response.status, "line": line}
