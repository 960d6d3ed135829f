"""The route table."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent.decode.format import Format
from agent.decode.routes import GRPC_METHODS, MAX_REMEMBERED, MAX_REMEMBERED_TARGET, OTHER, ROUTES, Routes, path_of
from agent.spelling import CustomRoute


@pytest.mark.parametrize(
    ("method", "target", "template", "format", "model", "version"),
    [
        ("POST", "/v1/models/m:predict", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("POST", "/v1/models/m%3Apredict?a=b", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("POST", "/v1/models/a:b:predict", "/v1/models/{model}:predict", "kserve-v1", "a:b", ""),
        ("POST", "http://host:80/v1/models/m:predict", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("POST", "HTTPS://user@[::1]:80/invocations?a=/b", "/invocations", "invocations", "", ""),
        ("GET", "http://host/", "/", "", "", ""),
        ("GET", "http://host?a=b", "/", "", "", ""),
        ("GET", "/v1/models/m:predict", "/v1/models/{model}:predict", "", "m", ""),
        ("POST", "/v1/models/m:explain", "/v1/models/{model}:explain", "kserve-v1-explain", "m", ""),
        (
            "POST",
            "/v1/models/m/labels/c:classify",
            "/v1/models/{model}/labels/{version}:classify",
            "tensorflow-serving",
            "m",
            "c",
        ),
        ("POST", "/v2/models/m/infer", "/v2/models/{model}/infer", "open-inference", "m", ""),
        ("POST", "/v2/models/m/versions/3/infer", "/v2/models/{model}/versions/{version}/infer", "open-inference", "m", "3"),
        ("POST", "/invocations", "/invocations", "invocations", "", ""),
        ("POST", "/models/m/invoke", "/models/{model}/invoke", "invocations", "m", ""),
        ("GET", "/v2/health/live", "/v2/health/live", "", "", ""),
        ("GET", "/v2/models/m/ready", "/v2/models/{model}/ready", "", "m", ""),
        ("GET", "/ping", "/ping", "", "", ""),
        ("GET", "/", "/", "", "", ""),
        ("POST", "/v2/models/a/b/infer", OTHER, "", "", ""),
        ("POST", "/V2/models/a/infer", OTHER, "", "", ""),
        ("POST", "/invocations/", OTHER, "", "", ""),
        ("POST", "", "/", "", "", ""),
        ("OPTIONS", "*", "/", "", "", ""),
        ("POST", "/%ff%fe", OTHER, "", "", ""),
        (
            "POST",
            "/inference.GRPCInferenceService/ModelInfer",
            "/inference.GRPCInferenceService/ModelInfer",
            "open-inference",
            "",
            "",
        ),
        (
            "POST",
            "/tensorflow.serving.PredictionService/Predict",
            "/tensorflow.serving.PredictionService/Predict",
            "tensorflow-serving",
            "",
            "",
        ),
        ("POST", "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Check", "", "", ""),
        ("POST", "/inference.GRPCInferenceService/Modelinfer", OTHER, "", "", ""),
        ("POST", "/inference.GRPCInferenceService/", OTHER, "", "", ""),
        ("POST", "/my.own.Service/Predict", OTHER, "", "", ""),
    ],
)
def test_targets_find_their_route(method: str, target: str, template: str, format: str, model: str, version: str) -> None:
    route = Routes().match(method, target)
    assert (route.template, route.format.name if route.format else "", route.model, route.version) == (
        template, format, model, version,
    )  # fmt: skip


def test_targets_that_never_repeat_do_not_fill_the_memory() -> None:
    routes = Routes()
    for index in range(3 * MAX_REMEMBERED):
        assert routes.match("GET", f"/ping?{index}").template == "/ping"
    assert routes.match("GET", "/ping?" + "x" * MAX_REMEMBERED_TARGET).template == "/ping"
    assert 0 < len(routes._known) <= MAX_REMEMBERED
    assert max(len(target) for _, target in routes._known) <= MAX_REMEMBERED_TARGET


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b?c=/d", "/a/b"),
        ("http://host:80/a/b?c=d", "/a/b"),
        ("http://user:secret@host/a%20b", "/a%20b"),
        ("/http://host/a", "/http://host/a"),
        ("http://host", "/"),
        ("host:443", "/"),
        ("*", "/"),
        ("", "/"),
    ],
)
def test_the_path_of_a_target(target: str, path: str) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(("service", "methods"), GRPC_METHODS.items())
def test_every_known_method_of_grpc_has_a_route(service: str, methods: Mapping[str, Format | None]) -> None:
    paths = {f"/{service}/{method}": wire for method, wire in methods.items()}
    assert [Routes().match("POST", path) for path in paths] == [(path, wire, "", "") for path, wire in paths.items()]


def test_methods_of_grpc_whose_values_are_read() -> None:
    read = {method for methods in GRPC_METHODS.values() for method, wire in methods.items() if wire is not None}
    assert read == {"ModelInfer", "ModelStreamInfer", "Predict", "Classify", "Regress", "MultiInference"}


def test_every_template_matches_what_it_describes() -> None:
    routes = Routes()
    for template, wire in ROUTES:
        filled = template.format(model="m", version="3")
        assert routes.match("POST", filled)[:2] == (template, wire)


def test_configured_routes_win_over_the_tables() -> None:
    routes = Routes((CustomRoute("/{service}/{method}", "$", ""), CustomRoute("/ping", "$", "")))
    assert routes.match("POST", "/grpc.health.v1.Health/Check").template == "/{service}/{method}"
    assert routes.match("POST", "/ping").format is not None


def test_templates_of_configured_routes() -> None:
    routes = Routes((CustomRoute("/api/{tenant}/{model}.json", "$", ""), CustomRoute("/{a}/{a}/{version}", "$", "")))
    assert routes.match("POST", "/api/t/credit.json").model == "credit"
    assert routes.match("POST", "/api/t/creditXjson").template == "/{a}/{a}/{version}"
    assert routes.match("POST", "/x/y/2").version == "2"
