"""A thread that exports now and then, and can be stopped in time whatever the collector does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable

from agent.export.figures import ExportCounters

_log = logging.getLogger("outrider.export")


class Complaints(logging.Handler):
    """Takes what OpenTelemetry's loggers say, so that it can be put into one line when the state changes.

    The exporters log each retry and each failure; with a dead collector that is several lines a minute for ever.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._first: dict[int, str] = {}
        self._logger = logging.getLogger("opentelemetry")
        self._propagate = self._logger.propagate

    def install(self) -> None:
        """Stand between OpenTelemetry's loggers and the root logger."""
        self._logger.addHandler(self)
        self._logger.propagate = False

    def remove(self) -> None:
        """Undo `install`."""
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagate

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first line of each thread: it names the cause, while later ones say that patience ran out."""
        self._first.setdefault(record.thread or 0, record.getMessage())

    def take(self) -> str:
        """Give the first line since the last call in this thread, or an empty text."""
        return self._first.pop(threading.get_ident(), "")


class Periodic:
    """Exports one signal every so often, on a thread of its own.

    Parameters
    ----------
    signal
        ``metrics`` or ``traces``.
    endpoint
        Where it goes, for log lines.
    export
        Sends what there is, request by request, and yields whether each went well; yields nothing where there was nothing to
        send. After the first failure the rest waits for the next time.
    close
        Breaks off a request under way.
    interval_s
        Time between exports.
    counters
        Where failures are counted.
    complaints
        Where to look for the cause of one.
    """

    def __init__(
        self,
        signal: str,
        endpoint: str,
        export: Callable[[], Iterable[bool]],
        close: Callable[[], None],
        interval_s: float,
        counters: ExportCounters,
        complaints: Complaints,
    ) -> None:
        self._signal = signal
        self._endpoint = endpoint
        self._export = export
        self._close = close
        self._interval_s = interval_s
        self._counters = counters
        self._complaints = complaints
        self._failing = False
        self._stopping = False
        self._muted = False
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outrider-{signal}", daemon=True)

    def start(self) -> None:
        """Begin; the first export comes after one interval."""
        self._thread.start()

    def wake(self) -> None:
        """Export soon instead of after the interval."""
        self._awake.set()

    def stop(self) -> None:
        """Export a last time, then end; does not wait for it."""
        self._stopping = True
        self._awake.set()

    def finish(self, timeout_s: float) -> bool:
        """Wait for the end after `stop`.

        Returns
        -------
        bool
            Whether the thread ended. If the collector did not answer within three quarters of `timeout_s`, the request is
            broken off; a thread that is stuck even then is left behind, and never keeps the process alive.
        """
        deadline = time.monotonic() + timeout_s
        self._thread.join(timeout_s * 0.75)
        if self._thread.is_alive():
            self._mute()
        closing = threading.Thread(target=self._close, name=f"outrider-{self._signal}-close", daemon=True)
        closing.start()
        closing.join(max(0.0, deadline - time.monotonic()))
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _mute(self) -> None:
        # What fails from here on fails because the request is broken off.
        self._muted = True
        if not self._failing:
            _log.warning("last export cut short signal=%s endpoint=%s", self._signal, self._endpoint)

    def _run(self) -> None:
        last = False
        while not last:
            self._awake.wait(self._interval_s)
            self._awake.clear()
            # Looked at before the export: what `stop` asked for during one is exported by one more.
            last = self._stopping
            self._once()

    def _once(self) -> None:
        self._complaints.take()
        try:
            for went_well in self._export():
                self._note("" if went_well else self._complaints.take() or "the exporter gave no reason")
                if not went_well:
                    return
        except Exception as error:  # noqa: BLE001 - whatever a library raises here, monitoring goes on
            self._note(f"{type(error).__name__}: {error}")

    def _note(self, failure: str) -> None:
        if failure:
            self._counters.failures[self._signal] = self._counters.failures.get(self._signal, 0) + 1
        if bool(failure) is self._failing or self._muted:
            return
        self._failing = bool(failure)
        if failure:
            _log.warning(
                "export failing signal=%s endpoint=%s reason=%r; inference goes on, trying again quietly",
                self._signal,
                self._endpoint,
                failure,
            )
        else:
            _log.info("export recovered signal=%s endpoint=%s", self._signal, self._endpoint)
