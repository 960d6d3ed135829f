"""Asks about flowers over REST and gRPC in turn: ``python traffic.py [--mm]``. With ``--mm`` petals are in millimetres: drift."""

import csv
import random
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc
import tritonclient.http

MODEL, TENSOR, CALLS, BATCH = "iris", "features", 60, 10


def main() -> None:
    """Make 60 calls of 10 flowers each."""
    with Path("build/training.csv").open() as file:
        flowers = [[float(cell) for cell in row[:4]] for row in list(csv.reader(file))[1:]]
    draw = random.Random(2)  # noqa: S311 - not for secrets
    clients = [
        (tritonclient.http, tritonclient.http.InferenceServerClient("127.0.0.1:8000")),
        (tritonclient.grpc, tritonclient.grpc.InferenceServerClient("127.0.0.1:8001")),
    ]
    for call in range(CALLS):
        rows = np.array(draw.choices(flowers, k=BATCH), dtype=np.float64)
        if "--mm" in sys.argv:
            rows[:, 2] *= 10
        package, client = clients[call % 2]
        tensor = package.InferInput(TENSOR, rows.shape, "FP64")
        # MLServer takes JSON only over REST; gRPC has no such choice.
        tensor.set_data_from_numpy(rows, **({"binary_data": False} if package is tritonclient.http else {}))
        client.infer(MODEL, [tensor], outputs=[package.InferRequestedOutput("predict")])
    for _, client in clients:
        client.close()


if __name__ == "__main__":
    main()
