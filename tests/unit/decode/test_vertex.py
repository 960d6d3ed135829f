"""Vertex AI's route, as the environment names it."""

from __future__ import annotations

import pytest

from agent import config
from agent.decode.decoder import Decoder
from tests.exchanges import as_lists, exchange, json_exchange, request_bytes, response_bytes


@pytest.mark.parametrize("path", ["/predict", "/v1/endpoints/7/deployedModels/8:predict", "/invocations", "/v1/models/m:predict"])
def test_the_route_of_the_environment_is_read(path: str) -> None:
    decoder = Decoder(config.load({"AIP_PREDICT_ROUTE": path}).routes)
    question = {"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "parameters": {"threshold": 0.5}}
    answer = {"predictions": [0.5, 0.25], "deployedModelId": "8", "model": "projects/p/models/m", "modelVersionId": "3"}
    (batch,) = decoder.decode([json_exchange(path, question, answer)]).batches
    assert (batch.format, batch.model, batch.version) == ("vertex-ai", "", "")
    assert as_lists(batch.inputs) == {"a": [1.0, 2.0], "b": ["x", None]}
    assert as_lists(batch.outputs) == {"0": [0.5, 0.25]}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/well", "/v1/endpoints/7/deployedModels/8", "/ping"])
def test_the_route_of_probes_is_known_and_not_read(method: str, path: str) -> None:
    decoder = Decoder(config.load({"AIP_HEALTH_ROUTE": path, "AIP_PREDICT_ROUTE": path + ":predict"}).routes)
    probe = exchange(request_bytes(path, b"{}", method=method), response_bytes(b"{}"))
    result = decoder.decode([probe, json_exchange(path + ":predict", {"instances": [[1]]}, {"predictions": [1]})])
    assert result.routes == [path, path + ":predict"]
    assert (result.undecoded, result.unobserved, result.decoded) == ({}, {}, {"vertex-ai": 1})


def test_a_route_of_the_users_own_wins() -> None:
    routes = config.load({"AIP_PREDICT_ROUTE": "/predict", "OUTRIDER_ROUTES": "/predict inputs=$.rows"}).routes
    (batch,) = Decoder(routes).decode([json_exchange("/predict", {"rows": [[1]]}, {})]).batches
    assert batch.format == "custom"
