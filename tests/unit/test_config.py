"""Settings: read, refused, all faults at once."""

from __future__ import annotations

import pytest

from agent.config import SETTINGS, Settings, describe, load
from agent.errors import ConfigError
from agent.spelling import Address, CustomRoute, Upstream


def faults(**environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        load(environ)
    return raised.value.faults


def test_defaults() -> None:
    settings = load({})
    assert settings.listen == (Address("0.0.0.0", 8000),)
    assert settings.upstream == (Upstream("http", "127.0.0.1", 8080),)
    assert (settings.window_s, settings.pane_s) == (3600, 60)
    assert (settings.capture_bytes, settings.tap_bytes) == (1 << 20, 8 << 20)


def test_the_table_and_the_struct_have_the_same_fields() -> None:
    assert sorted(setting.field for setting in SETTINGS) == sorted(Settings.__struct_fields__)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("OUTRIDER_WINDOW", "90m", "window_s", 5400),
        ("OUTRIDER_DRAIN_DELAY", "250ms", "drain_delay_s", 0.25),
        ("OUTRIDER_DRAIN_DELAY", "0", "drain_delay_s", 0),
        ("OUTRIDER_CAPTURE_BYTES", "64KiB", "capture_bytes", 65536),
        ("OUTRIDER_UPSTREAM", "http://localhost", "upstream", (Upstream("http", "localhost", 80),)),
        ("OUTRIDER_UPSTREAM", "http://[::1]:9000/", "upstream", (Upstream("http", "::1", 9000),)),
        ("OUTRIDER_LISTEN", "[::]:8000", "listen", (Address("::", 8000),)),
        ("OUTRIDER_LOG_LEVEL", "DEBUG", "log_level", "debug"),
        ("OUTRIDER_PSI", "", "psi", 0.1),
        (
            "OUTRIDER_ROUTES",
            "/score/{model} inputs=$.rows outputs=$.scores; /raw inputs=$",
            "routes",
            (CustomRoute("/score/{model}", "$.rows", "$.scores"), CustomRoute("/raw", "$", "")),
        ),
    ],
)
def test_values(name: str, text: str, field: str, value: object) -> None:
    assert getattr(load({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OUTRIDER_LISTEN", "8000"),
        ("OUTRIDER_LISTEN", "a:70000"),
        ("OUTRIDER_UPSTREAM", "ftp://model"),
        ("OUTRIDER_UPSTREAM", "unix://model.sock"),
        ("OUTRIDER_UPSTREAM", "http://a:1,"),
        ("OUTRIDER_READY", "http"),
        ("OUTRIDER_READY", "tcp:1"),
        ("OUTRIDER_UPSTREAM_VERIFY", "maybe"),
        ("OUTRIDER_MAX_HEAD", "10B"),
        ("OUTRIDER_UPSTREAM", "http://model/path"),
        ("OUTRIDER_UPSTREAM", "http://model:99999"),
        ("OUTRIDER_WINDOW", "1 hour"),
        ("OUTRIDER_PANE", "0s"),
        ("OUTRIDER_TAP_BYTES", "8 megabytes"),
        ("OUTRIDER_MIN_ROWS", "0"),
        ("OUTRIDER_CONSECUTIVE", "-1"),
        ("OUTRIDER_ALPHA", "1"),
        ("OUTRIDER_PSI", "nan"),
        ("OUTRIDER_KS", "inf"),
        ("OUTRIDER_LOG_LEVEL", "loud"),
        ("OUTRIDER_ROUTES", "score inputs=$"),
        ("OUTRIDER_ROUTES", "/score inputs=$..x"),
    ],
)
def test_what_can_not_be_read_is_named_with_its_value_and_a_way_out(name: str, text: str) -> None:
    (fault,) = faults(**{name: text})
    assert fault.startswith(f"{name}={text}: ")
    assert "write" in fault


def test_all_faults_come_at_once() -> None:
    found = faults(OUTRIDER_WINDOW="x", OUTRIDER_PSI="y", OUTRIDER_NOPE="z")
    assert [fault.partition("=")[0].partition(":")[0] for fault in found] == ["OUTRIDER_WINDOW", "OUTRIDER_PSI", "OUTRIDER_NOPE"]


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"OUTRIDER_WINDOW": "30s"}, "OUTRIDER_PANE"),
        ({"OUTRIDER_WINDOW": "2d", "OUTRIDER_PANE": "1s"}, "panes"),
        ({"OUTRIDER_TAP_BYTES": "1MiB"}, "OUTRIDER_CAPTURE_BYTES"),
        ({"OUTRIDER_ADMIN": "0.0.0.0:8000"}, "OUTRIDER_LISTEN"),
        ({"OUTRIDER_UPSTREAM": "http://127.0.0.1:8000"}, "call itself"),
    ],
)
def test_settings_that_contradict_each_other(environ: dict[str, str], word: str) -> None:
    (fault,) = faults(**environ)
    assert word in fault


def test_the_route_that_vertex_ai_names_is_one_more() -> None:
    own = CustomRoute("/a", "$.x", "")
    both = load({"OUTRIDER_ROUTES": "/a inputs=$.x", "AIP_PREDICT_ROUTE": "/predict"}).routes
    assert both == (own, CustomRoute("/predict", format="vertex-ai"))
    assert load({"OUTRIDER_ROUTES": "/a inputs=$.x", "AIP_PREDICT_ROUTE": "/a"}).routes == (own,)
    assert load({"AIP_PREDICT_ROUTE": " "}).routes == ()
    assert load({"OUTRIDER_ROUTES": str(both[1])}).routes == both[1:]


def test_the_route_of_probes_that_vertex_ai_names_is_known() -> None:
    predict, health = load({"AIP_PREDICT_ROUTE": "/predict", "AIP_HEALTH_ROUTE": " /v1/well "}).routes
    assert (predict.path, health) == ("/predict", CustomRoute("/v1/well", method="GET"))
    assert load({"AIP_HEALTH_ROUTE": "/predict", "AIP_PREDICT_ROUTE": "/predict"}).routes == (predict,)
    assert load({"AIP_HEALTH_ROUTE": ""}).routes == ()


def test_what_is_shown_of_the_routes_can_be_read_again() -> None:
    settings = load({"AIP_PREDICT_ROUTE": "/predict", "AIP_HEALTH_ROUTE": "/well"})
    shown = {setting.name: text for setting, text in describe(settings)}["OUTRIDER_ROUTES"]
    assert load({"OUTRIDER_ROUTES": shown}).routes == settings.routes[:1]


def test_a_route_of_probes_that_is_no_path_is_named() -> None:
    (fault,) = faults(AIP_HEALTH_ROUTE="well")
    assert fault.startswith("AIP_HEALTH_ROUTE=well: ")
    assert "write" in fault


def test_a_route_of_vertex_ai_that_is_no_path_is_named() -> None:
    (fault,) = faults(AIP_PREDICT_ROUTE="predict")
    assert fault.startswith("AIP_PREDICT_ROUTE=predict: ")
    assert "write" in fault


@pytest.mark.parametrize(
    "name", ["OUTRIDER_SERVICE_HOST", "OUTRIDER_PORT", "OUTRIDER_PORT_8000_TCP_ADDR", "OUTRIDER_X_SERVICE_PORT"]
)
def test_what_kubernetes_sets_beside_a_service_is_no_setting(name: str) -> None:
    load({f"OUTRIDER_{name}": "1"})


def test_the_effective_values_are_shown() -> None:
    shown = {setting.name: value for setting, value in describe(load({"OUTRIDER_ROUTES": "/a inputs=$.x"}))}
    assert shown["OUTRIDER_LISTEN"] == "0.0.0.0:8000"
    assert shown["OUTRIDER_ROUTES"] == "/a inputs=$.x"


@pytest.mark.parametrize("text", ["1234567s", "1000001s", "1234567.5ms", "90s", "250ms", "36h"])
def test_durations_are_shown_exactly_and_can_be_read_again(text: str) -> None:
    settings = load({"OUTRIDER_IDLE_TIMEOUT": text})
    shown = {setting.name: value for setting, value in describe(settings)}["OUTRIDER_IDLE_TIMEOUT"]
    assert shown == text
    assert load({"OUTRIDER_IDLE_TIMEOUT": shown}) == settings


def test_what_is_shown_can_be_set() -> None:
    shown = {setting.name: value for setting, value in describe(load({}))}
    assert load(shown) == load({})
    assert (shown["OUTRIDER_WINDOW"], shown["OUTRIDER_CAPTURE_BYTES"]) == ("1h", "1MiB")
    assert shown["OUTRIDER_UPSTREAM"] == "http://127.0.0.1:8080"
    odd = {"OUTRIDER_DRAIN_DELAY": "1500ms", "OUTRIDER_CAPTURE_BYTES": "1000", "OUTRIDER_PANE": "90s"}
    assert {setting.name: value for setting, value in describe(load(odd))}.items() >= odd.items()
