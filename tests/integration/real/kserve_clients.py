"""All ways to ask KServe, by the SDK's own clients: run by `tests.integration.real.watched` in the server's environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from cloudevents.http import CloudEvent, to_binary, to_structured
from kserve import (  # type: ignore[import-not-found,unused-ignore]
    InferenceGRPCClient,
    InferenceRESTClient,
    InferInput,
    InferRequest,
    RESTConfig,
)

from tests.integration.real.errands import Answer, Errand, run_errands
from tests.integration.real.houses import Table, rows_of

MODEL = "houses"


async def _v1(errand: Errand, event: Callable[[CloudEvent], tuple[Mapping[str, str], bytes]] | None = None) -> list[Answer]:
    answers: list[Answer] = []
    async with InferenceRESTClient(RESTConfig(protocol="v1")) as client:
        for table in errand.tables:
            body: Any = {"instances": rows_of(table)}
            headers: Mapping[str, str] = {}
            if event is not None:
                headers, body = event(CloudEvent({"type": "houses.asked", "source": "/tests"}, body))
            heads: dict[str, str] = {}
            found = await client.infer(f"http://127.0.0.1:{errand.http}", body, MODEL, headers, heads)
            kind = found.get("type", heads.get("ce-type"))  # an event's id and time differ from run to run
            answers.append({"prices": found.get("data", found)["predictions"], "event": kind, "type": heads["content-type"]})
    return answers


def _request(table: Table, *, binary: bool) -> Any:
    inputs = []
    for name, datatype, kind in (
        ("area_m2", "FP64", np.float64),
        ("age_years", "INT64", np.int64),
        ("district", "BYTES", np.object_),
    ):
        tensor = InferInput(name, [len(table[name]), 1], datatype)
        tensor.set_data_from_numpy(np.array(table[name], kind).reshape(-1, 1), binary_data=binary)
        inputs.append(tensor)
    return InferRequest(MODEL, inputs, request_id="call-7", parameters={"binary_data_output": True} if binary else None)


def _answer(response: Any) -> Answer:
    (output,) = response.outputs
    return {
        "prices": output.as_numpy().tolist(),
        "name": output.name,
        "type": output.datatype,
        "shape": list(output.shape),
        "id": response.id,
    }


async def _v2(errand: Errand, *, binary: bool) -> list[Answer]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        url = f"http://127.0.0.1:{errand.http}"
        return [_answer(await client.infer(url, _request(table, binary=binary), MODEL)) for table in errand.tables]


async def _grpc(errand: Errand, *, binary: bool) -> list[Answer]:
    async with InferenceGRPCClient(f"127.0.0.1:{errand.grpc}") as client:
        return [_answer(await client.infer(_request(table, binary=binary))) for table in errand.tables]


if __name__ == "__main__":
    run_errands(
        {
            "v1": lambda errand: asyncio.run(_v1(errand)),
            "v1_event_binary": lambda errand: asyncio.run(_v1(errand, to_binary)),
            "v1_event_structured": lambda errand: asyncio.run(_v1(errand, to_structured)),
            "v2": lambda errand: asyncio.run(_v2(errand, binary=False)),
            "v2_binary": lambda errand: asyncio.run(_v2(errand, binary=True)),
            "grpc": lambda errand: asyncio.run(_grpc(errand, binary=False)),
            "grpc_binary": lambda errand: asyncio.run(_grpc(errand, binary=True)),
        }
    )
