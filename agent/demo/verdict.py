"""Whether the sidecar said the right thing: a pure function of the reports it served.

Right means: each disturbed column was flagged after its accident, no column was flagged without one, and nothing was flagged
before. The model's own outputs may drift once its inputs have, since they depend on them; they need not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.demo.scenario import WINDOW_S, Scenario
from agent.demo.traffic import Tally
from agent.evaluate.report import ColumnReport, Decision, Report

OUTPUT_ROLES = ("prediction", "probability")

FOLLOWING_ROLES = (*OUTPUT_ROLES, "derived")
"""What may drift because an input did: the model's answers, and the scores of rows as wholes."""
_DECIDED = (Decision.OK, Decision.SUSPECT, Decision.DRIFTED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the reports come to.

    Parameters
    ----------
    flagged
        Disturbed columns that were flagged, with seconds from the accident to the first report that said so.
    outputs
        Outputs that were flagged after the first accident, with seconds from it.
    missed
        Disturbed columns that were never flagged.
    false_alarms
        One sentence for each column that was flagged without a reason.
    faults
        One sentence for each thing that was wrong besides: failed requests, nothing evaluated before the first accident.
    failed_requests
        How many requests failed.
    """

    flagged: Mapping[str, float]
    outputs: Mapping[str, float]
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    faults: tuple[str, ...]
    failed_requests: int = 0

    @property
    def passed(self) -> bool:
        """Whether everything was as it should be."""
        return not (self.missed or self.false_alarms or self.faults)


def judge(reports: Sequence[Report], accidents_ns: Mapping[str, int], tally: Tally) -> Verdict:
    """Compare what was reported with what was done.

    Parameters
    ----------
    reports
        In the order of time; one and the same evaluation may be there more than once.
    accidents_ns
        Disturbed columns, and the wall clock at which each accident began; empty where nothing was disturbed.
    tally
        Of the whole replay.
    """
    first_flag = first_flags(reports)
    first_accident_ns = min(accidents_ns.values(), default=None)
    flagged: dict[str, float] = {}
    outputs: dict[str, float] = {}
    false_alarms: list[str] = []
    for name, (column, time_ns) in first_flag.items():
        begin_ns = accidents_ns.get(name, first_accident_ns if column.role in FOLLOWING_ROLES else None)
        if begin_ns is None:
            false_alarms.append(f"{name} was flagged though nothing had happened to it: {column.reason}")
        elif time_ns < begin_ns:
            false_alarms.append(f"{name} was flagged {(begin_ns - time_ns) / 1e9:.1f} s too early: {column.reason}")
        else:
            (outputs if name not in accidents_ns else flagged)[name] = (time_ns - begin_ns) / 1e9
    return Verdict(
        {name: flagged[name] for name in accidents_ns if name in flagged},
        outputs,
        tuple(name for name in accidents_ns if name not in first_flag),
        tuple(false_alarms),
        tuple(_faults(reports, first_accident_ns, tally)),
        tally.failures,
    )


def inconclusive(verdict: Verdict, scenario: Scenario, end_s: float) -> bool:
    """Whether a replay that ended after `end_s` seconds was too short for its verdict, whichever it is.

    That is so while an accident is still to come, or the last one has not had a whole window to be found in. A false alarm
    or a failed request stays wrong however long it goes on.
    """
    if verdict.false_alarms or verdict.failed_requests:
        return False
    if len(scenario.begun(end_s)) < len(scenario.disturbances):
        return True
    last_s = max((accident.start_s for accident in scenario.disturbances), default=0.0)
    return not verdict.passed and end_s < last_s + WINDOW_S


def first_flags(reports: Sequence[Report]) -> dict[str, tuple[ColumnReport, int]]:
    """Give each column that was ever flagged, as it was then, and the wall clock of the first report that said so."""
    flags: dict[str, tuple[ColumnReport, int]] = {}
    for report in reports:
        for column in report.columns:
            if column.decision is Decision.DRIFTED:
                flags.setdefault(column.name, (column, report.time_ns))
    return flags


def _faults(reports: Sequence[Report], first_accident_ns: int | None, tally: Tally) -> list[str]:
    faults = []
    if tally.failures:
        faults.append(f"{tally.failures} requests failed, the last with: {tally.last_failure}")
    if not tally.requests:
        faults.append("no request was answered")
    calm = [report for report in reports if first_accident_ns is None or report.time_ns < first_accident_ns]
    # "Nothing was flagged" says something only where there was an evaluation that could have flagged it.
    if not any(_decides(report) for report in calm):
        faults.append("no evaluation had enough rows while the traffic was undisturbed")
    return faults


def _decides(report: Report) -> bool:
    """Whether it decided on all columns of the data; 442 rows of training are too few for some scores of rows as wholes."""
    decisions = [column.decision for column in report.columns if column.role != "derived"]
    return bool(decisions) and all(decision in _DECIDED for decision in decisions)
