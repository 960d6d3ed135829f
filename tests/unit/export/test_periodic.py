from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

from agent.export.figures import ExportCounters
from agent.export.periodic import Complaints, Periodic
from tests.parts import logged


class Steps:
    """An export whose results are scripted: one list of results per call, then nothing to send."""

    def __init__(self, *script: Iterable[bool | Exception]) -> None:
        self.script = list(script)
        self.calls = 0
        self.sent: list[bool] = []
        self.used_up = threading.Event()

    def __call__(self) -> Iterator[bool]:
        self.calls += 1
        if not self.script:
            self.used_up.set()
            return
        for step in self.script.pop(0):
            if isinstance(step, Exception):
                raise step
            self.sent.append(step)
            yield step


def ran(steps: Steps) -> tuple[ExportCounters, list[str]]:
    counters = ExportCounters()
    with logged("outrider.export") as lines:
        periodic = Periodic("metrics", "c:4317", steps, lambda: None, 0.001, counters, Complaints())
        periodic.start()
        assert steps.used_up.wait(10)
        periodic.stop()
        assert periodic.finish(5)
    return counters, lines


def test_only_changes_of_state_are_logged() -> None:
    counters, lines = ran(Steps([True], [False], [False], [False], [], [True], [True], [False]))
    assert counters.failures == {"metrics": 4}
    assert [line.split(" signal")[0] for line in lines] == [
        "warning: export failing",
        "info: export recovered",
        "warning: export failing",
    ]
    assert "endpoint=c:4317" in lines[0]


def test_exception_is_a_failure_with_its_name() -> None:
    counters, lines = ran(Steps([OSError("no route")]))
    assert counters.failures == {"metrics": 1}
    assert "OSError: no route" in lines[0]


def test_rest_waits_after_the_first_failure() -> None:
    steps = Steps([True, False, True])
    ran(steps)
    assert steps.sent == [True, False]


def test_stop_exports_once_more_without_waiting_for_the_interval() -> None:
    steps = Steps([True])
    periodic = Periodic("metrics", "c", steps, lambda: None, 3600, ExportCounters(), Complaints())
    periodic.start()
    periodic.stop()
    assert periodic.finish(5)
    assert steps.sent == [True]


def test_stop_during_an_export_is_followed_by_a_last_one() -> None:
    inside, go_on, calls = threading.Event(), threading.Event(), []

    def export() -> Iterator[bool]:
        calls.append(1)
        inside.set()
        go_on.wait(10)
        yield True

    periodic = Periodic("metrics", "c", export, lambda: None, 3600, ExportCounters(), Complaints())
    periodic.start()
    periodic.wake()
    assert inside.wait(10)
    periodic.stop()
    go_on.set()
    assert periodic.finish(5)
    assert len(calls) == 2


def test_finish_breaks_off_a_request_that_hangs() -> None:
    hanging = threading.Event()

    def export() -> Iterator[bool]:
        hanging.wait(30)
        yield False

    periodic = Periodic("metrics", "c", export, hanging.set, 3600, ExportCounters(), Complaints())
    periodic.start()
    periodic.stop()
    with logged("outrider.export"):
        assert periodic.finish(1)


def test_finish_leaves_a_thread_behind_that_nothing_frees() -> None:
    forever = threading.Event()

    def export() -> Iterator[bool]:
        forever.wait(30)
        yield False

    def close() -> None:
        forever.wait(30)

    periodic = Periodic("metrics", "c", export, close, 3600, ExportCounters(), Complaints())
    periodic.start()
    periodic.stop()
    with logged("outrider.export") as lines:
        assert not periodic.finish(0.1)
        forever.set()
        periodic.finish(5)
    assert lines == ["warning: last export cut short signal=metrics endpoint=c"]


def test_complaints_keep_the_first_line_of_the_thread() -> None:
    complaints = Complaints()
    complaints.install()
    try:
        logging.getLogger("opentelemetry.exporter").warning("the %s", "cause")
        logging.getLogger("opentelemetry.exporter").error("gave up")
        assert complaints.take() == "the cause"
        assert complaints.take() == ""
    finally:
        complaints.remove()
    assert logging.getLogger("opentelemetry").propagate
