"""Runs the load generators, pinned to a core, and reads what they say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.processes import BenchError
from tests.bench.rows import PATH

STEADY_RATE = 2_000
STEADY_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator did.

    Parameters
    ----------
    made
        Requests sent; at its end wrk leaves up to one per connection unanswered.
    completed
        Requests that got a whole answer.
    failed
        Answers that were not 2xx, and errors of connections.
    rate
        Answers a second.
    p50_us, p99_us
        Latency in microseconds.
    """

    made: int
    completed: int
    failed: int
    rate: float
    p50_us: float
    p99_us: float


def closed(port: int, connections: int, seconds: int, core: int, bodies: Path) -> Load:
    """Run wrk with one thread: each connection sends its next request when it has its answer."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise BenchError("wrk is missing: apt-get install wrk")
    script = str(Path(__file__).with_name("wrk.lua"))
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", "-s", script]
    output = _run([wrk, *options, f"http://127.0.0.1:{port}{PATH}", "--", str(bodies)], core, seconds + 30)
    line = next((line for line in output.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise BenchError(f"wrk gave no result:\n{output}")
    said = json.loads(line.removeprefix("RESULT "))
    return _load(said, said["duration_us"] / 1e6)


def steady(port: int, seconds: int, core: int, bodies: Path) -> Load:
    """Run the open loop at `STEADY_RATE`."""
    script = str(Path(__file__).with_name("steady.py"))
    words = [str(port), str(STEADY_RATE), str(seconds), str(STEADY_CONNECTIONS), str(bodies)]
    return _load(json.loads(_run([sys.executable, script, *words], core, seconds + 30)), float(seconds))


def _load(said: dict[str, Any], seconds: float) -> Load:
    return Load(
        made=int(said["made"]),
        completed=int(said["completed"]),
        failed=int(said["failed"]),
        rate=said["completed"] / seconds,
        p50_us=float(said["p50_us"]),
        p99_us=float(said["p99_us"]),
    )


def _run(command: list[str], core: int, timeout_s: float) -> str:
    done = subprocess.run(["taskset", "-c", str(core), *command], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise BenchError(f"{Path(command[0]).name} ended with code {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
