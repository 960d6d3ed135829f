"""Calls the model through Outrider over REST and gRPC: ``python client.py``. With ``--ca FILE`` it speaks TLS."""

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from ssl import create_default_context
from typing import Any

import grpc
import open_inference  # type: ignore[import-not-found]  # it lies beside this file

HOUSES = [(52.0, 12.0), (81.5, 30.0), (120.0, 4.0), (64.0, 55.0), (97.0, 8.0)]
"""Area in square metres, age in years."""


def over_rest(base: str, ca: str) -> list[float]:
    """Ask for all houses in one call."""
    data = [number for house in HOUSES for number in house]
    tensor = {"name": "features", "datatype": "FP32", "shape": [len(HOUSES), 2], "data": data}
    call = urllib.request.Request(  # noqa: S310 - the addresses are those below
        f"{base}/v2/models/houses/infer", json.dumps({"inputs": [tensor]}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(call, context=create_default_context(cafile=ca) if ca else None) as answer:  # noqa: S310
        found: list[float] = json.load(answer)["outputs"][0]["data"]
    return found


def request_for(house: tuple[float, float]) -> Any:
    """Write the request for one house."""
    request = open_inference.Request(model_name="houses")
    request.inputs.add(name="features", datatype="FP32", shape=[1, 2])
    request.raw_input_contents.append(open_inference.pack(house))
    return request


def over_grpc(channel: grpc.Channel) -> Iterator[float]:
    """Ask for each house in a call of its own."""
    infer = channel.unary_unary(
        f"/{open_inference.SERVICE}/ModelInfer", open_inference.Request.SerializeToString, open_inference.Response.FromString
    )
    for house in HOUSES:
        yield from open_inference.unpack(infer(request_for(house)).raw_output_contents[0])
    try:
        infer(open_inference.Request(model_name="houses"))
    except grpc.RpcError as error:
        print(f"a call without a tensor: {error.code().name}")


def over_a_stream(channel: grpc.Channel) -> Iterator[float]:
    """Ask for all houses in one stream, one message each."""
    infer = channel.stream_stream(
        f"/{open_inference.SERVICE}/ModelStreamInfer",
        open_inference.Request.SerializeToString,
        open_inference.StreamResponse.FromString,
    )
    for response in infer(map(request_for, HOUSES)):
        yield from open_inference.unpack(response.infer_response.raw_output_contents[0])


def main() -> None:
    """Call in all three ways; the prices are the same each time."""
    ca = sys.argv[sys.argv.index("--ca") + 1] if "--ca" in sys.argv else ""
    print("REST:  ", [round(price, 1) for price in over_rest(f"http{'s' * bool(ca)}://localhost:8000", ca)])
    channel = (
        grpc.secure_channel("localhost:8001", grpc.ssl_channel_credentials(Path(ca).read_bytes()))
        if ca
        else grpc.insecure_channel("localhost:8001")
    )
    with channel:
        print("gRPC:  ", [round(price, 1) for price in over_grpc(channel)])
        print("stream:", [round(price, 1) for price in over_a_stream(channel)])


if __name__ == "__main__":
    main()
