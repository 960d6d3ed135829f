"""Child processes of the benches: pinned to a core, with a log, and gone when the bench is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 15.0


class BenchError(Exception):
    """The bench can't go on, or its result would mean nothing."""


def cores() -> tuple[int, int]:
    """Give the core of what is measured and the core of load and upstream."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise BenchError("the bench needs two cores: one for the proxy, one for load and upstream")
    return usable[0], usable[1]


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the stack like Ctrl-C does, so that every child is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Child:
    """A running process.

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
        self.process = process
        self.log = log

    def check(self) -> None:
        """Raise `BenchError`, with the end of the log, if the process is gone."""
        if (code := self.process.poll()) is not None:
            words = "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])
            raise BenchError(f"{self.name} ended with code {code}\n{words}")

    def wait_until_accepting(self, port: int) -> None:
        """Return at the first successful connect; tries once a millisecond."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                self.check()
                if time.monotonic() > deadline:
                    raise BenchError(f"{self.name} does not accept on port {port} after {START_TIMEOUT_S:g} s") from None
                time.sleep(0.001)
            else:
                return

    def rss_bytes(self) -> tuple[int, int]:
        """Give the resident memory of the process and of all its children together."""
        process = psutil.Process(self.process.pid)
        return process.memory_info().rss, sum(child.memory_info().rss for child in process.children(recursive=True))

    def peak_bytes(self) -> tuple[int, int]:
        """Give the most memory that was ever resident, of the process and of all its children together."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return _peak_bytes(self.process.pid), sum(_peak_bytes(child.pid) for child in children)

    def stop(self) -> None:
        """Ask with SIGTERM, then kill; whatever it started goes too."""
        family = _family(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_TIMEOUT_S)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self.process.wait()


def _peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def running(name: str, command: Sequence[str], core: int, log: Path, environ: Mapping[str, str]) -> Iterator[Child]:
    """Run a command on one core, its children too, until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],  # it replaces itself: the pid is the command's
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the bench, which then stops them in order
        )
    child = Child(name, process, log)
    try:
        yield child
    finally:
        child.stop()
