from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from agent.demo.processes import DemoError, StoppedError, free_ports, get, running

SLEEP = ["-c", "import time; print('here', flush=True); time.sleep(600)"]


def test_a_child_is_stopped_on_the_way_out_though_an_error_leads_there(tmp_path: Path) -> None:
    with ExitStack() as stack:
        stack.enter_context(pytest.raises(ZeroDivisionError))
        child = stack.enter_context(running("sleeper", SLEEP, tmp_path / "log", os.environ))
        child.wait_for(lambda: "here" in child.last_words(), lambda: False)
        (process,) = [each for each in psutil.Process().children() if SLEEP[1] in each.cmdline()]
        raise ZeroDivisionError
    assert not process.is_running()


def test_what_a_child_leaves_behind_is_stopped_too(tmp_path: Path) -> None:
    program = (
        "import os, subprocess, sys; "
        f"orphan = subprocess.Popen([sys.executable, '-c', {SLEEP[1]!r}], stdout=subprocess.DEVNULL); "
        "print(orphan.pid, flush=True); os._exit(3)"
    )
    with running("parent", ["-c", program], tmp_path / "log", os.environ) as child:
        with pytest.raises(DemoError, match="the parent ended with status 3"):
            child.wait_for(lambda: False, lambda: False)
        orphan = psutil.Process(int(child.last_words()))
        assert orphan.is_running()
    # SIGKILL takes a moment, and whoever inherits the orphan may never reap it: a zombie is dead enough.
    deadline = time.monotonic() + 10
    while not dead(orphan) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert dead(orphan)


def dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_child_that_dies_gives_its_last_words(tmp_path: Path) -> None:
    with (
        running("sidecar", ["-c", "raise SystemExit('no profile')"], tmp_path / "log", os.environ) as child,
        pytest.raises(DemoError, match=r"the sidecar ended with status 1\nno profile"),
    ):
        child.wait_for(lambda: False, lambda: False)


def test_waiting_ends_at_once_when_asked_to_stop(tmp_path: Path) -> None:
    with running("sleeper", SLEEP, tmp_path / "log", os.environ) as child, pytest.raises(StoppedError):
        child.wait_for(lambda: False, lambda: True)


def test_free_ports_differ_and_nobody_answers_there() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    assert get(ports[0], "/") == (0, b"")
