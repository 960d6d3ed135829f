"""The servers behind the proxies: each answers all requests alike and costs less than any proxy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from agent.demo.processes import free_ports
from tests.bench.peers import Command, nginx_command, program, started
from tests.bench.rows import ANSWER

_NGINX_UPSTREAM = """
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
"""


@contextmanager
def _serving(core: int, folder: Path, prepare: Callable[[int], Command]) -> Iterator[int]:
    (port,) = free_ports(1)
    with started("upstream", prepare(port), core, folder) as child:
        child.wait_until_accepting(port)
        yield port
        child.check()


def upstream(core: int, folder: Path) -> AbstractContextManager[int]:
    """Run the fixed upstream, an nginx that answers every request alike; gives its port."""
    folder.mkdir()
    return _serving(core, folder, lambda port: nginx_command(folder, _NGINX_UPSTREAM.format(port=port, answer=ANSWER)))


def grpc_upstream(core: int, folder: Path, path: str, answer: Path, *, nghttpd: bool = False) -> AbstractContextManager[int]:
    """Run a server that answers every gRPC call alike, with ``grpc-status: 0`` in the trailers; gives its port.

    Parameters
    ----------
    core
        Where it runs.
    folder
        One that does not exist.
    path
        The only one that nghttpd answers.
    answer
        A file with the message, gRPC's five bytes in front.
    nghttpd
        A server that knows nothing of this project instead of ``grpc_server.py``; it can't send a content type.
    """
    file = folder / "files" / path.lstrip("/")
    file.parent.mkdir(parents=True)
    shutil.copy(answer, file)
    if nghttpd:
        words = [program("nghttpd"), "--no-tls", "--address=127.0.0.1", f"--htdocs={folder}/files", "--trailer=grpc-status: 0"]
        return _serving(core, folder, lambda port: Command([*words, str(port)]))
    script = str(Path(__file__).with_name("grpc_server.py"))
    return _serving(core, folder, lambda port: Command([sys.executable, script, str(port), str(file)]))


def bulk_upstream(core: int, folder: Path) -> AbstractContextManager[int]:
    """Run a server that throws away bodies of any size and answers with as much as it is asked for; gives its port."""
    folder.mkdir()
    script = str(Path(__file__).with_name("bulk.py"))
    return _serving(core, folder, lambda port: Command([sys.executable, script, "serve", str(port)]))
