"""The demo as its user runs it: the real command, the real sidecar, the whole time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start it with a folder for temporary files of its own, so that what it leaves behind can be told."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_behind(folder: Path) -> list[str]:
    """Processes that know the folder by argument or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            known = " ".join([*process.cmdline(), *process.environ().values()])
        except psutil.Error:
            continue
        if str(folder) in known and process.pid != os.getpid():
            found.append(known[:200])
    return found


def check_clean(folder: Path) -> None:
    assert left_behind(folder) == []
    assert list(folder.iterdir()) == []


@pytest.mark.timeout(120)
def test_the_demo_flags_just_what_it_disturbed(tmp_path: Path) -> None:
    process = start(["-m", "agent", "demo", "--seconds", str(SECONDS)], tmp_path)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert re.search(r"✔ Just the disturbed columns were flagged \(glucose, bmi, sex\), nothing before", output), output
    drifted = set(re.findall(r"^\d+:\d\d  (\w+): drifted", output, re.MULTILINE))
    assert {"glucose", "bmi", "sex"} <= drifted <= {"glucose", "bmi", "sex", "progression"}
    assert ", 0 failed" in output
    check_clean(tmp_path)


@pytest.mark.timeout(120)
def test_undisturbed_traffic_is_not_called_drifted(tmp_path: Path) -> None:
    program = f"import sys; from agent.demo.run import run_demo; sys.exit(run_demo({SECONDS}, disturb=False))"
    process = start(["-c", program], tmp_path)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "✔ The traffic was undisturbed, and nothing was flagged" in output
    assert "drifted" not in output
    assert len(re.findall(r": ok$", output, re.MULTILINE)) >= 11, output
    check_clean(tmp_path)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_endless_demo_and_leaves_nothing_behind(tmp_path: Path, number: signal.Signals, status: int) -> None:
    process = start(["-m", "agent", "demo"], tmp_path)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.match(r"\d+:\d\d  \w+: ok", line):
            break
    begin = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate()
    assert process.returncode == status, "".join(lines) + output
    assert "Stopped too early" in output
    assert time.monotonic() - begin < 20
    check_clean(tmp_path)
