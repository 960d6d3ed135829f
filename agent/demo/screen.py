"""What the terminal shows: pure functions from a `View` to something that rich can print, 80 columns wide, 24 lines high."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.demo.scenario import CONSECUTIVE, Scenario
from agent.demo.traffic import Tally
from agent.demo.verdict import OUTPUT_ROLES, Verdict
from agent.evaluate.report import PLENTY, ColumnReport, Decision, Report, Score, evidence

STATES: dict[Decision, tuple[str, str]] = {
    Decision.NO_REFERENCE: ("- none", "dim"),
    Decision.INSUFFICIENT: ("… waiting", "dim"),
    Decision.OK: ("● ok", "green"),
    Decision.SUSPECT: ("▲ suspect", "yellow"),
    Decision.DRIFTED: ("✖ drifted", "bold red"),
}
"""How each decision looks: text and style."""

_CALM_TO_ALARMING = tuple(Decision)
NOTABLE_MISSING = 0.02
"""From this much more missing than in training on, the missing share says more than the mean."""

SHORT_NAMES = {"wasserstein": "W/σ"}
"""Statistics whose names are too long for the table."""

NEXT_STEPS = (
    "outrider profile build train.csv --label y --prediction p -o profile.json",
    "OUTRIDER_PROFILE=profile.json outrider run  # before a model at 127.0.0.1:8080",
    "curl -s http://127.0.0.1:9464/api/report    # or open http://127.0.0.1:9464/",
)
"""The commands for a model of one's own; each fits a line."""


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the demo.

    Parameters
    ----------
    scenario, elapsed_s
        Where in the plan the replay is.
    report
        The newest one; ``None`` before the first.
    tally
        What the clients saw.
    flagged_s
        Columns flagged so far, with seconds after the start of the replay.
    admin
        Where the report and the metrics are served, as ``http://host:port``.
    """

    scenario: Scenario
    elapsed_s: float
    report: Report | None
    tally: Tally
    flagged_s: dict[str, float]
    admin: str


def telling_score(column: ColumnReport) -> Score | None:
    """Pick the score that says most: by decision, then by bound over threshold, then by value over threshold."""
    return max(
        column.scores,
        key=lambda score: (_CALM_TO_ALARMING.index(score.decision), _proven(score), _over(score.value, score)),
        default=None,
    )


def _proven(score: Score) -> float:
    return -math.inf if math.isnan(score.lower) else evidence(score)


def _over(value: float, score: Score) -> float:
    ratio = value / score.threshold if score.threshold else 0.0
    return -math.inf if math.isnan(ratio) else min(ratio, PLENTY)


def change(column: ColumnReport) -> str:
    """In few words: from what in training to what in the window."""
    missing, before = column.missing_share or 0.0, column.reference_missing_share or 0.0
    if missing - before > NOTABLE_MISSING:
        return f"{before:.0%} → {missing:.0%} missing"
    if column.unseen_share is not None and column.mean is None:
        return f"{column.unseen_share:.0%} unseen"
    if column.mean is None or column.reference_mean is None:
        return ""
    return f"{column.reference_mean:.4g} → {column.mean:.4g}"


def live(view: View) -> RenderableType:
    """Everything at once: what was done, what was found, what it costs, where to look further."""
    return Group(_title(view), *_accidents(view), Text(), _columns(view), Text(), *_footer(view))


def _title(view: View) -> Text:
    begun = view.scenario.begun(view.elapsed_s)
    phase = ("the traffic is disturbed", "yellow") if begun else ("real rows, undisturbed", "green")
    total = f" of {clock(view.scenario.seconds)}" if view.scenario.seconds is not None else ", Ctrl-C ends it"
    return Text.assemble((" outrider demo ", "bold reverse"), f"  {clock(view.elapsed_s)}{total}   ", phase)


def _accidents(view: View) -> list[Text]:
    lines = [Text(" 0:00  real rows go through the sidecar to the model, as in training", style="green")]
    for accident in view.scenario.disturbances:
        if accident.start_s > view.elapsed_s:
            lines.append(Text(f" {clock(accident.start_s)}  …", style="dim"))
            continue
        line = Text.assemble((f" {clock(accident.start_s)}  ", "yellow"), (accident.column, "bold"), f" {accident.what}")
        if accident.column in view.flagged_s:
            line.append(f"  flagged +{view.flagged_s[accident.column] - accident.start_s:.0f} s", "bold red")
        line.truncate(80, overflow="ellipsis")
        lines.append(line)
    return lines


def _columns(view: View) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold", width=80)
    table.add_column(" column", no_wrap=True, width=18)
    table.add_column("role", no_wrap=True, width=4)
    table.add_column("training → window", no_wrap=True, width=17, justify="right")
    table.add_column("best test", no_wrap=True, width=10)
    for heading in ("score", "bound", "limit"):
        table.add_column(heading, no_wrap=True, width=5, justify="right")
    table.add_column("state", no_wrap=True, width=9)
    for column in view.report.columns if view.report else ():
        table.add_row(*_row(column))
    return table


def _row(column: ColumnReport) -> list[Text]:
    state, style = STATES[column.decision]
    loud = style if column.decision in (Decision.SUSPECT, Decision.DRIFTED) else ""
    score = telling_score(column)
    figures = (score.value, score.lower, score.threshold) if score else ()
    numbers = ["" if value is None else number(value) for value in figures] or ["", "", ""]
    return [
        Text(f" {column.name}", style=loud),
        Text("out" if column.role in OUTPUT_ROLES else "in", style="dim"),
        Text(change(column)),
        Text(SHORT_NAMES.get(score.statistic, score.statistic) if score else "", style="dim"),
        Text(numbers[0]),
        Text(numbers[1], style=loud),
        Text(numbers[2], style="dim"),
        Text(state, style=style),
    ]


def number(value: float) -> str:
    """Write a number in five characters, up to 99,999 and down to -9,999."""
    room = 4 - len(f"{value:.0f}")
    return f"{value:.{max(0, min(3, room))}f}"


def _footer(view: View) -> list[Text]:
    tally = view.tally
    explained = f" drifted: the bound stayed above the limit {CONSECUTIVE} times in a row"
    counts = Text.assemble(
        (f" {tally.requests_per_s:.0f} requests/s", "bold"),
        f"  {tally.requests:,} requests  {tally.rows:,} rows  ",
        (f"{tally.failures:,} failed", "bold red" if tally.failures else "green"),
    )
    return [
        Text(explained, style="dim"),
        counts,
        Text(f" {latency(tally)}"),
        Text(f" {view.admin}/api/report  {view.admin}/metrics"),
    ]


def latency(tally: Tally) -> str:
    """Say what the sidecar adds, in one line."""
    if not tally.pairs:
        return "added latency: not measured yet"
    added = _duration(tally.added_s) if tally.added_s > 0 else "less than this machine's noise"
    return f"the sidecar adds {added} (median {_duration(tally.direct_s)} without it, {_duration(tally.sidecar_s)} with it)"


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs" if abs(seconds) < 0.001 else f"{seconds * 1e3:.2f} ms"


def clock(seconds: float) -> str:
    """Minutes and seconds, as on a clock: ``1:05``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def ending(verdict: Verdict, scenario: Scenario, tally: Tally, last: Report | None) -> RenderableType:
    """Say how it ended, and what to do next."""
    reasons = {column.name: column.reason for column in last.columns} if last else {}
    lines: list[RenderableType] = [Text(), _result(verdict, scenario)]
    for name, seconds in verdict.flagged.items():
        lines += _finding(name, f"{seconds:.1f} s after it began", reasons.get(name, ""))
    for name, seconds in verdict.outputs.items():
        lines += _finding(name, f"depends on them; {seconds:.1f} s after the first began", reasons.get(name, ""))
    lines += [Text(f"  {name}: was disturbed and not flagged", style="red") for name in verdict.missed]
    lines += [Padding(Text(sentence, style="red"), (0, 0, 0, 2)) for sentence in verdict.false_alarms + verdict.faults]
    lines += [
        Text(f"\n{tally.requests:,} requests, {tally.rows:,} rows, {tally.failures:,} failed;"),
        Text(f"{latency(tally)}."),
        Text("\nThe same with your own model:", style="bold"),
        *(Text(f"  {command}", style="cyan") for command in NEXT_STEPS),
    ]
    return Group(*lines)


def _result(verdict: Verdict, scenario: Scenario) -> Text:
    if not verdict.passed:
        return Text("✘ The sidecar did not say what it should have said.", style="bold red")
    if not scenario.disturbances:
        return Text("✔ The traffic was undisturbed, and nothing was flagged.", style="bold green")
    names = ", ".join(verdict.flagged)
    return Text(f"✔ Just the disturbed columns were flagged ({names}), nothing before.", style="bold green")


def _finding(name: str, when: str, reason: str) -> list[RenderableType]:
    return [Text.assemble((f"  {name}", "bold"), f"  {when}"), Padding(Text(reason, style="dim"), (0, 0, 0, 4))]
