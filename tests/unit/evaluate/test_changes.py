from __future__ import annotations

import logging
from typing import TypeVar

import msgspec
import pytest

from agent.evaluate.changes import Change, changes, log_changes
from agent.evaluate.report import ColumnReport, Decision, GroupReport, RelationReport, Report
from tests.synthetic import REPORT

Told = TypeVar("Told", ColumnReport, RelationReport, GroupReport)

GROUP = GroupReport("gender=f", "gender", "f", Decision.OK, "")


def report(age: Decision = Decision.OK, correlation: Decision = Decision.OK, group: Decision = Decision.OK) -> Report:
    def told(one: Told, decision: Decision) -> Told:
        return msgspec.structs.replace(one, decision=decision, reason="why" if decision is not Decision.OK else "")

    return msgspec.structs.replace(
        REPORT,
        columns=[told(REPORT.columns[0], age), REPORT.columns[1]],
        relations=[told(REPORT.relations[0], correlation)],
        groups=[told(GROUP, group)],
    )


DRIFTED = report(Decision.DRIFTED, Decision.DRIFTED, Decision.DRIFTED)
NAMES = [("column", "age"), ("relation", "correlation ~ age ~ income"), ("group", "gender=f")]


@pytest.mark.parametrize("before", [None, report(), report(Decision.SUSPECT, Decision.SUSPECT, Decision.INSUFFICIENT)])
def test_what_begins_to_drift_is_told(before: Report | None) -> None:
    assert list(changes(before, DRIFTED)) == [Change(kind, name, Decision.DRIFTED, "why") for kind, name in NAMES]


def test_what_no_longer_drifts_is_told() -> None:
    found = list(changes(DRIFTED, report(Decision.SUSPECT)))
    assert [(change.kind, change.name) for change in found] == NAMES
    assert [change.decision for change in found] == [Decision.SUSPECT, Decision.OK, Decision.OK]


def test_what_left_the_report_no_longer_drifts() -> None:
    gone = msgspec.structs.replace(DRIFTED, relations=[])
    assert list(changes(DRIFTED, gone)) == [Change(*NAMES[1], Decision.OK, "")]


@pytest.mark.parametrize(("before", "after"), [(DRIFTED, DRIFTED), (report(), report(Decision.SUSPECT)), (None, report())])
def test_all_else_is_no_change(before: Report | None, after: Report) -> None:
    assert list(changes(before, after)) == []


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_changes_are_said_in_a_line_each(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("outrider"), "propagate", True)
    with caplog.at_level(logging.INFO, "outrider.monitor"):
        log_changes(None, DRIFTED)
        log_changes(report(Decision.DRIFTED), report())
    assert lines(caplog) == [
        ("WARNING", "column drifted column=age reason='why'"),
        ("WARNING", "columns go together otherwise than in training relation=correlation ~ age ~ income reason='why'"),
        ("WARNING", "a group is favoured or disfavoured group=gender=f reason='why'"),
        ("INFO", "no longer so: column=age decision=ok"),
    ]


def test_changes_in_a_segment_name_it(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("outrider"), "propagate", True)
    with caplog.at_level(logging.INFO, "outrider.monitor"):
        log_changes(report(), report(Decision.DRIFTED), "city=Rome")
        log_changes(report(Decision.DRIFTED), report(), "city=Rome")
    assert lines(caplog) == [
        ("WARNING", "column drifted in a segment segment=city=Rome column=age reason='why'"),
        ("INFO", "no longer so in a segment: segment=city=Rome column=age decision=ok"),
    ]
