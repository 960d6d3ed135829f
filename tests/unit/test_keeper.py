"""The keeper with small processes in the monitor's place: sound ones, and ones that die, hang or do not go."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import uvloop

from agent import config
from agent.keeper import Backoff, MonitorKeeper, Patience
from agent.proxy.context import Context
from agent.proxy.counters import Counters
from agent.proxy.tap import Tap
from tests.parts import logged

SOUND = """
import pathlib, socket, sys
note, number = sys.argv[1:]
tap = socket.socket(fileno=int(number))
stream = tap.makefile("rb")
while size := stream.read(4):
    stream.read(int.from_bytes(size, "little"))
    tap.send(b"\\1")
with pathlib.Path(note).open("a") as file:
    file.write("ended\\n")
"""
"""Answers each frame, and writes a line when its stream ends."""

ANSWERS_ONCE = """
import socket, sys, time
tap = socket.socket(fileno=int(sys.argv[2]))
tap.recv(4096)
tap.send(b"\\1")
time.sleep(60)
"""
SILENT = "import time; time.sleep(60)"
DIES = "raise SystemExit(3)"
HANGS_UP = """
import socket, sys, time
socket.socket(fileno=int(sys.argv[2])).close()
time.sleep(60)
"""

QUICK = Patience(first_backoff_s=0.05, longest_backoff_s=0.2, look_s=0.05, hung_s=60)


def pids() -> list[int]:
    """Living children of this process."""
    return [child.pid for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


class Kept:
    """A keeper at work."""

    def __init__(self, keeper: MonitorKeeper, counters: Counters, note: Path) -> None:
        self.keeper = keeper
        self.counters = counters
        self.note = note

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 - there is no event for what processes do
                await asyncio.sleep(0.01)

    async def until_ok(self) -> None:
        await self.until(lambda: self.keeper.status() == "ok")

    @property
    def pids(self) -> list[int]:
        return pids()


@asynccontextmanager
async def kept(tmp_path: Path, script: str, patience: Patience = QUICK, program: str = sys.executable) -> AsyncIterator[Kept]:
    loop = asyncio.get_running_loop()
    counters = Counters()
    context = SimpleNamespace(loop=loop, counters=counters, tap=Tap(loop, counters, lambda: 0, config.load({})))
    note = tmp_path / "note"
    command = (program, "-S", "-c", script, str(note))
    keeper = MonitorKeeper(cast("Context", context), os.environ, command=command, patience=patience)
    keeping = loop.create_task(keeper.keep())
    try:
        yield Kept(keeper, counters, note)
    finally:
        await keeper.finish()
        await keeping


def run(test: Coroutine[Any, Any, None]) -> list[str]:
    """Run a test on a loop of its own; give what was logged."""
    with logged("outrider") as lines:
        uvloop.run(test)
    assert not pids()
    return lines


def test_the_wait_doubles_up_to_a_cap_and_is_short_again_after_a_sound_life() -> None:
    backoff = Backoff(Patience())
    assert [backoff.after(lived_s=1) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [backoff.after(lived_s) for lived_s in (61, 1, 1)] == [0.5, 1, 2]


def test_a_sound_monitor_is_ok_and_ends_in_order(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND) as running:
            assert running.keeper.status() == "starting"
            await running.until_ok()
        assert running.note.read_text() == "ended\n"
        assert running.counters.monitor_restarts == 0

    assert run(test()) == []


def test_a_monitor_that_has_said_nothing_yet_is_starting(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SILENT, Patience(last_export_s=0.1)) as running:
            await running.until(lambda: bool(running.pids))
            await asyncio.sleep(0.3)
            assert running.keeper.status() == "starting"

    assert run(test()) == ["warning: the monitor took too long to export a last time; stopping it after_s=0.1"]


def test_a_dead_monitor_is_started_again_and_counted(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, DIES) as running:
            await running.until(lambda: running.counters.monitor_restarts == 3)

    lines = run(test())
    assert lines[:3] == [
        f"error: monitor died; inference goes on without it exit_code=3 restart_in_s={wait_s}" for wait_s in (0.05, 0.1, 0.2)
    ]


def test_a_killed_monitor_is_followed_by_one_that_is_connected(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND) as running:
            await running.until_ok()
            psutil.Process(running.pids[0]).kill()
            await running.until(lambda: running.counters.monitor_restarts == 1)
            await running.until_ok()

    assert run(test()) == ["error: monitor died; inference goes on without it exit_code=-9 restart_in_s=0.05"]


def test_the_status_says_when_a_dead_one_starts_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, DIES, Patience(first_backoff_s=30)) as running:
            await running.until(lambda: running.keeper.status().startswith("dead"))
            assert re.fullmatch(r"dead, starts again in (2\d|30)s", running.keeper.status())

    run(test())


def test_a_program_that_cannot_be_started_is_tried_again_and_leaves_no_sockets(tmp_path: Path) -> None:
    async def test() -> None:
        process = psutil.Process()
        async with kept(tmp_path, SOUND, program=str(tmp_path / "nothing")) as running:
            await running.until(lambda: running.counters.monitor_restarts == 1)
            before = process.num_fds()
            await running.until(lambda: running.counters.monitor_restarts == 5)
            assert process.num_fds() <= before + 1

    assert "exit_code=2" in run(test())[0]


def test_a_hung_monitor_is_killed_and_counted(tmp_path: Path) -> None:
    async def test() -> None:
        patience = Patience(first_backoff_s=0.05, look_s=0.05, hung_s=0.3, last_export_s=0.1)
        async with kept(tmp_path, ANSWERS_ONCE, patience) as running:
            await running.until(lambda: running.counters.monitor_restarts == 1)

    lines = run(test())
    assert lines[0].startswith("error: monitor hangs; killing it silent_s=")
    assert lines[1].startswith("error: monitor died; inference goes on without it exit_code=-9")


def test_a_stopped_monitor_is_put_up_with_for_a_while(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND) as running:
            await running.until_ok()
            [pid] = running.pids
            psutil.Process(pid).suspend()
            await asyncio.sleep(1.5)  # many looks, and a frame that waits
            psutil.Process(pid).resume()
            await running.until_ok()
            assert running.pids == [pid]

    assert run(test()) == []


def test_a_monitor_that_hangs_up_and_stays_is_killed(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, HANGS_UP, Patience(first_backoff_s=30, look_s=0.05)) as running:
            await running.until(lambda: running.keeper.status().startswith("dead"))

    assert run(test())[0].startswith("error: monitor hangs; killing it")


def test_a_reload_ends_one_in_order_and_starts_the_next_which_is_no_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND) as running:
            for count in (1, 2, 3):
                await running.until_ok()
                before = running.pids
                await running.keeper.reload()
                assert running.note.read_text() == "ended\n" * count
                await running.until(lambda: bool(running.pids))
                assert running.pids != before
            await running.until_ok()
            assert running.counters.monitor_restarts == 0

    assert run(test()) == ["info: monitor starts anew"] * 3


def test_a_reload_of_one_that_does_not_go_kills_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SILENT, Patience(last_export_s=0.1)) as running:
            await running.until(lambda: bool(running.pids))
            [before] = running.pids
            await running.keeper.reload()
            await running.until(lambda: running.pids not in ([], [before]))

    assert run(test())[1].startswith("warning: the monitor took too long")


def test_a_reload_of_a_dead_one_starts_the_next_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND, Patience(first_backoff_s=60)) as running:
            await running.until_ok()
            psutil.Process(running.pids[0]).kill()
            await running.until(lambda: running.keeper.status().startswith("dead"))
            await running.keeper.reload()
            await running.until_ok()
            assert running.counters.monitor_restarts == 1

    run(test())


def test_nothing_starts_after_the_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, DIES, Patience(first_backoff_s=60)) as running:
            await running.until(lambda: running.keeper.status().startswith("dead"))
        await running.keeper.reload()
        assert running.pids == []
        assert running.counters.monitor_restarts == 0

    run(test())


def test_an_end_before_the_start_starts_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with kept(tmp_path, SOUND) as running:
            pass
        assert not running.note.exists()

    assert run(test()) == []
