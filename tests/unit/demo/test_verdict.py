from __future__ import annotations

from dataclasses import replace

from agent.demo.scenario import WINDOW_S, plan
from agent.demo.traffic import Tally
from agent.demo.verdict import Verdict, inconclusive, judge
from agent.evaluate.report import ColumnReport, Decision, Report

SECOND = 1_000_000_000
TALLY = Tally(1000, 3000, 0, "", 150.0, 100, 0.0008, 0.0007)
ACCIDENTS = {"glucose": 10 * SECOND, "bmi": 12 * SECOND}
NAMES = ("age", "bmi", "glucose", "progression")


def report(second: float, *flagged: str, decision: Decision = Decision.OK) -> Report:
    columns = [
        ColumnReport(
            name=name,
            role="prediction" if name == "progression" else "feature",
            type="float",
            decision=Decision.DRIFTED if name in flagged else decision,
            reason=f"{name} moved" if name in flagged else "",
            rows=1000,
            missing_share=0.0,
            reference_rows=442,
            reference_missing_share=0.0,
            scores=[],
        )
        for name in NAMES
    ]
    time_ns = int(second * SECOND)
    return Report(time_ns, 0, time_ns, 1000, "diabetes", "1", int(second), Decision.OK, columns)


def test_just_the_disturbed_columns_flagged_after_their_accidents_passes() -> None:
    verdict = judge([report(5), report(9), report(14, "glucose"), report(18, "glucose", "bmi")], ACCIDENTS, TALLY)
    assert verdict.passed
    assert verdict.flagged == {"glucose": 4.0, "bmi": 6.0}
    assert verdict.outputs == {}


def test_the_prediction_may_follow_its_inputs() -> None:
    verdict = judge([report(5), report(16, "glucose", "bmi", "progression")], ACCIDENTS, TALLY)
    assert verdict.passed
    assert verdict.outputs == {"progression": 6.0}


def test_the_prediction_may_not_go_first() -> None:
    verdict = judge([report(5), report(9, "progression"), report(16, "glucose", "bmi")], ACCIDENTS, TALLY)
    assert not verdict.passed
    assert "progression was flagged 1.0 s too early" in verdict.false_alarms[0]


def test_an_undisturbed_column_flagged_at_any_time_is_a_false_alarm() -> None:
    verdict = judge([report(5), report(16, "glucose", "bmi", "age"), report(17, "glucose", "bmi")], ACCIDENTS, TALLY)
    assert not verdict.passed
    assert verdict.false_alarms == ("age was flagged though nothing had happened to it: age moved",)


def test_a_column_flagged_before_its_own_accident_is_a_false_alarm_though_another_has_begun() -> None:
    verdict = judge([report(5), report(11, "bmi"), report(16, "glucose", "bmi")], ACCIDENTS, TALLY)
    assert not verdict.passed
    assert "bmi was flagged 1.0 s too early" in verdict.false_alarms[0]


def test_a_disturbed_column_never_flagged_is_missed() -> None:
    verdict = judge([report(5), report(16, "glucose")], ACCIDENTS, TALLY)
    assert not verdict.passed
    assert verdict.missed == ("bmi",)


def test_a_failed_request_fails_the_demo() -> None:
    verdict = judge([report(5), report(16, "glucose", "bmi")], ACCIDENTS, replace(TALLY, failures=2, last_failure="503"))
    assert verdict.faults == ("2 requests failed, the last with: 503",)
    assert not verdict.passed


def test_no_request_at_all_fails_the_demo() -> None:
    assert not judge([report(5), report(16, "glucose", "bmi")], ACCIDENTS, replace(TALLY, requests=0)).passed


def test_nothing_flagged_before_counts_only_if_something_could_have_been() -> None:
    flagged = report(16, "glucose", "bmi")
    for calm in ([], [report(5, decision=Decision.INSUFFICIENT)], [report(5, decision=Decision.NO_REFERENCE)]):
        verdict = judge([*calm, flagged], ACCIDENTS, TALLY)
        assert not verdict.passed
        assert "undisturbed" in verdict.faults[0]


def test_undisturbed_traffic_passes_only_unflagged() -> None:
    assert judge([report(5), report(16)], {}, TALLY).passed
    assert not judge([report(5), report(16, "progression")], {}, TALLY).passed


def test_a_demo_stopped_before_its_last_accident_proves_nothing_though_all_was_well_so_far() -> None:
    scenario = plan(None)
    last_s = scenario.disturbances[-1].start_s
    well = Verdict({}, {}, (), (), ())
    assert well.passed
    assert inconclusive(well, scenario, 1.0)
    assert inconclusive(well, scenario, last_s - 0.1)
    assert not inconclusive(well, scenario, last_s)


def test_a_miss_counts_only_after_a_whole_window() -> None:
    scenario = plan(None)
    last_s = scenario.disturbances[-1].start_s
    missed = Verdict({}, {}, ("sex",), (), ())
    assert inconclusive(missed, scenario, last_s + WINDOW_S - 0.1)
    assert not inconclusive(missed, scenario, last_s + WINDOW_S)


def test_a_false_alarm_or_a_failed_request_needs_no_more_time() -> None:
    scenario = plan(None)
    assert not inconclusive(Verdict({}, {}, (), ("age was flagged",), ()), scenario, 1.0)
    assert not inconclusive(judge([], {}, replace(TALLY, failures=1)), scenario, 1.0)


def test_an_undisturbed_demo_is_conclusive_once_it_was_evaluated() -> None:
    scenario = plan(None, disturb=False)
    assert inconclusive(judge([], {}, TALLY), scenario, 1.0)
    assert not inconclusive(judge([report(5)], {}, TALLY), scenario, 5.0)
