"""Asks in JSON, in binary and over gRPC in turn: ``python traffic.py [--feet]``. ``--feet``: areas in square feet."""

import sys
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http

CALLS, BATCH = 90, 10


def main() -> None:
    """Make 90 calls of 10 houses each."""
    draw = np.random.default_rng(2)
    http = tritonclient.http, tritonclient.http.InferenceServerClient("127.0.0.1:8000")
    grpc = tritonclient.grpc, tritonclient.grpc.InferenceServerClient("127.0.0.1:8001")
    ways: list[tuple[Any, Any, dict[str, bool]]] = [
        (*http, {"binary_data": False}),
        (*http, {"binary_data": True}),
        (*grpc, {}),
    ]
    for call in range(CALLS):
        area = draw.lognormal(4.6, 0.4, (BATCH, 1)).round(1) * (10.764 if "--feet" in sys.argv else 1)
        columns = {"area_m2": area, "age_years": draw.integers(0, 81, (BATCH, 1))}
        package, client, form = ways[call % 3]
        tensors = [package.InferInput(name, column.shape, "FP32") for name, column in columns.items()]
        for tensor, column in zip(tensors, columns.values(), strict=True):
            tensor.set_data_from_numpy(column.astype(np.float32), **form)
        client.infer("houses", tensors, outputs=[package.InferRequestedOutput("price", **form)])
    http[1].close()
    grpc[1].close()


if __name__ == "__main__":
    main()
