from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from agent.demo.model import FEATURES, PREDICTION
from agent.demo.scenario import plan
from agent.demo.screen import NEXT_STEPS, View, change, clock, ending, latency, live, number, telling_score
from agent.demo.show import Lines, Picture, show_on
from agent.demo.traffic import Tally
from agent.demo.verdict import judge
from agent.evaluate.report import ColumnReport, Decision, Report, Score

TALLY = Tally(12_345, 39_876, 0, "", 151.2, 1234, 0.00083, 0.00071)
SCENARIO = plan(60)


def score(statistic: str, value: float, lower: float, decision: Decision = Decision.OK) -> Score:
    streak = 3 if decision is Decision.DRIFTED else 0
    return Score(statistic, "training", value, lower, 0.1, decision, streak, 1000, 3600.0)


def column(
    name: str,
    decision: Decision = Decision.OK,
    *,
    mean: float | None = 91.26,
    reference_mean: float | None = 91.3,
    missing: float = 0.0,
    unseen: float | None = None,
) -> ColumnReport:
    return ColumnReport(
        name=name,
        role="prediction" if name == PREDICTION else "feature",
        type="float",
        decision=decision,
        reason=f"{name}: found" if decision is Decision.DRIFTED else "",
        rows=4000,
        missing_share=missing,
        reference_rows=442,
        reference_missing_share=0.0,
        scores=[score("wasserstein", 12.3456, 11.234, decision), score("psi", 0.02, 0.0)],
        mean=mean,
        reference_mean=reference_mean,
        unseen_share=unseen,
    )


def report(decisions: dict[str, Decision], time_ns: int = 30_000_000_000) -> Report:
    columns = [column(name, decisions.get(name, Decision.OK)) for name in (*FEATURES, PREDICTION)]
    return Report(time_ns, 0, time_ns, 4000, "diabetes", "1", 30, Decision.OK, columns)


def view(elapsed_s: float, decisions: dict[str, Decision] | None, flagged_s: dict[str, float] | None = None) -> View:
    newest = None if decisions is None else report(decisions)
    return View(SCENARIO, elapsed_s, newest, TALLY, flagged_s or {}, "http://127.0.0.1:65535")


def text_of(renderable: object, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, height=24, force_terminal=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


VIEWS = [
    view(0.1, None),
    view(5, dict.fromkeys((*FEATURES, PREDICTION), Decision.INSUFFICIENT)),
    view(5, dict.fromkeys((*FEATURES, PREDICTION), Decision.NO_REFERENCE)),
    view(10, {}),
    view(25, {"glucose": Decision.SUSPECT}),
    view(3599, {"glucose": Decision.DRIFTED, "bmi": Decision.DRIFTED, "sex": Decision.DRIFTED}, {"glucose": 20.0, "sex": 33.0}),
]


@pytest.mark.parametrize("moment", VIEWS)
def test_the_picture_fits_80_columns_and_24_lines(moment: View) -> None:
    lines = text_of(live(moment)).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 23  # one is left for the cursor


def test_the_picture_names_each_column_with_score_bound_limit_and_state_uncut() -> None:
    text = text_of(live(view(30, {"glucose": Decision.DRIFTED})))
    for name in (*FEATURES, PREDICTION):
        assert name in text
    line = next(line for line in text.splitlines() if line.startswith(" glucose"))
    assert line.split() == ["glucose", "in", "91.3", "→", "91.26", "W/σ", "12.35", "11.23", "0.100", "✖", "drifted"]


def test_the_picture_says_what_happened_when_and_when_it_was_flagged() -> None:
    start = SCENARIO.disturbances[0].start_s
    before = text_of(live(view(start - 1, {})))
    assert "undisturbed" in before
    assert "mmol" not in before
    after = text_of(live(view(start + 9, {}, {"glucose": start + 5})))
    assert "the traffic is disturbed" in after
    assert "glucose arrives in mmol/l instead of mg/dl" in after
    assert "flagged +5 s" in after


def test_the_telling_score_is_the_most_alarming_then_the_one_whose_bound_is_highest_over_its_limit() -> None:
    scores = [score("a", 9.0, 0.2), score("b", 0.3, 0.15, Decision.DRIFTED), score("c", 0.4, 0.2, Decision.DRIFTED)]
    chosen = telling_score(replace_scores(scores))
    assert chosen is not None
    assert chosen.statistic == "c"


def test_a_score_that_is_not_a_number_is_never_the_telling_one() -> None:
    chosen = telling_score(replace_scores([score("a", math.nan, math.nan), score("b", 0.0, 0.0)]))
    assert chosen is not None
    assert chosen.statistic == "b"
    assert telling_score(replace_scores([])) is None


def replace_scores(scores: list[Score]) -> ColumnReport:
    return ColumnReport("x", "feature", "float", Decision.OK, "", 1, 0.0, 1, 0.0, scores)


def test_a_change_is_shown_as_missing_share_unseen_share_or_mean() -> None:
    assert change(column("bmi", missing=0.61)) == "0% → 61% missing"
    assert change(column("sex", mean=None, reference_mean=None, unseen=0.6)) == "60% unseen"
    assert change(column("age", mean=48.5181, reference_mean=1234567.0)) == "1.235e+06 → 48.52"
    assert change(column("text", mean=None, reference_mean=None)) == ""


def test_latency_is_in_microseconds_or_milliseconds_and_admits_not_to_know() -> None:
    assert latency(TALLY) == "the sidecar adds 120 µs (median 710 µs without it, 830 µs with it)"
    assert "1.20 ms" in latency(replace(TALLY, direct_s=0.0012, sidecar_s=0.0013))
    assert "less than this machine's noise (" in latency(replace(TALLY, direct_s=0.00084))
    assert latency(replace(TALLY, pairs=0)) == "added latency: not measured yet"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (0.12345, "0.123"),
        (9.9996, "10.00"),
        (12.3456, "12.35"),
        (1234.5, "1234"),
        (99999.0, "99999"),
        (-0.12, "-0.12"),
    ],
)
def test_numbers_fit_their_column(value: float, text: str) -> None:
    assert number(value) == text
    assert len(text) <= 5


def test_clock() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 60, 3601)] == ["0:00", "0:59", "1:00", "60:01"]


def test_the_ending_names_what_was_flagged_and_the_next_steps() -> None:
    calm, late = report({}, 1), report(dict.fromkeys(("glucose", "bmi", "sex", PREDICTION), Decision.DRIFTED), 40_000_000_000)
    accidents_ns = {"glucose": 20_000_000_000, "bmi": 24_000_000_000, "sex": 28_000_000_000}
    verdict = judge([calm, late], accidents_ns, TALLY)
    text = text_of(ending(verdict, SCENARIO, TALLY, late))
    assert text.lstrip().startswith("✔")
    for expected in ("glucose  20.0 s", "bmi  16.0 s", "sex  12.0 s", f"{PREDICTION}  depends on them", *NEXT_STEPS):
        assert expected in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_bad_ending_says_what_was_wrong() -> None:
    verdict = judge(
        [report({}, 1), report({"age": Decision.DRIFTED})], {"glucose": 2}, replace(TALLY, failures=1, last_failure="E")
    )
    text = text_of(ending(verdict, SCENARIO, TALLY, None))
    assert text.lstrip().startswith("✘")
    for expected in ("glucose: was disturbed and not flagged", "age was flagged", "1 requests failed"):
        assert expected in text


def test_without_a_terminal_only_changes_are_written() -> None:
    console = Console(file=io.StringIO(), width=80)
    show = show_on(console)
    assert isinstance(show, Lines)
    with show:
        for moment in (
            view(1, {}),
            view(2, {}),
            view(25, {"glucose": Decision.SUSPECT}),
            view(26, {"glucose": Decision.SUSPECT}),
        ):
            show.update(moment)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len([line for line in lines if "glucose: ok" in line]) == 1
    assert [line for line in lines if "suspect" in line] == [
        "0:25  glucose: suspect (wasserstein 12.346, bound 11.234, limit 0.1)"
    ]
    assert [line for line in lines if "mmol" in line] == ["0:15  glucose arrives in mmol/l instead of mg/dl"]


def test_a_terminal_gets_the_picture() -> None:
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    show = show_on(console)
    assert isinstance(show, Picture)
    with show:
        show.update(view(1, {}))
    assert isinstance(console.file, io.StringIO)
    assert "requests/s" in console.file.getvalue()
