"""What ends a sidecar beside a signal."""

from __future__ import annotations

import asyncio
import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent import sidecar


def test_a_sidecar_left_drained_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "_LEFT_DRAINED_S", 0.01)

    async def leave() -> int:
        stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = cast("Any", SimpleNamespace(has_drained=asyncio.Event()))
        leaving = asyncio.create_task(sidecar._leave_when_left_drained(server, stop))
        await asyncio.sleep(0.05)
        assert not stop.done(), "nothing was drained"
        server.has_drained.set()
        await leaving
        return stop.result()

    assert asyncio.run(leave()) == signal.SIGTERM


def test_a_signal_that_came_first_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecar, "_LEFT_DRAINED_S", 0.0)

    async def leave() -> int:
        stop: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = cast("Any", SimpleNamespace(has_drained=asyncio.Event()))
        stop.set_result(signal.SIGINT)
        server.has_drained.set()
        await sidecar._leave_when_left_drained(server, stop)
        return stop.result()

    assert asyncio.run(leave()) == signal.SIGINT
