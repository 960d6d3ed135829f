"""Triton with the three models that MLServer serves too, ``iris``, ``echo`` and ``words``, in Triton's environment.

``python -m tests.integration.real.triton_server HTTP_PORT GRPC_PORT FOLDER``
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

_WEIGHTS = np.array([[0.1, -0.2, 0.3], [0.5, 0.1, -0.4], [-0.3, 0.2, 0.6], [-0.2, 0.1, 0.7]], dtype=np.float32)


def iris(requests: Sequence[Any]) -> list[dict[str, Any]]:
    """The class with the highest score."""
    return [{"predict": np.argmax(request["features"] @ _WEIGHTS, axis=1)} for request in requests]


def echo(requests: Sequence[Any]) -> list[dict[str, Any]]:
    """The tensor as it came."""
    return [{"same": request["data"]} for request in requests]


def words(requests: Sequence[Any]) -> Iterator[list[dict[str, Any]]]:
    """The words of the text, one message each, 5 ms apart; the word ``fail`` breaks it."""
    for word in requests[0]["text"].item().decode().split():
        if word == "fail":
            raise ValueError("the text says so")
        time.sleep(0.005)
        yield [{"word": np.array([word.encode()], dtype=np.object_)}]


def main(http_port: int, grpc_port: int, folder: str) -> None:
    model_config = importlib.import_module("pytriton.model_config")
    triton = importlib.import_module("pytriton.triton")
    config = triton.TritonConfig(
        http_address="127.0.0.1", http_port=http_port, grpc_address="127.0.0.1", grpc_port=grpc_port,
        allow_metrics=False, grpc_infer_response_compression_level="high", exit_timeout_secs=5,
    )  # fmt: skip

    def tensor(name: str, kind: Any, *shape: int) -> Any:
        return model_config.Tensor(name=name, dtype=kind, shape=shape)

    with triton.Triton(config=config, workspace=folder) as server:
        for function, given, answered in (
            (iris, tensor("features", np.float32, -1, 4), tensor("predict", np.int64, -1)),
            (echo, tensor("data", np.float32, -1), tensor("same", np.float32, -1)),
            (words, tensor("text", np.bytes_, 1), tensor("word", np.bytes_, 1)),
        ):
            server.bind(
                model_name=function.__name__, infer_func=function, inputs=[given], outputs=[answered],
                config=model_config.ModelConfig(batching=False, decoupled=function is words),
            )  # fmt: skip
        server.serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
