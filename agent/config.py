"""The configuration: environment variables only, each declared once in `agent.settings.SETTINGS`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf
from typing import Any

import msgspec

from agent import spelling
from agent.errors import ConfigError
from agent.settings import SETTINGS as SETTINGS  # noqa: PLC0414 - the table, imported from here by whoever reads the values
from agent.settings import Setting
from agent.settings import Settings as Settings  # noqa: PLC0414 - as above
from agent.spelling import Address, CustomRoute


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment.

    Parameters
    ----------
    environ
        Such as ``os.environ``. Empty values count as not set.

    Raises
    ------
    ConfigError
        With every fault at once: values that can't be read, values that don't fit together, and variables that start with
        ``OUTRIDER_`` but are no setting.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, "").strip() or setting.default
        try:
            values[setting.field] = setting.parse(text)
        except ValueError as error:
            faults.append(f"{setting.name}={text}: {error}")
    try:
        values["routes"] = _with_vertex(values.get("routes", ()), environ.get(_VERTEX, "").strip())
    except ValueError as error:
        faults.append(f"{_VERTEX}={environ[_VERTEX]}: {error}")
    try:
        values["routes"] = _with_vertex_health(values.get("routes", ()), environ.get(_VERTEX_HEALTH, "").strip())
    except ValueError as error:
        faults.append(f"{_VERTEX_HEALTH}={environ[_VERTEX_HEALTH]}: {error}")
    known = {setting.name for setting in SETTINGS}
    faults += [
        f"{name}: no such setting; `outrider config` lists them"
        for name in sorted(environ)
        if _is_ours(name) and name not in known
    ]
    faults += _contradictions(values)
    if faults:
        raise ConfigError(faults)
    return Settings(**values)


_VERTEX = "AIP_PREDICT_ROUTE"
"""Where Vertex AI calls a container, as it tells the container: "Custom container requirements for prediction"."""
_VERTEX_HEALTH = "AIP_HEALTH_ROUTE"
"""Where it asks, by GET, whether the container is well."""


def _with_vertex(routes: tuple[CustomRoute, ...], path: str) -> tuple[CustomRoute, ...]:
    if not path or any((route.method, route.path) == ("POST", path) for route in routes):
        return routes
    return routes + spelling.routes(str(CustomRoute(path, format="vertex-ai")))


def _with_vertex_health(routes: tuple[CustomRoute, ...], path: str) -> tuple[CustomRoute, ...]:
    if not path or any(route.path == path for route in routes):
        return routes
    (checked,) = spelling.routes(str(CustomRoute(path, format="vertex-ai")))
    return (*routes, CustomRoute(checked.path, method="GET"))


def _is_ours(name: str) -> bool:
    # Beside a Service named "outrider" or "outrider-x", Kubernetes sets OUTRIDER_SERVICE_HOST, OUTRIDER_X_PORT_8000_TCP, ...
    return name.startswith("OUTRIDER_") and not re.fullmatch(r"OUTRIDER_(.*_)?(SERVICE_(HOST|PORT)|PORT)(_.*)?", name)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """Say which values don't fit together; those that could not be read are in no contradiction."""
    faults = []
    pane_s, window_s = values.get("pane_s"), values.get("window_s")
    if pane_s and window_s:
        if pane_s > window_s:
            faults.append("OUTRIDER_PANE is longer than OUTRIDER_WINDOW: make the window at least one pane long")
        if window_s / pane_s > MAX_PANES:
            faults.append(f"OUTRIDER_WINDOW holds more than {MAX_PANES} panes: make OUTRIDER_PANE longer")
    if values.get("tap_bytes", inf) < 4 * values.get("capture_bytes", 0):
        # Half of the tap is for bodies, and one exchange has two of them.
        faults.append("OUTRIDER_TAP_BYTES is less than four times OUTRIDER_CAPTURE_BYTES: one exchange might not fit")
    if bool(values["tls_cert"]) != bool(values["tls_key"]):
        faults.append("OUTRIDER_TLS_CERT and OUTRIDER_TLS_KEY belong together: set both, or none")
    return faults + _unknown_statistics(values) + _address_conflicts(values)


def _unknown_statistics(values: Mapping[str, Any]) -> list[str]:
    known = [setting.field for setting in SETTINGS if setting.parse is spelling.tolerance]
    named = {name for each in values.get("thresholds", ()) for name in each.values}
    return [f"OUTRIDER_THRESHOLDS: {name!r} is no statistic; there are {', '.join(known)}" for name in sorted(named - set(known))]


def _address_conflicts(values: Mapping[str, Any]) -> list[str]:
    faults = []
    listen, upstream, ready = values.get("listen", ()), values.get("upstream", ()), values.get("ready", ())
    if listen and upstream and len(listen) != len(upstream):
        numbers = f"OUTRIDER_LISTEN has {len(listen)} and OUTRIDER_UPSTREAM {len(upstream)}"
        faults.append(f"{numbers}: write one upstream for each address")
    if ready and upstream and len(ready) not in (1, len(upstream)):
        faults.append(f"OUTRIDER_READY has {len(ready)}, OUTRIDER_UPSTREAM {len(upstream)}: write one for all, or one for each")
    seen: dict[Address, str] = {}
    names = [("OUTRIDER_LISTEN", address) for address in listen]
    names += [
        (name, values[field]) for name, field in (("OUTRIDER_ADMIN", "admin"), ("OUTRIDER_HEALTH", "health")) if field in values
    ]
    for name, address in names:
        if address.port and address in seen:
            both = f"{name} and {seen[address]} are both {address}" if name != seen[address] else f"{name} has {address} twice"
            faults.append(f"{both}: give each a port of its own")
        seen.setdefault(address, name)
    faults += [
        f"OUTRIDER_UPSTREAM={there} is an address of OUTRIDER_LISTEN: the sidecar would call itself"
        for there in upstream
        if any(there.port == here.port and there.host in ("127.0.0.1", "localhost", here.host) for here in listen)
    ]
    return faults


MAX_PANES = 1440
"""A day of minutes: what one window may hold in panes, so that memory stays bounded."""


def describe(settings: Settings) -> list[tuple[Setting, str]]:
    """Each setting with its effective value as it would be written, in the order of `SETTINGS`."""
    # The route of Vertex AI's probes is not written in OUTRIDER_ROUTES.
    shown = msgspec.structs.replace(settings, routes=tuple(one for one in settings.routes if one.inputs or one.format))
    return [(setting, spelling.show(setting.type, getattr(shown, setting.field))) for setting in SETTINGS]
