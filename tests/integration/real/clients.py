"""Call a model server with its public clients, in the server's environment, and print every answer as one JSON object.

``python -m tests.integration.real.clients HTTP_PORT GRPC_PORT CALL...``: a call is the name of a function in ``http_calls`` or
``grpc_calls``. What a call gives back holds nothing that may differ between two runs: no times, no ports, no random ids.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import importlib.util
import json
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

SHOWN = 32
"""Tensors with more elements are shown by their digest."""

FLOWERS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]], dtype=np.float32)
"""What ``iris`` is asked."""


@dataclass(frozen=True)
class Clients:
    """One client for each port, kept over all calls, so that connections and header tables live as long as a user's would.

    Parameters
    ----------
    http_port, grpc_port
        Ports on loopback: the server's own, or those of the sidecar before it.
    """

    http_port: int
    grpc_port: int

    @cached_property
    def http(self) -> Any:
        """The package ``tritonclient.http``."""
        return importlib.import_module("tritonclient.http")

    @cached_property
    def grpc(self) -> Any:
        """The package ``tritonclient.grpc``."""
        return importlib.import_module("tritonclient.grpc")

    @cached_property
    def over_http(self) -> Any:
        """The client of tritonclient over HTTP, with up to 4 connections."""
        return self.http.InferenceServerClient(f"127.0.0.1:{self.http_port}", concurrency=4)

    @cached_property
    def over_grpc(self) -> Any:
        """The client of tritonclient over gRPC."""
        return self.grpc.InferenceServerClient(f"127.0.0.1:{self.grpc_port}")

    @cached_property
    def channel(self) -> Any:
        """A bare channel, for what tritonclient can't do."""
        return importlib.import_module("grpc").insecure_channel(f"127.0.0.1:{self.grpc_port}")

    @cached_property
    def takes_plain_text(self) -> bool:
        """Whether a stream's request is Triton's; nothing is asked for it, so nothing is counted."""
        return importlib.util.find_spec("pytriton") is not None

    @cached_property
    def messages(self) -> Any:
        """The messages of the protocol."""
        return importlib.import_module("tritonclient.grpc.service_pb2")

    def close(self) -> None:
        """Close what was opened. Left to the interpreter's end, tritonclient sometimes waits for ever."""
        for name in ("over_http", "over_grpc", "channel"):
            if name in self.__dict__:
                getattr(self, name).close()


def shown(tensor: npt.NDArray[Any] | None) -> Any:
    """A tensor as JSON: type, shape, and values or their digest."""
    if tensor is None:
        return None
    if tensor.dtype == np.object_:
        return [str(tensor.dtype), list(tensor.shape), [bytes(value).decode() for value in tensor.ravel()]]
    if tensor.size > SHOWN:
        return [str(tensor.dtype), list(tensor.shape), hashlib.sha256(tensor.tobytes()).hexdigest()]
    return [str(tensor.dtype), list(tensor.shape), tensor.ravel().tolist()]


def unpacked(headers: list[tuple[str, str]], body: bytes) -> str:
    """A body as text. Its compressed form isn't compared: gzip writes the time into it."""
    packed = any(name.lower() == "content-encoding" and value == "gzip" for name, value in headers)
    return (gzip.decompress(body) if packed else body).decode()


def main(http_port: int, grpc_port: int, names: list[str]) -> None:
    calls = [importlib.import_module(f"tests.integration.real.{module}") for module in ("http_calls", "grpc_calls")]
    clients = Clients(http_port, grpc_port)
    answers = {}
    for name in names:
        call = next(getattr(module, name) for module in calls if hasattr(module, name))
        answers[name] = call(clients)
    clients.close()
    print(json.dumps(answers))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
