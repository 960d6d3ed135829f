"""The demo's two child processes: the model server and the sidecar, started, awaited, and stopped whatever happens."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from agent.errors import OutriderError

START_TIMEOUT_S = 60.0
"""Generous: a cold disk and a busy machine are no reason to fail."""

STOP_TIMEOUT_S = 8.0
LOG_LINES = 12


class DemoError(OutriderError):
    """The demo itself can't go on: a part did not start, or died."""


class StoppedError(OutriderError):
    """Ctrl-C or SIGTERM came while waiting for a part."""


class Child:
    """A process with its log.

    Parameters
    ----------
    name
        For messages.
    process
        The leader of a session of its own.
    log
        Where its standard output and error go.
    """

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise `DemoError`, with the end of the log, if the process is gone."""
        if (status := self._process.poll()) is not None:
            raise DemoError(f"the {self.name} ended with status {status}\n{self.last_words()}")

    def last_words(self) -> str:
        """Give the last lines of the log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def wait_for(self, ready: Callable[[], bool], stopping: Callable[[], bool]) -> None:
        """Return when `ready` says so.

        Raises
        ------
        DemoError
            If the process ends, or is not ready after `START_TIMEOUT_S`.
        StoppedError
            As soon as `stopping` says so.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            self.check()
            if stopping():
                raise StoppedError
            if time.monotonic() > deadline:
                raise DemoError(f"the {self.name} was not ready after {START_TIMEOUT_S:g} s\n{self.last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask with SIGTERM, then kill; children of the child too."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        # The session outlives its leader if the leader was killed and left a child behind.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running(name: str, arguments: Sequence[str], log: Path, environ: Mapping[str, str]) -> Iterator[Child]:
    """Run ``python ARGUMENTS`` in a session of its own, so that Ctrl-C reaches the demo alone; stop it on the way out."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter with our own modules
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            start_new_session=True,
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.stop()


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def get(port: int, path: str) -> tuple[int, bytes]:
    """GET from 127.0.0.1: status and body; ``(0, b"")`` if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
