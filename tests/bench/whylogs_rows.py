"""whylogs on the rows of ``monitor.py``, run by the interpreter of whylogs' own environment.

``python tests/bench/whylogs_rows.py SECONDS`` prints one JSON object: rows a second for single rows of 10, and values a
second for frames of 1,000 x 50. The values are handed over decoded: JSON is not part of its time,
which is CPU time as in ``monitor.py``.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.rows import rows


def rate(track: Callable[[Any], Any], items: Sequence[Any], seconds: float) -> float:
    """Items a second, in whole turns through `items`."""
    start = time.process_time()
    done = 0
    while time.process_time() - start < seconds:
        for item in items:
            track(item)
        done += len(items)
    return done / (time.process_time() - start)


def main(seconds: float) -> int:
    pandas = importlib.import_module("pandas")
    profile = importlib.import_module("whylogs.core").DatasetProfile
    single = [{f"f{at}": value for at, value in enumerate(row)} for row in rows(200)]
    wide = [pandas.DataFrame(rows(1_000, 50, seed), columns=[f"f{at}" for at in range(50)]) for seed in range(2)]
    result = {
        "version": importlib.import_module("whylogs").__version__,
        "rows": rate(profile().track, single, seconds),
        "values": rate(profile().track, wide, seconds) * 50_000,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
