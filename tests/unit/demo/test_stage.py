from __future__ import annotations

import signal
from pathlib import Path

from agent import config
from agent.demo.scenario import CONSECUTIVE, MIN_ROWS, PANE_S, WINDOW_S
from agent.demo.stage import Stop, sidecar_environment


def test_the_sidecar_takes_the_demos_settings_and_stays_on_loopback() -> None:
    settings = config.load(sidecar_environment(Path("profile.json"), 1001, 1002, 1003, 1004))
    assert (settings.listen, settings.upstream) == (("127.0.0.1", 1001), ("127.0.0.1", 1002))
    assert (settings.admin, settings.health) == (("127.0.0.1", 1003), ("127.0.0.1", 1004))
    assert settings.profile == "profile.json"
    assert (settings.window_s, settings.pane_s) == (WINDOW_S, PANE_S)
    assert (settings.consecutive, settings.min_rows) == (CONSECUTIVE, MIN_ROWS)
    assert settings.drain_delay_s == 0


def test_the_first_signal_counts() -> None:
    stop = Stop()
    assert not stop.asked()
    assert not stop.wait(0)
    stop.take(signal.SIGTERM, None)
    stop.take(signal.SIGINT, None)
    assert stop.asked()
    assert stop.wait(60)
    assert stop.signal == signal.SIGTERM
