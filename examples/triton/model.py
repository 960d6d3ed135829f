"""Triton with a model in Python, from the package nvidia-pytriton: REST on 127.0.0.1:8080, gRPC on 127.0.0.1:8081.

The columns are tensors of their own, as in a model repository that names each input.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

COLUMN = (-1, 1)


def houses(requests: Sequence[Any]) -> list[dict[str, Any]]:
    """Estimate the price of each house, in thousands, from its area and age."""
    return [{"price": 40 + 2.5 * request["area_m2"] - 0.6 * request["age_years"]} for request in requests]


def main(workspace: str) -> None:
    """Serve it."""
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=8080,
        grpc_address="127.0.0.1",
        grpc_port=8081,
        allow_metrics=False,
        exit_timeout_secs=5,
    )
    with Triton(config=config, workspace=workspace) as triton:
        triton.bind(
            model_name="houses",
            infer_func=houses,
            inputs=[Tensor(name=name, dtype=np.float32, shape=COLUMN) for name in ("area_m2", "age_years")],
            outputs=[Tensor(name="price", dtype=np.float32, shape=COLUMN)],
            config=ModelConfig(batching=False),
        )
        triton.serve()


if __name__ == "__main__":
    main(sys.argv[1])
