"""Runs the load generators, pinned to a core, and reads what they say."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.grpc_call import CALLS
from tests.bench.processes import BenchError
from tests.bench.rows import PATH
from tests.bench.steady import percentile_us

STEADY_RATE = 2_000
STEADY_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator did.

    Parameters
    ----------
    made
        Requests sent; a generator that stops at a given time leaves up to one per connection or stream unanswered.
    completed
        Requests that got a whole answer.
    failed
        Answers that were not 2xx, and errors of connections.
    rate
        Answers a second.
    p50_us, p99_us
        Latency in microseconds; NaN where it was not asked for.
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


@dataclass(frozen=True, slots=True)
class Call:
    """What h2load sends, over and over.

    Parameters
    ----------
    path
        Such as ``/package.Service/Method``.
    request
        A file with the message, gRPC's five bytes in front.
    answer_bytes
        How long the body of each answer is. A gRPC call can fail with status 200 and no body, which h2load calls a success.
    """

    path: str
    request: Path
    answer_bytes: int


def streams(
    port: int, connections: int, concurrent: int, call: Call, core: int, *,
    seconds: int = 0, number: int = 0, log: Path | None = None, watch: Callable[[], None] | None = None,
) -> Load:  # fmt: skip
    """Run h2load with one thread: HTTP/2 with prior knowledge, each connection with so many calls at a time.

    Parameters
    ----------
    port, connections, concurrent, call, core
        Where, how, what; the core to run on.
    seconds, number
        When to stop: after a time, or after a number of requests, of which none is then left unanswered.
    log
        Where h2load may write the time of each call, from which come the percentiles. Writing costs it a tenth of its rate.
    watch
        Called about ten times a second while it runs.
    """
    h2load = shutil.which("h2load")
    if h2load is None:
        raise BenchError("h2load is missing: apt-get install nghttp2-client")
    options = ["-p", "h2c", "-t1", f"-c{connections}", f"-m{concurrent}", f"--data={call.request}"]
    options += ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    options += [f"--duration={seconds}"] if seconds else [f"--requests={number}"]
    options += [f"--log-file={log}"] if log is not None else []
    output = _run([h2load, *options, f"http://127.0.0.1:{port}{call.path}"], core, seconds + number / 500 + 30, watch)
    latencies: list[int] = []
    if log is not None:
        latencies = sorted(1000 * int(line.split(b"\t")[2]) for line in log.read_bytes().splitlines())
        log.unlink()
    return _streams_load(output, call, latencies)


_H2LOAD = re.compile(
    r"finished in .*?, (?P<rate>[\d.]+) req/s.*?"
    r"requests: \d+ total, (?P<made>\d+) started, (?P<completed>\d+) done, \d+ succeeded, (?P<failed>\d+) failed, "
    r"(?P<errored>\d+) errored, (?P<timed_out>\d+) timeout.*?"
    r"status codes: (?P<good>\d+) 2xx.*?"
    r"\((?P<data>\d+)\) data",
    re.DOTALL,
)


def _streams_load(output: str, call: Call, latencies_ns: list[int]) -> Load:
    found = _H2LOAD.search(output)
    if found is None:
        raise BenchError(f"h2load gave no result:\n{output[-2000:]}")
    said = {name: float(value) for name, value in found.groupdict().items()}
    completed = int(said["completed"])
    failed = int(max(said["failed"] + said["errored"] + said["timed_out"], completed - said["good"]))
    if said["data"] < completed * call.answer_bytes:
        raise BenchError(f"{completed} answers had {said['data']:.0f} bytes, not {call.answer_bytes} each: calls failed")
    return Load(
        made=int(said["made"]),
        completed=completed,
        failed=failed,
        rate=said["rate"],
        p50_us=percentile_us(latencies_ns, 0.5),
        p99_us=percentile_us(latencies_ns, 0.99),
    )


def grpc_calls(port: int, call: Call, answer: Path, core: int) -> Load:
    """Make a few calls with the client of ``grpcio``, which insists on trailers as h2load does not.

    Raises
    ------
    BenchError
        If a call fails, or its answer is not the message in the file `answer`.
    """
    script = str(Path(__file__).with_name("grpc_call.py"))
    # -P: with this folder on its path, the client would find grpc.py of the bench instead of the library.
    _run([sys.executable, "-P", script, str(port), call.path, str(call.request), str(answer)], core, 30)
    return Load(CALLS, CALLS, 0, math.nan, math.nan, math.nan)


def bulk(port: int, connections: int, seconds: float, core: int, sizes: tuple[int, int]) -> Load:
    """Run ``bulk.py`` in a closed loop; `sizes` are the bytes of a request's and of an answer's body."""
    script = str(Path(__file__).with_name("bulk.py"))
    words = ["load", str(port), str(connections), str(seconds), *map(str, sizes)]
    said = json.loads(_run([sys.executable, script, *words], core, seconds + 60))
    return Load(said["made"], said["completed"], said["failed"], said["completed"] / said["seconds"], math.nan, math.nan)


def _load(said: dict[str, Any], seconds: float) -> Load:
    return Load(
        made=int(said["made"]),
        completed=int(said["completed"]),
        failed=int(said["failed"]),
        rate=said["completed"] / seconds,
        p50_us=float(said["p50_us"]),
        p99_us=float(said["p99_us"]),
    )


def _run(command: list[str], core: int, timeout_s: float, watch: Callable[[], None] | None = None) -> str:
    name = Path(command[0]).name
    pinned = ["taskset", "-c", str(core), *command]
    pipe, deadline = subprocess.PIPE, time.monotonic() + timeout_s
    with subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            output = errors = None
            while output is None or errors is None:
                try:
                    output, errors = process.communicate(timeout=timeout_s if watch is None else 0.1)
                except subprocess.TimeoutExpired:
                    if time.monotonic() > deadline:
                        raise BenchError(f"{name} did not end within {timeout_s:.0f} s") from None
                    if watch is not None:
                        watch()
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise BenchError(f"{name} ended with code {process.returncode}: {errors[-2000:]}")
    return output
