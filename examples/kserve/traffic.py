"""Calls the model through Outrider: ``python traffic.py [--feet]``. With ``--feet`` areas come in square feet: drift."""

import asyncio
import sys

import numpy as np
import pandas as pd
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

REST, GRPC = "http://127.0.0.1:8000", "127.0.0.1:8001"
CALLS = 30


def houses(chance: np.random.Generator, unit: float) -> pd.DataFrame:
    """Make ten houses up."""
    return pd.DataFrame(
        {
            "area_m2": (chance.lognormal(4.6, 0.4, 10) * unit).round(1),
            "age_years": chance.integers(0, 81, 10),
            "district": chance.choice(["north", "south", "west"], 10, p=[0.5, 0.3, 0.2]).astype(object),
        }
    )


def tensors(table: pd.DataFrame, *, binary: bool) -> InferRequest:
    """Write one tensor for each column."""
    inputs = []
    for name, datatype in (("area_m2", "FP64"), ("age_years", "INT64"), ("district", "BYTES")):
        inputs.append(InferInput(name, [len(table)], datatype))
        inputs[-1].set_data_from_numpy(table[name].to_numpy(), binary_data=binary)
    return InferRequest("houses", inputs)


async def main() -> None:
    """Ask in four ways, each for other houses."""
    feet = "--feet" in sys.argv
    chance, unit = np.random.default_rng(3 if feet else 2), 10.764 if feet else 1.0
    v1, v2, grpc = (
        InferenceRESTClient(RESTConfig(protocol="v1")),
        InferenceRESTClient(RESTConfig(protocol="v2")),
        InferenceGRPCClient(GRPC),
    )
    async with v1, v2, grpc:
        for _ in range(CALLS):
            await v1.infer(REST, {"instances": houses(chance, unit).to_dict("records")}, "houses")
            await v2.infer(REST, tensors(houses(chance, unit), binary=False), "houses")
            await v2.infer(REST, tensors(houses(chance, unit), binary=True), "houses")
            await grpc.infer(tensors(houses(chance, unit), binary=False))


if __name__ == "__main__":
    asyncio.run(main())
