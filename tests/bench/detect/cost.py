"""What an evaluation costs: milliseconds for 200 columns over a window of 60 panes, and memory per column.

The time is the processor's, as in ``monitor.py``, with one thread of linear algebra as in the monitor. Time and memory are
measured in processes of their own: ``python -m tests.bench.detect.cost PROFILE time|memory``. Memory is all that Python and numpy
hold from before the profile was read to after the last evaluation, divided by the columns: profile, reference, panes, reports.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from statistics import median

import numpy as np
import psutil

from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.read import read
from agent.profile.schema import schema_of
from agent.profile.write import write
from tests.bench.detect.outrider import PANES, Agent
from tests.bench.detect.wire import CATEGORY, Column
from tests.bench.detect.worker import Matrix, objects

NUMBERS, CATEGORIES = 160, 40
LABELS = tuple(f"label {at}" for at in range(20))
COLUMNS = (
    *(Column(f"n{at}") for at in range(NUMBERS)),
    *(Column(f"c{at}", CATEGORY, LABELS) for at in range(CATEGORIES)),
)
TRAINING_ROWS = 20_000
PANE_ROWS = 100
LOOKS = 20
GOAL_MS, GOAL_KB = 50.0, 100.0
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""As the sidecar starts its monitor (`agent.keeper`)."""


def rows(source: np.random.Generator, count: int) -> Matrix:
    """Draw rows of all columns."""
    numbers = source.normal(size=(NUMBERS, count))
    return np.concatenate([numbers, source.integers(len(LABELS), size=(CATEGORIES, count)).astype(np.float64)])


def run() -> bool:
    """Measure and print; give whether both figures were reached."""
    values = rows(np.random.default_rng(3), TRAINING_ROWS)
    data = {column.name: objects(column, one) for column, one in zip(COLUMNS, values, strict=True)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.json"
        write(build(data), path)
        command = [sys.executable, "-m", "tests.bench.detect.cost", str(path)]
        alone = {**os.environ, **_ONE_THREAD}
        found: dict[str, float] = {}
        for kind in ("time", "memory"):
            done = subprocess.run([*command, kind], check=True, capture_output=True, text=True, env=alone)
            found |= json.loads(done.stdout.splitlines()[-1])
    what = f"{len(COLUMNS)} columns, {PANES} panes of {PANE_ROWS} rows"
    print(f"Cost, {what}\n")
    fast, small = found["ms"] <= GOAL_MS, found["kb"] <= GOAL_KB
    print(f"{_verdict(fast)} evaluation, median of {LOOKS}: {found['ms']:.1f} ms of the processor (to reach: ≤ {GOAL_MS:g})")
    print(f"{_verdict(small)} memory per column: {found['kb']:.1f} KB (to reach: ≤ {GOAL_KB:g})")
    print(f"{'':<12} evaluation while all numbers drift: {found['moved']:.1f} ms")
    print(f"{'':<12} closing a pane: {found['closing']:.1f} ms; the process grew by {found['rss']:.0f} MB\n", flush=True)
    return bool(fast and small)


def _verdict(reached: bool) -> str:
    return f"{'reached' if reached else 'NOT REACHED':<12}"


def measured(path: Path, kind: str) -> dict[str, float]:
    """Give the milliseconds of an evaluation and of closing a pane, or the kilobytes of a column; in a fresh process."""
    source = np.random.default_rng(4)
    gc.collect()
    if kind == "memory":
        tracemalloc.start()
    start = psutil.Process().memory_info().rss
    profile: Profile = read(path)
    agent = Agent(COLUMNS, schema_of(profile), {"OUTRIDER_WINDOW": f"{60 * PANES}s", "OUTRIDER_PANE": "60s"})
    times, closing = [], []
    for at in range(2 * PANES + LOOKS):  # the window before this one is kept too
        values = rows(source, PANE_ROWS)
        if at >= 2 * PANES:
            values[:NUMBERS] += 1.0
        agent.feed(values)
        begin = time.process_time()
        agent.close()
        between = time.process_time()
        agent.evaluate()
        closing.append(between - begin)
        times.append(time.process_time() - between)
    gc.collect()
    if kind == "memory":
        return {"kb": tracemalloc.get_traced_memory()[0] / 1e3 / len(COLUMNS)}
    grown = psutil.Process().memory_info().rss - start
    return {
        "ms": 1e3 * median(times[2 * PANES - LOOKS : 2 * PANES]),
        "moved": 1e3 * median(times[2 * PANES :]),
        "closing": 1e3 * median(closing[2 * PANES - LOOKS : 2 * PANES]),
        "rss": grown / 1e6,
    }


if __name__ == "__main__":
    import logging

    logging.getLogger("outrider.monitor").setLevel(logging.CRITICAL)
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2])))
