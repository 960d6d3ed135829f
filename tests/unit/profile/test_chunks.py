"""Chunks in a profile: packed, unpacked, described, and refused where they are damaged."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from rich.console import Console

from agent.errors import ProfileError
from agent.joint.anomaly import DISTANCES, SCORE
from agent.profile.build import build
from agent.profile.chunks import Chunks, ColumnChunks, describe, doubt, length_of, pack, unpack
from agent.profile.format import ChunkTable, Profile
from agent.profile.read import read
from agent.profile.show import show
from agent.profile.write import write


@pytest.fixture(scope="module")
def profile() -> Profile:
    rng = np.random.default_rng(1)
    return build({"x": rng.normal(size=1000) + np.arange(1000) // 100, "c": rng.choice(["a", "b"], size=1000)}, chunk="100")


def table_of(profile: Profile) -> ChunkTable:
    assert profile.chunks is not None
    return profile.chunks


def test_a_file_brings_them_back(profile: Profile, tmp_path: Path) -> None:
    write(profile, tmp_path / "p.json")
    assert read(tmp_path / "p.json").chunks == profile.chunks


def test_a_profile_without_has_none() -> None:
    assert Chunks.of(build({"x": np.arange(100.0)})) is None


@pytest.mark.parametrize("largest", [0, 200, 60_000, 2**31])
def test_packed_is_unpacked(profile: Profile, largest: int) -> None:
    rng = np.random.default_rng(largest)
    column = profile.columns[0]
    counts = rng.integers(0, largest + 1, size=(7, 10))
    mean, variance = rng.normal(4.5, 1.0, size=7), rng.uniform(0.5, 2.0, size=7)
    figures = ColumnChunks(counts, rng.integers(0, 5, size=7), mean, variance)
    assert column.numeric is not None
    assert column.numeric.mean is not None
    assert column.numeric.variance is not None
    scale = (column.numeric.mean, float(np.sqrt(column.numeric.variance)))
    found = unpack(pack("x", figures, scale), column, 7)
    assert found.counts.tolist() == counts.tolist()
    assert found.missing.tolist() == figures.missing.tolist()
    assert found.mean == pytest.approx(mean, abs=1e-3 * scale[1])
    assert found.variance == pytest.approx(variance, rel=1e-3)


def test_categories_have_no_moments(profile: Profile) -> None:
    chunks = Chunks.of(profile)
    assert chunks is not None
    assert np.isnan(chunks.columns["c"].mean).all()
    assert chunks.columns["c"].counts.sum(axis=1).tolist() == [100] * 10


def test_a_mean_out_of_all_proportion_is_cut_and_not_lost(profile: Profile) -> None:
    one = np.ones(1, dtype=np.int64)
    figures = ColumnChunks(np.ones((1, 10), dtype=np.int64), one, np.array([1e300]), np.array([np.inf]))
    found = unpack(pack("x", figures, (0.0, 1.0)), profile.columns[0], 1)
    assert found.mean[0] > 1e5
    assert found.variance[0] > 1e4


def test_derived_columns_count_rows_that_their_model_has_not_seen(profile: Profile) -> None:
    chunks = Chunks.of(profile)
    assert chunks is not None
    for name in (*DISTANCES, SCORE):
        found = chunks.columns[name]
        held = found.counts.sum(axis=1)
        assert ((held >= 20) & (held <= 30)).all()  # a quarter of each chunk
        assert np.isfinite(found.mean).all()
        assert not found.missing.any()


def test_a_derived_column_of_more_rows_than_its_chunk_is_refused(profile: Profile, tmp_path: Path) -> None:
    table = table_of(profile)
    fewer = msgspec.structs.replace(table, rows=[10] * 10, columns=table.columns[2:])
    write(msgspec.structs.replace(profile, chunks=fewer), tmp_path / "p.json")
    with pytest.raises(ProfileError, match="do not add up"):
        read(tmp_path / "p.json")


def test_neighbours_follow_without_a_gap() -> None:
    nothing = np.empty(0, dtype=np.int64)
    chunks = Chunks("rows", 5.0, 9, np.array([0, 1, 4, 6, 7, 8]), nothing, {})
    assert chunks.neighbours().tolist() == [[0, 1], [3, 4], [4, 5]]
    assert Chunks("rows", 5.0, 1, np.array([3]), nothing, {}).neighbours().shape == (0, 2)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"kind": "weeks"}, "kind and length"), ({"length": 0.0}, "kind and length"), ({"places": [0]}, "places and rows"),
        ({"count": 3}, "places and rows"), ({"places": [0] * 10}, "places and rows"), ({"rows": [0] * 10}, "rows sums to 0"),
        ({"rows": [200] * 10}, "sums to 2000"), ({"rows": [99] * 10}, "do not add up"),
    ],
)  # fmt: skip
def test_tables_that_do_not_hold_together_are_refused(
    change: dict[str, Any], fault: str, profile: Profile, tmp_path: Path
) -> None:
    broken = msgspec.structs.replace(profile, chunks=msgspec.structs.replace(table_of(profile), **change))
    write(broken, tmp_path / "p.json")
    with pytest.raises(ProfileError, match=fault):
        read(tmp_path / "p.json")


@pytest.mark.parametrize("damage", ["name", "short", "no base64", "other", "bomb", "empty", "of another column"])
def test_damaged_figures_are_refused(damage: str, profile: Profile, tmp_path: Path) -> None:
    table = table_of(profile)
    first, second, *derived = table.columns
    bomb = pack(
        "x", ColumnChunks(np.zeros((10, 999), dtype=np.int64), np.zeros(10, dtype=np.int64), *np.zeros((2, 10))), (0.0, 1.0)
    )
    text = first.figures
    figures = {
        "name": text, "short": text[:40], "no base64": "*" + text[1:], "other": "AAAA" + text[4:], "bomb": bomb.figures,
        "empty": "", "of another column": second.figures,
    }[damage]  # fmt: skip
    changed = msgspec.structs.replace(first, figures=figures, name="y" if damage == "name" else "x")
    broken = msgspec.structs.replace(profile, chunks=msgspec.structs.replace(table, columns=[changed, second, *derived]))
    write(broken, tmp_path / "p.json")
    with pytest.raises(ProfileError, match=r"chunks\.columns\[0\]"):
        read(tmp_path / "p.json")


def test_words_for_a_table() -> None:
    table = ChunkTable("time", 3600.0, 240, [4, 5], [980, 1030], [], 12)
    assert describe(table) == "240 chunks of 1 h, 2 of them kept, with 980 to 1,030 rows each; 12 rows have no time"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (86_400.0, "1 d"), (7_200.0, "2 h"), (5_400.0, "90 min"), (90.0, "90 s"), (0.5, "0.5 s"), (86_399.0, "86,399 s"),
        (1_234_567.0, "1,234,567 s"), (1_234_567.5, "1,234,567.5 s"),
    ],
)  # fmt: skip
def test_words_for_a_length(seconds: float, text: str) -> None:
    assert length_of(ChunkTable("time", seconds, 1, [0], [1], [])) == text


def test_one_chunk_is_too_few() -> None:
    assert "has 1 chunk of" in (doubt(ChunkTable("rows", 5.0, 1, [0], [5], [])) or "")
    assert doubt(ChunkTable("rows", 5.0, 6, [0], [5], [])) is None
    assert doubt(None) is None


def shown(profile: Profile) -> str:
    out = io.StringIO()
    show(profile, Console(file=out, width=160))
    return out.getvalue()


def test_show_tells_chunks_and_what_differs_between_them(profile: Profile) -> None:
    text = shown(profile)
    assert "10 chunks of 100 rows, with 100 rows each" in text
    assert "their means differ by: x 0.9" in text


def test_show_calls_chance_no_difference() -> None:
    steady = build({"x": np.random.default_rng(4).normal(size=5000)}, chunk="100")
    assert "differ" not in shown(steady)
