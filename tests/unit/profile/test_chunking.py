"""Training data in chunks: of rows, and of time in whatever a source has it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.joint.anomaly import DISTANCES, SCORE
from agent.profile.build import build
from agent.profile.chunking import LEAST_KEPT, MOST_KEPT, spread
from agent.profile.chunks import Chunks
from agent.profile.format import Profile
from agent.profile.write import to_bytes

ROWS = 6_000
START = np.datetime64("2024-05-31T00:00:00", "us")
TIMES = START + np.arange(ROWS) * np.timedelta64(30, "s")  # 50 hours of 120 rows


def columns() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(3)
    number = rng.normal(size=ROWS)
    number[::9] = np.nan
    number[::500] = np.inf
    return {"x": number, "c": rng.choice(["a", "b", "c"], size=ROWS), "t": TIMES}


def chunks_of(profile: Profile) -> Chunks:
    chunks = Chunks.of(profile)
    assert chunks is not None
    return chunks


def test_chunks_of_rows_have_what_is_in_the_rows() -> None:
    data = columns()
    profile = build(data, exclude="t", chunk="500")
    chunks = chunks_of(profile)
    assert (chunks.kind, chunks.length, chunks.count) == ("rows", 500.0, 12)
    assert chunks.places.tolist() == list(range(12))
    numeric, listed = profile.columns[0].numeric, profile.columns[1].categories
    assert numeric is not None
    assert listed is not None
    edges = np.array(numeric.edges)[np.array(numeric.coarse)[1:] - 1]
    for place in range(12):
        part, texts = data["x"][place * 500 : place * 500 + 500], data["c"][place * 500 : place * 500 + 500]
        found = chunks.columns["x"]
        present = part[~np.isnan(part)]
        expected = np.bincount(np.searchsorted(edges, present, side="right"), minlength=edges.size + 1)
        assert found.counts[place].tolist() == expected.tolist()
        assert found.missing[place] == np.isnan(part).sum()
        finite = part[np.isfinite(part)]
        assert found.mean[place] == pytest.approx(finite.mean(), abs=1e-3)
        assert found.variance[place] == pytest.approx(finite.var(), rel=1e-3)
        assert chunks.columns["c"].counts[place].tolist() == [*((texts == value).sum() for value in listed.values), 0]


def test_a_ragged_end_is_no_chunk() -> None:
    data = {"x": np.arange(1005.0)}
    assert chunks_of(build(data, chunk="100")).rows.tolist() == [100] * 10


def test_hours_are_tried_where_there_are_times() -> None:
    chunks = chunks_of(build(columns(), time="t"))
    assert (chunks.kind, chunks.length, chunks.count) == ("time", 3600.0, 50)
    assert chunks.rows.tolist() == [120] * 50
    assert chunks.places[0] == START.astype("M8[s]").astype(np.int64) // 3600


@pytest.mark.parametrize("step", [np.timedelta64(60, "s"), np.timedelta64(1, "s")], ids=["thin hours", "few hours"])
def test_hours_are_left_alone_where_they_tell_nothing(step: np.timedelta64) -> None:
    data = columns() | {"t": START + np.arange(ROWS) * step}
    assert build(data, time="t").chunks is None


def test_without_times_nothing_is_cut() -> None:
    assert build(columns(), exclude="t").chunks is None


def micro(values: NDArray[Any]) -> list[dt.datetime]:
    found: list[dt.datetime] = values.astype("M8[us]").tolist()
    return found


@pytest.mark.parametrize(
    "times",
    [
        TIMES.astype("M8[ns]"), TIMES.astype("M8[s]"), micro(TIMES), [time.replace(tzinfo=dt.UTC) for time in micro(TIMES)],
        [str(time) for time in TIMES], (TIMES - np.datetime64(0, "s")) / np.timedelta64(1, "s"),
        (TIMES - np.datetime64(0, "s")) // np.timedelta64(1, "ms"), (TIMES - np.datetime64(0, "s")) // np.timedelta64(1, "ns"),
    ],
    ids=["ns", "s", "datetimes", "zoned", "texts", "seconds", "milliseconds", "nanoseconds"],
)  # fmt: skip
def test_any_spelling_of_times_gives_the_same_chunks(times: Any) -> None:
    expected, found = build(columns(), time="t", chunk="2h"), build(columns() | {"t": times}, time="t", chunk="2h")
    assert found.chunks is not None
    assert found.chunks == expected.chunks


@pytest.mark.parametrize("zone", [None, "Europe/Zurich"])
@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "parquet", "csv", "seconds in csv"])
def test_any_source_gives_the_same_chunks(kind: str, zone: str | None, tmp_path: Path) -> None:
    data = columns()
    expected = build(data, time="t", chunk="2h").chunks
    assert expected is not None
    # A zone is how a time is shown; the moment is the same.
    frame = pd.DataFrame(data)
    frame["t"] = frame["t"].dt.tz_localize("UTC").dt.tz_convert(zone) if zone else frame["t"]
    source: Any = frame
    if kind == "polars":
        source = pl.from_pandas(frame)
    elif kind == "arrow":
        source = pa.Table.from_pandas(frame)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), tmp_path / "data.parquet")
        source = tmp_path / "data.parquet"
    elif kind in ("csv", "seconds in csv"):
        if kind != "csv":
            frame["t"] = (TIMES - np.datetime64(0, "s")) // np.timedelta64(1, "s")
        frame.to_csv(tmp_path / "data.csv", index=False)
        source = tmp_path / "data.csv"
    found = build(source, time="t", chunk="2h").chunks
    assert found is not None
    assert (found.places, found.rows) == (expected.places, expected.rows)


def test_days_of_arrow_are_times() -> None:
    days = pa.array([dt.date(2024, 1, 1) + dt.timedelta(days=n // 10) for n in range(100)])
    chunks = chunks_of(build(pa.table({"x": np.arange(100.0), "t": days}), time="t", chunk="1d"))
    assert chunks.rows.tolist() == [10] * 10


def test_rows_without_a_time_are_in_no_chunk() -> None:
    data = columns()
    data["t"] = np.where(np.arange(ROWS) % 4 == 0, np.datetime64("NaT"), TIMES)
    profile = build(data, time="t", chunk="1h")
    assert profile.chunks is not None
    assert profile.chunks.untimed == ROWS // 4
    assert chunks_of(profile).rows.tolist() == [90] * 50


def test_the_order_of_rows_does_not_matter_to_chunks_of_time() -> None:
    data = columns()
    order = np.random.default_rng(1).permutation(ROWS)
    shuffled = {name: values[order] for name, values in data.items()}
    found, expected = (chunks_of(build(each, time="t")) for each in (shuffled, data))
    assert found.columns["x"].counts.tolist() == expected.columns["x"].counts.tolist()


def test_many_rows_are_cut_across_blocks() -> None:
    data = {"x": np.arange(200_000.0)}
    chunks = chunks_of(build(data, chunk="50000"))
    assert chunks.rows.tolist() == [50_000] * 4
    assert chunks.columns["x"].mean == pytest.approx([24_999.5, 74_999.5, 124_999.5, 174_999.5], rel=1e-3)


def test_labels_and_segments_are_not_compared() -> None:
    data = columns() | {"y": np.arange(ROWS) % 2, "s": np.arange(ROWS) % 3}
    chunks = chunks_of(build(data, time="t", label="y", segment="s"))
    assert set(chunks.columns) - {*DISTANCES, SCORE} == {"x", "c"}


def test_categories_too_many_to_rank_are_left_out() -> None:
    codes = np.random.default_rng(2).integers(0, 40_000, size=40_000).astype(str)
    profile = build({"x": np.arange(40_000.0), "c": codes}, categorical="c", chunk="4000")
    assert set(chunks_of(profile).columns) - {*DISTANCES, SCORE} == {"x"}


def test_rare_categories_are_in_the_last_cell() -> None:
    codes = np.array([f"k{n % 150}" for n in range(6000)])
    found = chunks_of(build({"c": codes}, categorical="c", chunk="600")).columns["c"]
    assert found.counts.shape == (10, 101)
    assert found.counts[:, -1].tolist() == [200] * 10


@pytest.mark.parametrize(
    ("chunk", "time", "fault"),
    [
        ("1h", (), "no column has the role time"), ("often", "t", "neither rows such as 5000 nor a time"),
        ("0", "t", "too short"), ("0s", "t", "too short"), ("-5", "t", "neither rows"), ("1ms", "t", "1,000,000 chunks"),
    ],
)  # fmt: skip
def test_faults_say_what_to_write(chunk: str, time: str, fault: str) -> None:
    data = columns()
    if chunk == "1ms":
        data = {"x": np.zeros(1_100_000), "t": np.arange(1_100_000) + 1e9}
    with pytest.raises(ProfileError, match=fault):
        build(data, time=time, chunk=chunk)


def test_times_that_none_can_read_are_a_fault() -> None:
    data = columns() | {"t": np.full(ROWS, "yesterday")}
    with pytest.raises(ProfileError, match="no value of column 't' is a time"):
        build(data, time="t", chunk="1h")
    assert build(data, time="t").chunks is None


def test_durations_are_no_times() -> None:
    data = columns() | {"t": np.arange(ROWS).astype("m8[s]")}
    with pytest.raises(ProfileError, match="holds no points in time"):
        build(data, time="t", chunk="1h")


def test_durations_are_no_fault_where_nobody_asked() -> None:
    data = columns() | {"t": np.arange(ROWS).astype("m8[s]")}
    assert build(data, time="t").chunks is None


def test_few_chunks_are_told() -> None:
    told: list[str] = []
    build({"x": np.arange(1000.0)}, chunk="250", warn=told.append)
    assert any("has 4 chunks of 250 rows" in sentence and "shorter --chunk" in sentence for sentence in told)


def test_enough_chunks_are_not() -> None:
    told: list[str] = []
    build({"x": np.arange(1000.0)}, chunk="100", warn=told.append)
    assert not any("--chunk" in sentence for sentence in told)


def test_values_beyond_all_measure_warn_nobody() -> None:
    values = np.tile([1.7e308, -1.7e308, np.inf, np.nan, 0.0], 200)
    found = chunks_of(build({"x": values}, numeric="x", chunk="100")).columns["x"]
    assert (found.counts.sum(axis=1) + found.missing).tolist() == [100] * 10
    assert np.isnan(found.variance).all()


@pytest.mark.parametrize("count", [1, 6, 64, 65, 1000, 99_999])
def test_spread_keeps_all_or_pairs_of_neighbours(count: int) -> None:
    kept = spread(np.arange(count), MOST_KEPT)
    assert len(kept) == min(count, MOST_KEPT)
    assert (np.diff(kept) > 0).all()
    if count > MOST_KEPT:
        assert (kept[1::2] - kept[::2] == 1).all()
        assert np.diff(kept[::2]).max() < 2.5 * count / (MOST_KEPT // 2)


@pytest.mark.parametrize("days", [11, 16, 32, 77])
def test_spread_is_in_step_with_no_day(days: int) -> None:
    hours = spread(np.arange(24 * days), 32)[::2] % 24
    assert np.abs(np.exp(2j * np.pi * hours / 24).mean()) < 0.35


def test_gaps_are_no_neighbours() -> None:
    kept = spread(np.array([0, 1, 5, 6, 10, 12, 14, 16]), 4)
    assert kept.tolist()[:2] in ([0, 1], [5, 6])
    assert len(kept) == 4


def test_a_wide_profile_keeps_fewer_chunks_and_stays_small() -> None:
    rng = np.random.default_rng(5)
    data = {f"x{n}": rng.normal(size=3000) for n in range(150)}
    with_chunks, without = build(data, chunk="30"), build(data)
    assert LEAST_KEPT <= len(chunks_of(with_chunks).rows) < MOST_KEPT
    assert len(to_bytes(with_chunks)) - len(to_bytes(without)) < 100 * 1024


def test_years_beyond_all_clocks_are_no_times() -> None:
    seconds = pa.array([1 << 62, 1 << 62, 1 << 62], type=pa.timestamp("s"))
    with pytest.raises(ProfileError, match="no value of column 't' is a time"):
        build(pa.table({"x": np.arange(3.0), "t": seconds}), time="t", chunk="1h")
