"""The demo put together: model, profile, model server, sidecar, clients, picture, verdict."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from agent.demo import model
from agent.demo.processes import Child, DemoError, StoppedError, free_ports, get, running
from agent.demo.scenario import CONSECUTIVE, MIN_ROWS, PANE_S, REQUESTS_PER_S, WINDOW_S, Scenario
from agent.demo.screen import View, ending
from agent.demo.show import show_on
from agent.demo.traffic import Replay
from agent.demo.verdict import Verdict, first_flags, inconclusive, judge
from agent.errors import OutriderError
from agent.evaluate.report import Decision, Report

POLL_S = 0.5
"""Half a pane: no evaluation is missed."""


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a supervisor, a closed terminal."""


class Stop:
    """Remembers the first signal that asked to stop; nothing is ever torn out of the middle of a clean-up."""

    def __init__(self) -> None:
        self.signal = 0
        self._asked = threading.Event()

    def take(self, number: int, _frame: object) -> None:
        """Note a signal; fit for `signal.signal`."""
        self.signal = self.signal or number
        self._asked.set()

    def asked(self) -> bool:
        """Whether one came."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, but not past a signal; whether one came."""
        return self._asked.wait(seconds)


@contextmanager
def _signals() -> Iterator[Stop]:
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.take) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def perform(scenario: Scenario, console: Console) -> int:
    """Run the whole demo; the exit status as `agent.demo.run.run_demo` gives it."""
    with _signals() as stop, tempfile.TemporaryDirectory(prefix="outrider-demo-") as folder:
        try:
            return _perform(scenario, console, Path(folder), stop)
        except StoppedError:
            return 128 + stop.signal
        except OutriderError as error:
            console.print(f"The demo can't go on: {error}", style="red", markup=False, highlight=False)
            return 1


def _perform(scenario: Scenario, console: Console, folder: Path, stop: Stop) -> int:
    trained = model.train()
    model.save(trained, folder / "model")
    profile = folder / "profile.json"
    model.write_profile(trained, profile)
    console.print(f"Its profile: {len(trained.rows)} rows, {profile.stat().st_size / 1024:.0f} KiB", style="dim", highlight=False)
    model_port, listen, admin, health = free_ports(4)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OUTRIDER_")}
    server = ["-m", "agent.demo.server", str(folder / "model"), str(model_port)]
    with running("model server", server, folder / "server.log", environ) as model_server:
        model_server.wait_for(lambda: get(model_port, "/v2/health/ready")[0] == 200, stop.asked)
        environ |= sidecar_environment(profile, listen, model_port, admin, health)
        with running("sidecar", ["-m", "agent", "run"], folder / "sidecar.log", environ) as sidecar:
            sidecar.wait_for(lambda: get(health, "/readyz")[0] == 200 and get(admin, "/api/report")[0] == 200, stop.asked)
            replay = Replay(trained.rows, scenario, listen, model_port, REQUESTS_PER_S)
            watch = Watch(scenario, replay, admin)
            watch.until_over(console, (model_server, sidecar), stop)
            return _conclude(watch, console, stop)


def sidecar_environment(profile: Path, listen: int, upstream: int, admin: int, health: int) -> dict[str, str]:
    """Give the settings of the sidecar in the demo: all on loopback, a short window, no wait at the end."""
    return {
        "OUTRIDER_PROFILE": str(profile),
        "OUTRIDER_LISTEN": f"127.0.0.1:{listen}",
        "OUTRIDER_UPSTREAM": f"http://127.0.0.1:{upstream}",
        "OUTRIDER_ADMIN": f"127.0.0.1:{admin}",
        "OUTRIDER_HEALTH": f"127.0.0.1:{health}",
        "OUTRIDER_WINDOW": f"{WINDOW_S:g}s",
        "OUTRIDER_PANE": f"{PANE_S:g}s",
        "OUTRIDER_CONSECUTIVE": str(CONSECUTIVE),
        "OUTRIDER_MIN_ROWS": str(MIN_ROWS),
        "OUTRIDER_DRAIN_DELAY": "0s",
        "OUTRIDER_DRAIN_TIMEOUT": "2s",
    }


class Watch:
    """Follows a replay through the sidecar's own report.

    Parameters
    ----------
    scenario, replay
        What happens.
    admin
        The sidecar's admin port.

    Attributes
    ----------
    reports
        Those that decided otherwise than the one before, which is all that a verdict needs: an endless demo must not grow.
    newest
        The last report; ``None`` before the first.
    """

    def __init__(self, scenario: Scenario, replay: Replay, admin: int) -> None:
        self.scenario = scenario
        self.replay = replay
        self.reports: list[Report] = []
        self.newest: Report | None = None
        self._admin = admin
        self._start_ns = 0
        self._end_s = 0.0

    def until_over(self, console: Console, children: tuple[Child, ...], stop: Stop) -> None:
        """Replay until the scenario is over or a signal comes; raise `DemoError` if a child dies."""
        with show_on(console) as show:
            self._start_ns = time.time_ns()
            self.replay.start()
            try:
                while not self.scenario.over(self.replay.elapsed_s) and not stop.wait(POLL_S):
                    for child in children:
                        child.check()
                    self._fetch()
                    show.update(self._view())
            finally:
                self._end_s = self.replay.elapsed_s
                self.replay.stop()
            self._fetch()
            show.update(self._view())

    def judge(self) -> Verdict:
        """Compare the reports with the accidents that have happened."""
        begun = self.scenario.begun(self._end_s)
        accidents_ns = {accident.column: self._start_ns + int(accident.start_s * 1e9) for accident in begun}
        return judge(self.reports, accidents_ns, self.replay.tally())

    def cut_short(self, verdict: Verdict) -> bool:
        """Whether more time could still have changed the verdict."""
        return inconclusive(verdict, self.scenario, self._end_s)

    def _fetch(self) -> None:
        status, body = get(self._admin, "/api/report")
        if status == 200:
            try:
                report = msgspec.json.decode(body, type=Report)
            except msgspec.MsgspecError as error:
                raise DemoError(f"/api/report is not a report: {error}") from error
            self.note(report)

    def note(self, report: Report) -> None:
        """Take in a report, the same one twice if need be."""
        if self.newest is None or _decisions(self.newest) != _decisions(report):
            self.reports.append(report)
        self.newest = report

    def _view(self) -> View:
        flags = {name: (time_ns - self._start_ns) / 1e9 for name, (_, time_ns) in first_flags(self.reports).items()}
        admin = f"http://127.0.0.1:{self._admin}"
        return View(self.scenario, self.replay.elapsed_s, self.newest, self.replay.tally(), flags, admin)


def _decisions(report: Report) -> list[tuple[str, Decision]]:
    return [(column.name, column.decision) for column in report.columns]


def _conclude(watch: Watch, console: Console, stop: Stop) -> int:
    verdict = watch.judge()
    if stop.asked() and watch.cut_short(verdict):
        console.print("\nStopped too early to say whether the sidecar was right.", style="yellow")
        return 128 + stop.signal
    console.print(ending(verdict, watch.scenario, watch.replay.tally(), watch.newest))
    return 0 if verdict.passed else 1
