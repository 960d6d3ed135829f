"""What an evaluation costs: milliseconds for 200 columns over a window of 60 panes, and memory per column.

The time is the processor's, as in ``monitor.py``. Both are measured in a process of their own, so that nothing else's memory
counts: ``python -m tests.bench.detect.cost PROFILE``. Memory is what that process grew by from before the profile was read to
after the last evaluation, divided by the columns: reference, panes, merged window and reports, all in.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import time
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
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    what = f"{len(COLUMNS)} columns, {PANES} panes of {PANE_ROWS} rows"
    print(f"Cost, {what}\n")
    fast, small = found["ms"] <= GOAL_MS, found["kb"] <= GOAL_KB
    print(f"{_verdict(fast)} evaluation, median of {LOOKS}: {found['ms']:.1f} ms of the processor (to reach: ≤ {GOAL_MS:g})")
    print(f"{_verdict(small)} memory per column: {found['kb']:.1f} KB (to reach: ≤ {GOAL_KB:g})\n", flush=True)
    return bool(fast and small)


def _verdict(reached: bool) -> str:
    return f"{'reached' if reached else 'NOT REACHED':<12}"


def measured(path: Path) -> dict[str, float]:
    """Give the milliseconds of an evaluation and the kilobytes of a column; in a fresh process."""
    source = np.random.default_rng(4)
    panes = [rows(source, PANE_ROWS) for _ in range(4)]
    gc.collect()
    start = psutil.Process().memory_info().rss
    profile: Profile = read(path)
    agent = Agent(COLUMNS, schema_of(profile), {"OUTRIDER_WINDOW": f"{60 * PANES}s", "OUTRIDER_PANE": "60s"})
    for at in range(PANES):
        agent.feed(panes[at % len(panes)])
        agent.evaluate()
    times = []
    for at in range(LOOKS):
        agent.feed(panes[at % len(panes)])
        begin = time.process_time()
        agent.evaluate()
        times.append(time.process_time() - begin)
    gc.collect()
    grown = psutil.Process().memory_info().rss - start
    return {"ms": 1e3 * median(times), "kb": grown / 1e3 / len(COLUMNS)}


if __name__ == "__main__":
    import logging

    logging.getLogger("outrider.monitor").setLevel(logging.CRITICAL)
    print(json.dumps(measured(Path(sys.argv[1]))))
