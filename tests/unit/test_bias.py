"""Groups that the model's answers favour, from exchanges to the report."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent import config
from agent.errors import ConfigError
from agent.evaluate.report import Decision, GapReport, GroupReport
from agent.exchange import Exchange
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from tests.exchanges import json_exchange
from tests.traffic import PREDICT

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


def rows(count: int, seed: int, rates: dict[str, float] | None = None) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "age": rng.integers(18, 90, count).astype(float),
        "gender": rng.choice(["f", "m"], count),
        "income": rng.normal(3000.0, 500.0, count),
    }
    share = np.array([(rates or {"f": 0.5, "m": 0.52})[name] for name in columns["gender"]])
    columns["approved"] = rng.random(count) < share
    return columns


def schema(**options: Any) -> Schema:
    columns = rows(6000, 1)
    return schema_of(build(columns, **({"prediction": "approved", "by": ["gender", "age<25"]} | options)))


def pipeline(groups: str, known: Schema | None = None, **more: str) -> Pipeline:
    settings = {"OUTRIDER_PANE": "1s", "OUTRIDER_WINDOW": "60s", "OUTRIDER_GROUPS": groups, **more}
    return Pipeline(config.load(settings), known or schema())


def call(columns: dict[str, Any]) -> Exchange:
    inputs = {name: column.tolist() for name, column in columns.items() if name != "approved"}
    records = [dict(zip(inputs, row, strict=True)) for row in zip(*inputs.values(), strict=True)]
    return json_exchange(PREDICT, {"instances": records}, {"predictions": columns["approved"].tolist()})


def run(monitor: Pipeline, seconds: int, rates: dict[str, float] | None = None, start: int = 0, count: int = 300) -> None:
    for second in range(start, start + seconds):
        monitor.take([call(rows(count, 100 + second, rates))], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
    assert monitor.activity.faults == {}


def reports(monitor: Pipeline) -> dict[str, GroupReport]:
    assert monitor.report is not None
    return {group.name: group for group in monitor.report.groups}


def numbers(gap: GapReport) -> tuple[float, float, float, float]:
    assert gap.value is not None
    assert gap.lower is not None
    assert gap.upper is not None
    assert gap.bound is not None
    return gap.value, gap.lower, gap.upper, gap.bound


UNFAIR = {"f": 0.3, "m": 0.6}


def test_a_group_that_is_selected_less_is_found() -> None:
    monitor = pipeline("gender, age<25")
    run(monitor, 20, UNFAIR)
    found = reports(monitor)
    assert {name: group.decision for name, group in found.items()} == {
        "gender=f": "drifted",
        "gender=m": "drifted",
        "age<25": "ok",
    }
    women = found["gender=f"]
    assert women.rate == pytest.approx(0.3, abs=0.03)
    assert women.other_rate == pytest.approx(0.6, abs=0.03)
    assert women.difference is not None
    assert women.ratio is not None
    value, lower, upper, bound = numbers(women.difference)
    assert value == pytest.approx(-0.3, abs=0.05)
    assert lower < value < upper < 0
    assert 0.1 < bound < 0.3
    value, lower, upper, bound = numbers(women.ratio)
    assert value == pytest.approx(0.5, abs=0.07)
    assert lower < value < upper <= bound < 0.8
    assert women.reason.startswith("selected ")
    assert "points less, tolerance 10" in women.reason
    assert "in training" in women.reason
    assert women.training_rate == pytest.approx(0.5, abs=0.03)
    assert women.training_other_rate == pytest.approx(0.52, abs=0.03)


def test_alike_groups_are_calm() -> None:
    monitor = pipeline("gender, age<25, age>=60")
    run(monitor, 20)
    found = reports(monitor)
    assert {group.decision for group in found.values()} == {Decision.OK}
    assert {group.reason for group in found.values()} == {""}
    assert found["age>=60"].training_rate is None


def test_counts_are_those_of_the_rows() -> None:
    monitor = pipeline("gender=f")
    columns = rows(200, 7)
    monitor.take([call(columns)], START)
    monitor.tick(START + SECOND)
    (group,) = reports(monitor).values()
    mine = columns["gender"] == "f"
    assert (group.rows, group.selected) == (int(mine.sum()), int(columns["approved"][mine].sum()))
    assert (group.other_rows, group.other_selected) == (int((~mine).sum()), int(columns["approved"][~mine].sum()))
    assert group.training_rate == pytest.approx(0.5, abs=0.03)  # training was cut by gender


def test_a_small_difference_is_no_alarm_however_many_rows_there_are() -> None:
    monitor = pipeline("gender")
    run(monitor, 10, {"f": 0.48, "m": 0.54}, count=3000)
    assert {group.decision for group in reports(monitor).values()} == {Decision.OK}


def test_too_few_rows_decide_nothing() -> None:
    monitor = pipeline("gender", OUTRIDER_MIN_ROWS="1000")
    run(monitor, 3, UNFAIR)
    found = reports(monitor)["gender=f"]
    assert found.decision is Decision.INSUFFICIENT
    assert "nothing is decided below 1,000" in found.reason


def test_a_group_is_calm_again_once_the_rates_are() -> None:
    monitor = pipeline("gender", OUTRIDER_WINDOW="10s")
    run(monitor, 10, UNFAIR)
    assert reports(monitor)["gender=f"].decision is Decision.DRIFTED
    run(monitor, 20, start=10)
    assert reports(monitor)["gender=f"].decision is Decision.OK


@pytest.mark.parametrize(("setting", "which"), [("OUTRIDER_PARITY", "ratio"), ("OUTRIDER_IMPACT", "difference")])
def test_either_gap_decides_alone(setting: str, which: str) -> None:
    monitor = pipeline("gender", None, **{setting: "off"})
    run(monitor, 20, UNFAIR)
    women = reports(monitor)["gender=f"]
    assert women.decision is Decision.DRIFTED
    assert ("times as often" in women.reason) is (which == "ratio")
    off = women.difference if which == "ratio" else women.ratio
    assert off is not None
    assert (off.threshold, off.decision) == (None, Decision.OK)


def test_a_group_that_is_never_selected_is_found() -> None:
    monitor = pipeline("gender", OUTRIDER_PARITY="off")
    run(monitor, 10, {"f": 0.0, "m": 0.2})
    assert reports(monitor)["gender=f"].decision is Decision.DRIFTED
    assert reports(monitor)["gender=f"].rate == 0.0


def test_bursts_of_the_same_row_prove_less() -> None:
    monitor = pipeline("gender")
    rng = np.random.default_rng(5)
    for second in range(30):
        columns = rows(20, 500 + second)
        columns["approved"] = rng.random(20) < 0.5
        burst = {name: np.repeat(column, 40) for name, column in columns.items()}
        monitor.take([call(burst)], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
    assert {group.decision for group in reports(monitor).values()} == {Decision.OK}


def one(gender: str, approved: bool, count: int, income: float = 1.0) -> dict[str, Any]:
    columns = {"age": 33.0, "gender": gender, "income": income, "approved": approved}
    return {name: np.repeat(np.array([value]), count) for name, value in columns.items()}


def decisions(monitor: Pipeline, bursts: dict[int, list[dict[str, Any]]], seconds: int = 30) -> set[str]:
    """Give what was decided on at any time: 100 rows a second, and bursts after them."""
    seen: set[str] = set()
    for second in range(seconds):
        batches = [rows(100, 900 + second), *bursts.get(second, [])]
        monitor.take([call(columns) for columns in batches], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
        seen |= {group.decision for group in reports(monitor).values()}
    assert monitor.activity.faults == {}
    return seen


def test_one_row_sent_five_thousand_times_is_no_gap() -> None:
    bursts = {second: [one("f", False, 1000)] for second in range(15, 20)}
    assert Decision.DRIFTED not in decisions(pipeline("gender"), bursts)


def test_a_feed_stuck_at_one_row_is_no_gap() -> None:
    monitor = pipeline("gender")
    run(monitor, 10)
    for second in range(10, 40):
        monitor.take([call(one("f", False, 200))], START + second * SECOND)
        monitor.tick(START + (second + 1) * SECOND)
        assert Decision.DRIFTED not in {group.decision for group in reports(monitor).values()}


def test_bursts_one_after_another_are_no_gap() -> None:
    bursts = {second: [one("f", False, 300, 2.0 * second), one("m", True, 300, 2.0 * second)] for second in range(10, 20)}
    assert Decision.DRIFTED not in decisions(pipeline("gender"), bursts)


def numeric(**options: Any) -> Schema:
    columns = rows(3000, 1)
    columns["score"] = np.random.default_rng(3).random(3000)
    del columns["approved"]
    return schema_of(build(columns, prediction="score", by="gender", **options))


def test_scores_are_compared_as_the_setting_says() -> None:
    monitor = pipeline("gender", numeric(favourable=">=0.8"), OUTRIDER_FAVOURABLE=">=0.8")
    columns = rows(1000, 2)
    columns["approved"] = np.random.default_rng(4).random(1000)
    monitor.take([call(columns)], START)
    monitor.tick(START + SECOND)
    found = reports(monitor)["gender=f"]
    assert found.selected == int((columns["approved"][columns["gender"] == "f"] >= 0.8).sum())
    assert found.training_rate == pytest.approx(0.2, abs=0.03)


def test_training_with_another_favourable_value_is_not_compared() -> None:
    monitor = pipeline("gender", numeric(favourable=">=0.5"), OUTRIDER_FAVOURABLE=">=0.8")
    monitor.tick(START)
    assert reports(monitor)["gender=f"].training_rate is None


@pytest.mark.parametrize(
    ("favourable", "message"),
    [
        ("", "nobody knows which value of column 'score' is favourable: set OUTRIDER_FAVOURABLE"),
        ("approved", "column 'score' is float"),
    ],
)
def test_an_outcome_that_can_not_be_told_is_said_at_the_start(
    favourable: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("outrider").propagate = True
    monitor = pipeline("gender", numeric(), OUTRIDER_FAVOURABLE=favourable)
    assert message in caplog.text
    columns = rows(100, 2)
    columns["approved"] = columns["approved"].astype(float)
    monitor.take([call(columns)], START)
    monitor.tick(START + SECOND)
    found = reports(monitor)["gender"]
    assert found.decision is Decision.NO_REFERENCE
    assert message in found.reason


@pytest.mark.parametrize(("favourable", "message"), [("rejected", "no category 'rejected'"), (">0.5", "is no category")])
def test_a_category_that_is_none_is_said(favourable: str, message: str) -> None:
    monitor = pipeline("gender", OUTRIDER_FAVOURABLE=favourable)
    monitor.tick(START)
    assert message in reports(monitor)["gender"].reason


def test_what_is_no_column_is_said_and_the_rest_goes_on() -> None:
    monitor = pipeline("nobody, gender")
    run(monitor, 3)
    found = reports(monitor)
    assert found["nobody"].decision is Decision.NO_REFERENCE
    assert "no column 'nobody'" in found["nobody"].reason
    assert found["gender=f"].rows > 0


def test_hostile_values_make_no_groups() -> None:
    monitor = pipeline("gender", OUTRIDER_MAX_SEGMENTS="1")
    columns = rows(200, 2)
    columns["gender"] = np.array([f"x{i}" for i in range(200)])
    monitor.take([call(columns)], START)
    monitor.tick(START + SECOND)
    (group,) = reports(monitor).values()
    assert (group.rows, group.other_rows) == (0, 200)
    assert (group.rate, group.difference and group.difference.value) == (None, None)


def test_a_restart_takes_up_the_counts(tmp_path: Path) -> None:
    known = schema()
    first = pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path))
    run(first, 10, UNFAIR)
    second = pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path))
    second.tick(START + 10 * SECOND)
    assert reports(second)["gender=f"].rows == reports(first)["gender=f"].rows
    assert reports(second)["gender=f"].decision is Decision.DRIFTED


def test_evaluations_without_new_rows_do_not_count(tmp_path: Path) -> None:
    known = schema()
    first = pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path))
    run(first, 1, UNFAIR, count=2000)
    assert reports(first)["gender=f"].decision is Decision.SUSPECT
    second = pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path))
    for monitor in (first, second):
        for later in range(2, 8):
            monitor.tick(START + later * SECOND)
        assert reports(monitor)["gender=f"].decision is Decision.SUSPECT


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: b"", "is not a state of this version of Outrider"),
        (lambda data: b"x", "is not a state of this version of Outrider"),
        (lambda data: data[data.index(b"\n") + 33 :], "is not a state of this version of Outrider"),
        (lambda data: data[:-1], "is damaged"),
        (lambda data: data[:-9] + bytes((data[-9] ^ 1,)) + data[-8:], "is damaged"),
        (lambda data: data[:18] + sha256(b"\xc0").digest() + b"\xc0", "array"),
    ],
    ids=["empty", "short", "without a seal", "cut", "one bit", "other content"],
)
def test_damaged_counts_are_left(
    tmp_path: Path, damage: Callable[[bytes], bytes], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("outrider").propagate = True
    known = schema()
    run(pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path)), 2)
    path = tmp_path / "groups.state"
    path.write_bytes(damage(path.read_bytes()))
    second = pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path))
    said = [record.getMessage() for record in caplog.records if "saved groups" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("the saved groups can't be used; starting with none reason=")
    assert reason in said[0]
    second.tick(START + 2 * SECOND)
    assert reports(second)["gender=f"].rows == 0


def test_counts_that_can_not_be_read_are_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("outrider").propagate = True
    (tmp_path / "groups.state").mkdir()
    pipeline("gender", OUTRIDER_STATE_DIR=str(tmp_path))
    assert "groups.state: can't be read" in caplog.text


def test_a_failed_save_leaves_the_last_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = pipeline("gender", OUTRIDER_STATE_DIR=str(tmp_path))
    run(monitor, 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    flushed: list[int] = []

    def disk_full_after_the_window(handle: int) -> None:
        flushed.append(handle)
        if len(flushed) > 2:  # the window's file and its folder
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", disk_full_after_the_window)
    monitor.take([call(rows(300, 1))], START + 2 * SECOND)
    monitor.tick(START + 3 * SECOND)
    assert monitor.activity.faults == {"state": 1}
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(after) == {"groups.state", "window.state"}
    assert [name for name in after if after[name] != before[name]] == ["window.state"]


def test_counts_of_other_groups_are_left(tmp_path: Path) -> None:
    known = schema()
    run(pipeline("gender", known, OUTRIDER_STATE_DIR=str(tmp_path)), 2)
    second = pipeline("age<25", known, OUTRIDER_STATE_DIR=str(tmp_path))
    second.tick(START + 2 * SECOND)
    assert reports(second)["age<25"].rows == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OUTRIDER_GROUPS", "gender,age<25,'home town'=Rome"),
        ("OUTRIDER_FAVOURABLE", ">=0.5"),
        ("OUTRIDER_PARITY", "off"),
        ("OUTRIDER_IMPACT", "off"),
        ("OUTRIDER_IMPACT", "0.75"),
        ("OUTRIDER_SEGMENTS", "country,tier"),
    ],
)
def test_settings_are_shown_as_they_are_written(name: str, text: str) -> None:
    shown = {setting.name: value for setting, value in config.describe(config.load({name: text}))}
    assert shown[name] == text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("OUTRIDER_GROUPS", "age<", "write a column"),
        ("OUTRIDER_FAVOURABLE", "<x", "write a number to compare with"),
        ("OUTRIDER_PARITY", "-1", "above zero"),
        ("OUTRIDER_IMPACT", "1.25", "between 0 and 1, such as 0.8, or off"),
        ("OUTRIDER_MAX_SEGMENTS", "0", "from 1 up"),
        ("OUTRIDER_THRESHOLDS", "age parity=0.1", "'parity' is no statistic"),
    ],
)
def test_settings_that_can_not_be_read_are_faults_at_the_start(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config.load({name: text})
