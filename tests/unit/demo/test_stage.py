from __future__ import annotations

import signal
from pathlib import Path

import numpy as np

from agent import config
from agent.demo.scenario import CONSECUTIVE, MIN_ROWS, PANE_S, WINDOW_S, plan
from agent.demo.stage import Stop, Watch, sidecar_environment
from agent.demo.traffic import Replay
from agent.evaluate.report import ColumnReport, Decision, Report


def test_the_sidecar_takes_the_demos_settings_and_stays_on_loopback() -> None:
    settings = config.load(sidecar_environment(Path("profile.json"), 1001, 1002, 1003, 1004))
    assert (settings.listen[0], settings.upstream[0][1:3]) == (("127.0.0.1", 1001), ("127.0.0.1", 1002))
    assert (settings.admin, settings.health) == (("127.0.0.1", 1003), ("127.0.0.1", 1004))
    assert settings.profile == "profile.json"
    assert (settings.window_s, settings.pane_s) == (WINDOW_S, PANE_S)
    assert (settings.consecutive, settings.min_rows) == (CONSECUTIVE, MIN_ROWS)
    assert settings.drain_delay_s == 0


def report(second: int, decision: Decision) -> Report:
    column = ColumnReport("age", "feature", "float", decision, "", 1000, 0.0, 442, 0.0, [])
    return Report(second, 0, second, 1000, "diabetes", "1", second, decision, [column])


def test_only_reports_that_decide_otherwise_are_kept_and_the_newest_is_known() -> None:
    watch = Watch(plan(None), Replay(np.empty((1, 10)), plan(None), 1, 2, 1.0), 3)
    for second in range(1000):
        watch.note(report(second, Decision.DRIFTED if second >= 700 else Decision.OK))
    assert [kept.time_ns for kept in watch.reports] == [0, 700]
    assert watch.newest is not None
    assert watch.newest.time_ns == 999


def test_the_first_signal_counts() -> None:
    stop = Stop()
    assert not stop.asked()
    assert not stop.wait(0)
    stop.take(signal.SIGTERM, None)
    stop.take(signal.SIGINT, None)
    assert stop.asked()
    assert stop.wait(60)
    assert stop.signal == signal.SIGTERM
