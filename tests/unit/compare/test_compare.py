"""Data against a profile: what is decided, of which rows, and what a file does not change."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from agent.compare.compare import compare
from agent.compare.comparison import Comparison, Distribution
from agent.compare.order import notes
from agent.config import load
from agent.errors import ConfigError, ProfileError
from agent.evaluate.report import Decision
from agent.evaluate.table import STATISTICS
from agent.profile.format import Profile
from agent.profile.write import write
from tests.unit.compare.tables import Table, column, compared, houses, profile_of


@pytest.fixture(scope="module")
def profile() -> Profile:
    return profile_of(houses(1, 4000), prediction="price", model_name="houses", model_version="3")


def test_other_rows_of_the_same_distribution_are_as_in_training(profile: Profile) -> None:
    found = compared(profile, houses(2, 3000))
    assert found.decision is Decision.OK
    assert (found.model, found.version, found.rows, found.training_rows, found.repeated) == ("houses", "3", 3000, 4000, 1.0)
    assert all(column.decision is Decision.OK and column.rows == 3000 for column in found.columns)


def test_a_shifted_column_drifts_at_once_and_says_so_without_time(profile: Profile) -> None:
    table = houses(2, 3000)
    table["area"] = table["area"] + 15
    found = compared(profile, table)
    area = column(found, "area")
    assert (found.decision, area.decision) == (Decision.DRIFTED, Decision.DRIFTED)
    assert "over 3,000 rows against 4,000 in training; mean 114 instead of 99.8" in area.reason
    said = " ".join([*(column.reason for column in found.columns), *(relation.reason for relation in found.relations)])
    assert [word for word in ("evaluation", "newest", "seconds", "window") if word in said] == []
    assert column(found, "region").decision is Decision.OK


def test_the_order_of_rows_means_nothing(profile: Profile) -> None:
    table = houses(2, 3000)
    order = np.argsort(table["area"])
    by_area = {name: values[order] for name, values in table.items()}
    assert compared(profile, by_area).decision is Decision.OK


def test_repeated_rows_count_once(profile: Profile) -> None:
    table = {name: np.tile(values, 15) for name, values in houses(3, 150).items()}
    found = compared(profile, table)
    assert (found.repeated, found.decision) == (15.0, Decision.OK)
    area = column(found, "area")
    assert (area.rows, area.overdispersion) == (2250, 15.0)
    assert {score.rows for score in area.scores} == {2250}
    age = column(found, "age")
    assert age.missing_share == float(np.isnan(table["age"]).mean())


def test_rows_that_became_all_the_same_are_a_change_and_no_repetition(profile: Profile) -> None:
    table = houses(2, 3000)
    dead = {name: np.repeat(values[:1], 3000) for name, values in table.items()}
    assert column(compared(profile, dead), "area").decision is Decision.DRIFTED
    table["area"] = np.where(np.arange(3000) % 3 == 0, np.nan, table["area"])
    found = compared(profile, table)
    assert (found.repeated, column(found, "area").decision) == (1.0, Decision.DRIFTED)


def test_too_few_rows_decide_nothing(profile: Profile) -> None:
    found = compared(profile, houses(2, 60))
    assert found.decision is Decision.INSUFFICIENT
    assert column(found, "area").reason == "only 60 rows, at least 100 are needed"
    assert compared(profile, houses(2, 60), min_rows=50).decision is Decision.OK


def test_tolerances_are_those_of_the_settings(profile: Profile) -> None:
    table = houses(2, 3000)
    table["rooms"] = table["rooms"] + 1
    names = (statistic.name for statistic in STATISTICS if "numeric" in statistic.kinds)
    tolerant = load({"OUTRIDER_THRESHOLDS": "rooms " + " ".join(f"{name}=off" for name in names)})
    assert compared(profile, table).decision is Decision.DRIFTED
    rooms = column(compare(profile, table, settings=tolerant), "rooms")
    assert rooms.decision is not Decision.DRIFTED
    assert {score.threshold for score in rooms.scores} == {None}


def test_settings_come_from_the_environment(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTRIDER_MIN_ROWS", "5000")
    assert compare(profile, houses(2, 3000)).decision is Decision.INSUFFICIENT
    monkeypatch.setenv("OUTRIDER_MIN_ROW", "5")
    with pytest.raises(ConfigError, match="OUTRIDER_MIN_ROW"):
        compare(profile, houses(2, 3000))


def test_frames_files_and_arrays_give_the_same_report(profile: Profile, tmp_path: Path) -> None:
    table = houses(2, 500)
    frame = pl.DataFrame(table)
    frame.write_csv(tmp_path / "data.csv")
    frame.write_parquet(tmp_path / "data.parquet")
    write(profile, tmp_path / "profile.json")
    sources = (table, frame, frame.to_arrow(), frame.to_pandas(), tmp_path / "data.csv", [tmp_path / "data.parquet"])
    reports = [compare(tmp_path / "profile.json", source, settings=load({}), name="it") for source in sources]
    # how a wide bin is drawn is up to the quantile sketch, which is left to chance
    same = [{**msgspec.to_builtins(report), "time_ns": 0, "distributions": _undrawn(report)} for report in reports]
    assert all(each == same[0] for each in same)
    assert compared(profile, tmp_path / "data.csv").data == str(tmp_path / "data.csv")
    assert compared(profile, [tmp_path / "data.csv", tmp_path / "data.csv"]).data == f"{tmp_path / 'data.csv'} and 1 more"
    assert compared(profile, frame).data == "data"


def _undrawn(report: Comparison) -> list[Distribution]:
    return [msgspec.structs.replace(distribution, bars=None) for distribution in report.distributions]


def test_columns_that_are_missing_or_unknown_are_named(profile: Profile) -> None:
    table = houses(2, 500)
    del table["rooms"], table["price"]
    table["extra"] = np.arange(500.0)
    found = compared(profile, table)
    assert (found.missing_columns, found.absent_outputs, found.extra_columns) == (["rooms"], ["price"], ["extra"])
    assert found.broken_rows == {"extra_column": 500}
    rooms, price = column(found, "rooms"), column(found, "price")
    assert (rooms.decision, rooms.violations) == (Decision.DRIFTED, {"missing_column": 500})
    assert (price.decision, price.reason) == (Decision.INSUFFICIENT, "not in the data")


def test_times_of_the_data_are_those_of_the_report() -> None:
    table = houses(1, 500) | {"when": np.datetime64("2026-01-01", "us") + np.arange(500) * np.timedelta64(1, "h")}
    found = compared(profile_of(table, time="when"), table)
    assert (found.window_start_ns, found.window_end_ns) == (1_767_225_600 * 10**9, (1_767_225_600 + 499 * 3600) * 10**9)
    assert compared(profile_of(table, time="when"), houses(2, 500)).window_end_ns == 0


def test_anomalies_are_counted_where_rows_are_scored(profile: Profile) -> None:
    table = houses(2, 2000)
    table["area"][:50] = 1e4
    found = compared(profile, table)
    assert found.anomalies is not None
    assert 50 <= found.anomalies < 100
    assert compared(profile_of({"x": np.arange(20.0)}), {"x": np.arange(20.0)}).anomalies is None


def test_how_columns_go_together_is_compared() -> None:
    rng = np.random.default_rng(1)
    x, noise = rng.normal(size=(2, 4000))
    profile = profile_of({"x": x, "y": x + 0.3 * noise, "z": rng.normal(size=4000)})
    found = compared(profile, {"x": x, "y": rng.permutation(x + 0.3 * noise), "z": rng.normal(size=4000)})
    assert {column.decision for column in found.columns if column.role == "feature"} == {Decision.OK}
    assert found.decision is Decision.DRIFTED
    assert any(set(relation.columns) == {"x", "y"} for relation in found.relations)


def test_report_is_json_that_reads_back(profile: Profile) -> None:
    table = houses(2, 500)
    table["area"] = np.where(np.arange(500) % 2, np.inf, np.nan)
    found = compared(profile, table)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"area": []}, "the data has no rows"),
        ({"colour": [1.0] * 200, "size": [1.0] * 200}, "none of the profile's columns, 'area', .*; its own are 'colour', 'size'"),
    ],
)
def test_data_that_can_not_be_compared(profile: Profile, table: dict[str, list[float]], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        compared(profile, table)


def test_a_profile_without_columns_to_compare() -> None:
    profile = profile_of({"y": np.arange(200.0)}, label="y")
    with pytest.raises(ProfileError, match="the profile has no features and no predictions"):
        compared(profile, {"y": np.arange(200.0)})


def test_progress_is_told_to_the_end(profile: Profile) -> None:
    told: list[tuple[str, int, int]] = []
    compared(profile, houses(2, 500), progress=lambda *words: told.append(words))
    assert (told[0], told[-1]) == (("comparing", 0, 500), ("comparing", 500, 500))


def test_one_row_as_often_as_all_others_is_no_drift() -> None:
    def table(seed: int, rows: int) -> Table:
        rng = np.random.default_rng(seed)
        return {name: rng.normal(size=rows) for name in "abc"}

    places = np.concatenate([np.arange(2500), np.zeros(2500, dtype=int)])
    found = compared(profile_of(table(1, 4000)), {name: values[places] for name, values in table(2, 2500).items()})
    assert found.decision is Decision.INSUFFICIENT
    assert notes(found)[0] == "rows are repeated: 5,000 rows say as much as 4 different ones, so they count as these"
