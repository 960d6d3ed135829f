"""Calls over gRPC: by tritonclient, and by a bare channel for what it can't do."""

from __future__ import annotations

import contextlib
import importlib
import queue
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.integration.real.clients import FLOWERS, Clients, shown

_SERVICE = "/inference.GRPCInferenceService/"


def _given(clients: Clients, name: str, tensor: npt.NDArray[Any]) -> Any:
    kind = "BYTES" if tensor.dtype == np.object_ else "FP32"
    given = clients.grpc.InferInput(name, list(tensor.shape), kind)
    given.set_data_from_numpy(tensor)
    return given


def _infer(
    clients: Clients, tensor: npt.NDArray[Any], *, model: str = "iris", name: str = "features", output: str = "predict",
    **options: Any,
) -> Any:  # fmt: skip
    """One call by tritonclient: the outputs, or the status with its text."""
    given = _given(clients, name, tensor)
    return _answer(clients, lambda: clients.over_grpc.infer(model, [given], request_id="call-7", **options), output)


def _answer(clients: Clients, call: Callable[[], Any], output: str) -> Any:
    try:
        result = call()
    except clients.grpc.InferenceServerException as error:
        return {"status": error.status(), "error": error.message()}
    return _result(result, output)


def _result(result: Any, output: str) -> Any:
    response = result.get_response(as_json=True)
    response.pop("raw_output_contents", None)
    for tensor in response["outputs"]:
        tensor.pop("contents", None)
    return {"tensor": shown(result.as_numpy(output)), "response": response}


def grpc_infer(clients: Clients) -> Any:
    return _infer(clients, FLOWERS)


def grpc_gzip(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, compression_algorithm="gzip")


def grpc_deflate(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, compression_algorithm="deflate")


def grpc_large(clients: Clients) -> Any:
    """3.2 MB each way: below the 4 MiB that gRPC takes by default, above all windows and many frames long."""
    return _infer(clients, np.random.default_rng(3).random(800_000, dtype=np.float32), model="echo", name="data", output="same")


def grpc_large_gzip(clients: Clients) -> Any:
    tensor = np.repeat(np.arange(20_000, dtype=np.float32), 20)
    return _infer(clients, tensor, model="echo", name="data", output="same", compression_algorithm="gzip")


def grpc_too_large(clients: Clients) -> Any:
    """8 MB: refused by a server that keeps gRPC's default limit, before it has read the request."""
    return _infer(clients, np.ones(2_000_000, dtype=np.float32), model="echo", name="data", output="same")


def grpc_metadata(clients: Clients) -> Any:
    client = clients.over_grpc
    server, model = client.get_server_metadata(as_json=True), client.get_model_metadata("iris", as_json=True)
    return [client.is_server_ready(), server, model]


def grpc_unknown_model(clients: Clients) -> Any:
    return _infer(clients, FLOWERS, model="tulips")


def grpc_bad_shape(clients: Clients) -> Any:
    return _infer(clients, FLOWERS[:, :3])


def grpc_concurrent(clients: Clients) -> Any:
    """40 calls under way at once on one connection."""
    done: queue.Queue[tuple[int, Any]] = queue.Queue()
    for at in range(40):
        given = _given(clients, "data", np.arange(at, at + 20, dtype=np.float32))

        def ended(result: Any, error: Any, at: int = at) -> None:
            done.put((at, str(error) if result is None else _result(result, "same")))

        clients.over_grpc.async_infer("echo", [given], ended, request_id=f"call-{at}")
    return [answer for _, answer in sorted((done.get(timeout=60) for _ in range(40)), key=lambda pair: pair[0])]


def _stream(clients: Clients, texts: Sequence[str], model: str = "words", **options: Any) -> Any:
    """One stream by tritonclient: every answer and every error, in order."""
    came: list[Any] = []

    def take(result: Any, error: Any) -> None:
        came.append({"status": error.status(), "error": error.message()} if result is None else _result(result, "word"))

    with clients.grpc.InferenceServerClient(f"127.0.0.1:{clients.grpc_port}") as client:
        client.start_stream(take, **options)
        for text in texts:
            given = _given(clients, "text", np.array([text.encode()], dtype=np.object_))
            client.async_stream_infer(model, [given], request_id=f"call-{text[:3]}")
        client.stop_stream()
    return came


def grpc_stream(clients: Clients) -> Any:
    return _stream(clients, ["one two three four five"])


def grpc_stream_gzip(clients: Clients) -> Any:
    return _stream(clients, ["one two three four five"], compression_algorithm="gzip")


def grpc_stream_several(clients: Clients) -> Any:
    """Three requests on one stream. Triton answers them at once, so only the order within each is certain."""
    came = _stream(clients, ["a-1 a-2 a-3", "b-1 b-2", "c-1 c-2 c-3 c-4"])
    return sorted(came, key=str)


def grpc_stream_broken(clients: Clients) -> Any:
    """The model fails after two words."""
    return _stream(clients, ["one two fail three"])


def grpc_stream_unknown_model(clients: Clients) -> Any:
    return _stream(clients, ["one"], model="tulips")


def _question(clients: Clients, text: str, model: str = "words") -> Any:
    messages = clients.messages
    contents = messages.InferTensorContents(bytes_contents=[text.encode()])
    tensor = messages.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1], contents=contents)
    return messages.ModelInferRequest(model_name=model, id="call-7", inputs=[tensor])


def _bare_stream(clients: Clients, requests: Sequence[Any], *, packed: bool = False) -> Any:
    """MLServer streams plain responses, which tritonclient misreads: the right messages on a bare channel."""
    grpc = importlib.import_module("grpc")
    call = clients.channel.stream_stream(
        f"{_SERVICE}ModelStreamInfer",
        request_serializer=clients.messages.ModelInferRequest.SerializeToString,
        response_deserializer=clients.messages.ModelInferResponse.FromString,
    )(iter(requests), timeout=60, compression=grpc.Compression.Gzip if packed else None)
    came: list[Any] = []
    with contextlib.suppress(grpc.RpcError):
        came.extend(_words(response) for response in call)
    return {"words": came, "status": call.code().name, "details": call.details(), "trailers": _trailers(call)}


def _words(response: Any) -> list[str]:
    return [value.decode() for output in response.outputs for value in output.contents.bytes_contents]


def _trailers(call: Any) -> list[list[str]]:
    return [[one.key, str(one.value)] for one in call.trailing_metadata()]


def bare_stream(clients: Clients) -> Any:
    return _bare_stream(clients, [_question(clients, "one two three four five")])


def bare_stream_gzip(clients: Clients) -> Any:
    return _bare_stream(clients, [_question(clients, "one two three four five")], packed=True)


def bare_stream_several(clients: Clients) -> Any:
    return _bare_stream(clients, [_question(clients, text) for text in ("a-1 a-2 a-3", "b-1 b-2", "c-1 c-2 c-3 c-4")])


def bare_stream_broken(clients: Clients) -> Any:
    return _bare_stream(clients, [_question(clients, "one two fail three")])


def bare_stream_unknown_model(clients: Clients) -> Any:
    return _bare_stream(clients, [_question(clients, "one", model="tulips")])


def bare_contents(clients: Clients) -> Any:
    """A tensor as numbers of the message, where tritonclient only ever writes raw bytes."""
    messages = clients.messages
    contents = messages.InferTensorContents(fp32_contents=FLOWERS.ravel().tolist())
    tensor = messages.ModelInferRequest.InferInputTensor(
        name="features", datatype="FP32", shape=list(FLOWERS.shape), contents=contents
    )
    request = messages.ModelInferRequest(model_name="iris", id="call-7", inputs=[tensor])
    response, call = clients.channel.unary_unary(
        f"{_SERVICE}ModelInfer",
        request_serializer=messages.ModelInferRequest.SerializeToString,
        response_deserializer=messages.ModelInferResponse.FromString,
    ).with_call(request, timeout=60)
    return {"response": str(response), "status": call.code().name, "trailers": _trailers(call)}


def bare_unknown_method(clients: Clients) -> Any:
    grpc = importlib.import_module("grpc")
    try:
        clients.channel.unary_unary(f"{_SERVICE}ModelTickle")(b"", timeout=60)
    except grpc.RpcError as error:
        return {"status": error.code().name, "details": error.details(), "trailers": _trailers(error)}
    raise AssertionError("a method that nobody has was answered")


def bare_cancelled(clients: Clients) -> Any:
    """The client goes after three of 400 words."""
    call = clients.channel.stream_stream(
        f"{_SERVICE}ModelStreamInfer",
        request_serializer=clients.messages.ModelInferRequest.SerializeToString,
        response_deserializer=bytes,
    )(iter([_question(clients, "word " * 400)]), timeout=60)
    came = [next(call).hex() for _ in range(3)]
    call.cancel()
    return {"messages": came, "status": call.code().name}
