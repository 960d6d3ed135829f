"""How much the monitor takes in: exchanges and values a second through its real pipeline, in one process on one core.

``python tests/bench/monitor.py [--rounds 5] [--seconds 2] [--no-whylogs]``

`Pipeline.take` is everything per exchange: decode, activity and latency histograms, check against the profile, sketch. The
last column adds the reading of the frame that came over the socket. Time is CPU time of the process, which on an idle core is
the time that passes: neighbours on the machine then cost little more than their share of the caches. whylogs gets the same
rows in an environment of its own, ``.cache/bench-whylogs``, made on demand.

Exit codes: 0 with every figure reached, 1 with some not, 2 where the pipeline did not read what it was given.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import msgspec

from agent import config
from agent.exchange import Frame
from agent.pipeline import Pipeline
from agent.profile.format import Profile
from agent.profile.schema import schema_of
from tests.bench.processes import ROOT, BenchError, cores, end_on_sigterm
from tests.bench.records import frames, v1, v2
from tests.bench.rows import rows
from tests.bench.training import training_profile

GATHERED = 4_096
"""Records that the monitor takes in at once under load."""

WHYLOGS = ROOT / ".cache" / "bench-whylogs"
SINGLE_TO_REACH = 100_000
VALUES_TO_REACH = 10_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of traffic: `values` is how many input values an exchange has, `to_reach` is in exchanges a second."""

    name: str
    frames: list[bytes]
    profile: Profile
    rows: int
    values: int
    to_reach: float


def cases() -> list[Case]:
    """Make the traffic: all rows differ; batches come twelve at a time, which is what the tap holds."""
    small, wide = training_profile(), training_profile(columns=50)
    single = rows(4 * GATHERED)
    batches = [rows(1_000, 50, seed) for seed in range(12)]
    return [
        Case("V1, 1 row x 10", frames([v1([row]) for row in single], GATHERED), small, 1, 10, SINGLE_TO_REACH),
        Case("V2, 1 row x 10", frames([v2([row]) for row in single], GATHERED), small, 1, 10, SINGLE_TO_REACH),
        Case("V1, 1,000 x 50", frames([v1(rows) for rows in batches], 12), wide, 1_000, 50_000, VALUES_TO_REACH / 50_000),
        Case("V2, 1,000 x 50", frames([v2(rows) for rows in batches], 12), wide, 1_000, 50_000, VALUES_TO_REACH / 50_000),
    ]


def measure(case: Case, seconds: float) -> tuple[float, float]:
    """Exchanges a second through the pipeline, and through the frame decoder and the pipeline.

    Raises
    ------
    BenchError
        If a row was not read, or not sketched.
    """
    pipeline = Pipeline(config.load({}), schema_of(case.profile))
    decoder = msgspec.msgpack.Decoder(Frame)
    now_ns = time.time_ns()
    pipeline.take(decoder.decode(case.frames[0]).exchanges, now_ns)  # warm: imports, first pane, learned heads
    taken = len(decoder.decode(case.frames[0]).exchanges)
    decoding = taking = 0.0
    counted = 0
    while decoding + taking < seconds:
        for frame in case.frames:
            start = time.process_time()
            exchanges = decoder.decode(frame).exchanges
            between = time.process_time()
            pipeline.take(exchanges, now_ns)
            end = time.process_time()
            decoding += between - start
            taking += end - between
            counted += len(exchanges)
    _check(case, pipeline, taken + counted, now_ns)
    return counted / taking, counted / (decoding + taking)


def _check(case: Case, pipeline: Pipeline, exchanges: int, now_ns: int) -> None:
    activity = pipeline.activity
    report = pipeline.tick(now_ns)
    decoded = sum(activity.decoded.values())
    read = sum(activity.rows.values())
    if activity.faults or activity.undecoded or activity.unobserved or decoded != exchanges or read != exchanges * case.rows:
        raise BenchError(
            f"{case.name}: {decoded} of {exchanges} exchanges and {read} rows read; faults {activity.faults}, "
            f"undecoded {activity.undecoded}, unobserved {activity.unobserved}"
        )
    # Derived columns are of the rows that are looked at as wholes, which is an even sample at such rates.
    if report is None or any(column.rows != read for column in report.columns if column.role != "derived"):
        raise BenchError(f"{case.name}: not every row is in every column's sketch")


def whylogs_environment() -> Path | None:
    """Make the environment if it is not there; give its interpreter, or say why there is none."""
    interpreter = WHYLOGS / "bin" / "python"
    packages = ["whylogs", "numpy<2", "pandas<3"]
    try:
        if not interpreter.exists():
            venv.create(WHYLOGS, with_pip=True)
        ready = subprocess.run([interpreter, "-c", "import whylogs, pandas"], capture_output=True, check=False)
        if ready.returncode != 0:
            pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
            subprocess.run(pip, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        words = getattr(error, "stderr", None) or str(error)
        print(f"whylogs can't be installed here: {str(words).strip().splitlines()[-1]}")
        return None
    return interpreter


def whylogs(interpreter: Path, seconds: float) -> tuple[str, float, float] | None:
    """Version, rows a second and values a second."""
    script = str(Path(__file__).with_name("whylogs_rows.py"))
    done = subprocess.run([interpreter, script, str(seconds)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"whylogs did not run: {done.stderr.strip().splitlines()[-1:]}")
        return None
    said = json.loads(done.stdout.splitlines()[-1])
    return str(said["version"]), float(said["rows"]), float(said["values"])


def _print_case(case: Case, results: Sequence[tuple[float, float]]) -> bool:
    taken, framed = median(one for one, _ in results), median(one for _, one in results)
    reached = taken >= case.to_reach
    verdict = "reached" if reached else "NOT REACHED"
    print(
        f"{case.name:<16}{taken:>12,.0f}{taken * case.values / 1e6:>12,.2f}{framed:>16,.0f}   {verdict} "
        f"(to reach: {case.to_reach:,.0f} exchanges/s)",
        flush=True,
    )
    return reached


def _pin() -> None:
    # numpy's BLAS counts the cores when it is loaded, so the process starts again on the one that it may use.
    if len(os.sched_getaffinity(0)) > 1:
        os.execvp("taskset", ["taskset", "-c", str(cores()[0]), sys.executable, *sys.argv])


def main() -> int:
    parser = argparse.ArgumentParser(description="How much the monitor takes in.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--no-whylogs", action="store_true")
    options = parser.parse_args()
    _pin()
    end_on_sigterm()
    try:
        traffic = cases()
        results = [[measure(case, options.seconds) for case in traffic] for _ in range(options.rounds)]
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    print(f"{'':<16}{'exchanges/s':>12}{'M values/s':>12}{'with its frame':>16}")
    reached = [_print_case(case, [one[at] for one in results]) for at, case in enumerate(traffic)]
    interpreter = None if options.no_whylogs else whylogs_environment()
    other = whylogs(interpreter, options.seconds) if interpreter is not None else None
    if other is not None:
        version, per_row, per_value = other
        print(
            f"whylogs {version}, values already decoded: {per_row:,.0f} rows/s of 10, {per_value / 1e6:,.2f} M values/s in frames"
        )
    return int(not all(reached))


if __name__ == "__main__":
    sys.exit(main())
