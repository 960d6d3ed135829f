"""The route table."""

from __future__ import annotations

import pytest

from agent.decode.routes import MAX_REMEMBERED, MAX_REMEMBERED_TARGET, OTHER, Routes
from agent.spelling import CustomRoute


@pytest.mark.parametrize(
    ("method", "target", "template", "format", "model", "version"),
    [
        ("POST", "/v1/models/m:predict", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("POST", "/v1/models/m%3Apredict?a=b", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("POST", "/v1/models/a:b:predict", "/v1/models/{model}:predict", "kserve-v1", "a:b", ""),
        ("POST", "http://host:80/v1/models/m:predict", "/v1/models/{model}:predict", "kserve-v1", "m", ""),
        ("GET", "/v1/models/m:predict", "/v1/models/{model}:predict", "", "m", ""),
        ("POST", "/v1/models/m:explain", "/v1/models/{model}:explain", "", "m", ""),
        ("POST", "/v2/models/m/infer", "/v2/models/{model}/infer", "open-inference", "m", ""),
        ("POST", "/v2/models/m/versions/3/infer", "/v2/models/{model}/versions/{version}/infer", "open-inference", "m", "3"),
        ("POST", "/invocations", "/invocations", "mlflow", "", ""),
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


def test_templates_of_configured_routes() -> None:
    routes = Routes((CustomRoute("/api/{tenant}/{model}.json", "$", ""), CustomRoute("/{a}/{a}/{version}", "$", "")))
    assert routes.match("POST", "/api/t/credit.json").model == "credit"
    assert routes.match("POST", "/api/t/creditXjson").template == "/{a}/{a}/{version}"
    assert routes.match("POST", "/x/y/2").version == "2"
