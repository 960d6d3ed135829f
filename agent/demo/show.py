"""Where the demo is shown: a live picture on a terminal, lines on change of state anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from agent.demo.screen import View, clock, live, telling_score
from agent.evaluate.report import ColumnReport, Decision


class Show(Protocol):
    """Takes one moment after the other; a context manager, so that the terminal is left as it was."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def update(self, view: View) -> None:
        """Show this moment."""


def show_on(console: Console) -> Show:
    """Choose what fits the console."""
    return Picture(console) if console.is_terminal else Lines(console)


class Picture:
    """A picture that is drawn over and over in the same place."""

    def __init__(self, console: Console) -> None:
        # Drawn on update only: a timer of its own would take the interpreter from the threads that measure.
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the last picture where it is."""
        self._live.__exit__(kind, error, trace)

    def update(self, view: View) -> None:
        """Draw this moment."""
        self._live.update(live(view), refresh=True)


class Lines:
    """One line for each thing that happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = 0
        self._states: dict[str, Decision] = {}

    def __enter__(self) -> Self:
        """Nothing to take."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to leave."""

    def update(self, view: View) -> None:
        """Write what is new: accidents that began, columns whose state changed."""
        begun = view.scenario.begun(view.elapsed_s)
        for accident in begun[self._begun :]:
            self._line(accident.start_s, f"{accident.column} {accident.what}")
        self._begun = len(begun)
        for column in view.report.columns if view.report else ():
            if self._states.get(column.name) is not column.decision:
                self._line(view.elapsed_s, f"{column.name}: {column.decision}{_why(column)}")
            self._states[column.name] = column.decision

    def _line(self, elapsed_s: float, what: str) -> None:
        self._console.print(Text(f"{clock(elapsed_s)}  {what}"), soft_wrap=True)


def _why(column: ColumnReport) -> str:
    score = telling_score(column)
    if score is None or column.decision not in (Decision.SUSPECT, Decision.DRIFTED):
        return ""
    return f" ({score.statistic} {score.value:.3f}, bound {score.lower:.3f}, limit {score.threshold:g})"
