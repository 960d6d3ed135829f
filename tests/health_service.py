"""A real gRPC server with the health service, or without, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager

import grpc

CHECK = "/grpc.health.v1.Health/Check"


@contextmanager
def health_service(statuses: Mapping[str, int]) -> Iterator[int]:
    """Serve statuses by service, as in ``HealthCheckResponse``; none: a server without the service. Gives the port."""

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        service = request[2:].decode()
        if service not in statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return b"\x08" + bytes([statuses[service]])

    server = grpc.server(futures.ThreadPoolExecutor(2))
    if statuses:
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Check": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait(10)
