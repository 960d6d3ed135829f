"""A disk that is full, and a log that can't be written."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.faults.parts_faults import stops_with
from tests.parts import wait_until
from tests.sidecar import sidecar
from tests.traffic import FAST, replay, training


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    mount, place = shutil.which("mount"), tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or mount is None:
        pytest.skip("only root can mount a file system that gets full")
    mounted = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(place: Path) -> Path:
    """Write until nothing more fits."""
    path = place / "ballast"
    with path.open("wb", buffering=0) as file:
        for _ in range(1000):
            try:
                file.write(b"\0" * 4096)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    return path
                raise
    pytest.fail("it does not get full")


def test_a_full_disk_costs_the_saved_window_and_nothing_else(
    tmp_path: Path, tiny_disk: Path, upstream: int, profile: str
) -> None:
    ballast = fill(tiny_disk)
    settings = {"OUTRIDER_PROFILE": profile, "OUTRIDER_STATE_DIR": str(tiny_disk), **FAST}
    with sidecar(tmp_path, upstream, settings) as running:
        replay(running, training(500))
        wait_until(lambda: running.metric('outrider_faults_total{stage="state"}') >= 3, "three faults")
        replay(running, training(500))
        wait_until(lambda: (running.report() or {}).get("rows") == 1000, "the rows in a report")
        assert running.log().count("the state can't be saved") == 1
        assert not list(tiny_disk.glob("*.new")), "nothing half written is left"
        ballast.unlink()
        wait_until((tiny_disk / "window.state").exists, "the window, once there is room")
        faults = running.metric("outrider_faults_total")
        assert faults == running.metric('outrider_faults_total{stage="state"}')
        stops_with(running, exchanges=20)


def test_a_log_that_can_not_be_written_costs_nothing_but_the_log(tmp_path: Path, upstream: int, profile: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("/dev/full is not there")
    settings = {"OUTRIDER_PROFILE": profile, **FAST}
    with sidecar(tmp_path, upstream, settings, stderr=full) as running:
        replay(running, training(500))
        wait_until(lambda: running.metric("outrider_rows_total") == 500, "the rows")
        monitor = running.monitor()
        assert monitor is not None
        monitor.kill()  # which is said in the log
        wait_until(lambda: running.metric("outrider_proxy_monitor_restarts_total") == 1, "the next monitor")
        replay(running, training(500))
        wait_until(lambda: running.metric("outrider_rows_total") == 500, "the rows again")
        assert running.stop() == 0
