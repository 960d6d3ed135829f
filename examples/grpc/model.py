"""A model server with two ports, as Triton and MLServer have: the Open Inference protocol over REST and over gRPC.

``python model.py``: REST on 127.0.0.1:8080, gRPC on 127.0.0.1:8081. Nothing but the standard library and grpcio.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import open_inference  # type: ignore[import-not-found]  # it lies beside this file


def prices(numbers: Sequence[float]) -> list[float]:
    """Estimate the price of each house, in thousands, from its area and age, two numbers each."""
    return [40 + 2.5 * area - 0.6 * age for area, age in zip(numbers[::2], numbers[1::2], strict=True)]


# REST


class Rest(BaseHTTPRequestHandler):
    """Answers ``POST /v2/models/houses/infer`` and the question whether the model is ready."""

    protocol_version = "HTTP/1.1"  # keep-alive
    wbufsize = -1  # head and body leave together

    def do_GET(self) -> None:
        """Be ready."""
        self._answer(200 if self.path == "/v2/health/ready" else 404, b"")

    def do_POST(self) -> None:
        """Predict each house."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        (tensor,) = request["inputs"]
        found = prices(tensor["data"])
        output = {"name": "price", "datatype": "FP32", "shape": [len(found)], "data": found}
        self._answer(200, json.dumps({"model_name": "houses", "outputs": [output]}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


# gRPC


def infer(request: Any, context: grpc.ServicerContext) -> Any:
    """Answer one call."""
    if len(request.raw_input_contents) != 1:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "one tensor, please")
    found = prices(open_inference.unpack(request.raw_input_contents[0]))
    response = open_inference.Response(model_name="houses", id=request.id)
    response.outputs.add(name="price", datatype="FP32", shape=[len(found)])
    response.raw_output_contents.append(open_inference.pack(found))
    return response


def infer_stream(requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    """Answer each message of a stream as it comes."""
    for request in requests:
        yield open_inference.StreamResponse(infer_response=infer(request, context))


def be_ready(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    """Answer gRPC's own health check: field 1, SERVING."""
    return b"\x08\x01"


def handlers() -> list[grpc.GenericRpcHandler]:
    """Say which method does what."""
    reads, writes = open_inference.Request.FromString, open_inference.Response.SerializeToString
    streams = open_inference.StreamResponse.SerializeToString
    inference = {
        "ModelInfer": grpc.unary_unary_rpc_method_handler(infer, reads, writes),
        "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(infer_stream, reads, streams),
    }
    health: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Check": grpc.unary_unary_rpc_method_handler(be_ready)}
    services = {open_inference.SERVICE: inference, "grpc.health.v1.Health": health}
    return [grpc.method_handlers_generic_handler(name, methods) for name, methods in services.items()]


if __name__ == "__main__":
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(handlers())
    server.add_insecure_port("127.0.0.1:8081")
    server.start()
    ThreadingHTTPServer(("127.0.0.1", 8080), Rest).serve_forever()
