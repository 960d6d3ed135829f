"""Segments in a profile: exact figures, packed, and refused where they are damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.format import Profile, SegmentColumn
from agent.profile.read import read, read_bytes
from agent.profile.schema import Schema, schema_of
from agent.profile.segments import COARSE, FINE, Segments
from agent.profile.write import to_bytes, write
from agent.sketch.categorical import CategorySketch
from agent.sketch.numeric import NumericSketch
from agent.sketch.summary import CategorySummary, NumericSummary

ROWS = 6000


def data() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    amount = rng.normal(100.0, 20.0, ROWS)
    amount[:50], amount[50:60] = np.nan, np.inf
    return {
        "amount": amount,
        "country": rng.choice(np.array(["DE", "FR", "IT", None], dtype=object), ROWS, p=[0.5, 0.3, 0.15, 0.05]),
        "age": rng.integers(18, 90, ROWS).astype(float),
        "tier": rng.choice(["gold", "iron"], ROWS),
        "approved": rng.random(ROWS) < 0.4,
    }


@pytest.fixture(scope="module")
def profile() -> Profile:
    return build(data(), prediction="approved", segment="tier", by=["country", "age<25"])


@pytest.fixture(scope="module")
def schema(profile: Profile) -> Schema:
    return schema_of(read_bytes(to_bytes(profile)))


def test_a_file_brings_them_back(profile: Profile, tmp_path: Path) -> None:
    write(profile, tmp_path / "p.json")
    assert read(tmp_path / "p.json").segments == profile.segments


def test_training_is_cut_by_every_grouping(schema: Schema) -> None:
    columns = data()
    found = {str(each.grouping): each for each in schema.segments}
    assert list(found) == ["tier", "country", "age<25"]
    assert found["country"].values == ("DE", "FR", "IT")
    assert found["country"].rows == tuple(int((columns["country"] == name).sum()) for name in ("DE", "FR", "IT"))
    young = int((columns["age"] < 25).sum())
    assert (found["age<25"].values, found["age<25"].rows, found["age<25"].others) == (("<25",), (young,), ROWS - young)


def test_selection_is_counted(schema: Schema) -> None:
    columns = data()
    country = schema.segments[1]
    assert (country.outcome, country.favourable) == ("approved", "=true")
    mine = columns["country"] == "FR"
    assert country.selected[1] == int(columns["approved"][mine].sum())
    assert country.answered == (*country.rows, 0)


def test_a_numeric_column_of_a_segment_is_what_a_sketch_of_its_rows_says(schema: Schema) -> None:
    columns = data()
    mine = columns["amount"][columns["country"] == "FR"]
    place = next(place for place, column in enumerate(schema.columns) if column.name == "amount")
    column = schema.columns[place]
    assert column.edges is not None
    assert column.coarse is not None
    sketch = NumericSketch(column.edges, column.coarse)
    sketch.update(mine)
    expected, found = sketch.result(), schema.segments[1].reference("amount", column.reference, "FR")
    assert isinstance(found, NumericSummary)
    assert (found.rows, found.missing, found.infinite, found.count) == (
        expected.rows, expected.missing, expected.infinite, expected.count
    )  # fmt: skip
    assert found.bin_counts.tolist() == expected.bin_counts.tolist()
    np.testing.assert_allclose(found.bin_sums, expected.bin_sums, atol=1e-3)
    assert found.mean == pytest.approx(expected.mean, rel=1e-6)
    assert found.variance == pytest.approx(expected.variance, rel=1e-6)


def test_a_categorical_column_of_a_segment_is_what_a_sketch_of_its_rows_says(schema: Schema) -> None:
    columns = data()
    mine = columns["country"][columns["age"] < 25]
    column = next(column for column in schema.columns if column.name == "country")
    assert column.categories is not None
    sketch = CategorySketch(column.categories)
    sketch.update(mine)
    expected, found = sketch.result(), schema.segments[2].reference("country", column.reference, "<25")
    assert isinstance(found, CategorySummary)
    assert (found.rows, found.missing, found.unseen, found.distinct) == (expected.rows, expected.missing, 0, 3.0)
    assert found.counts.tolist() == expected.counts.tolist()


def test_a_segment_that_is_not_there_is_empty(schema: Schema) -> None:
    column = next(column for column in schema.columns if column.name == "amount")
    found = schema.segments[1].reference("amount", column.reference, "ES")
    assert isinstance(found, NumericSummary)
    assert (found.rows, int(found.bin_counts.sum())) == (0, 0)
    assert schema.segments[1].reference("amount", None, "DE") is None


def wide(columns: int) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    found: dict[str, Any] = {f"c{i}": rng.normal(size=3000) for i in range(columns)}
    return found | {"g": rng.choice(list("abcdefghij"), 3000)}


def test_what_does_not_fit_is_kept_coarse_or_left_out_and_that_is_said() -> None:
    said: list[str] = []
    profile = build(wide(199), by="g", warn=said.append)
    assert len(to_bytes(profile)) < 1 << 20
    (table,) = profile.segments
    assert table.detail == COARSE
    assert len(table.values) == 10
    assert any("larger than 1 MiB" in sentence for sentence in said)
    if table.figured < 10:
        assert any(f"those of {10 - table.figured} rarer ones are left out" in sentence for sentence in said)


def test_coarse_counts_are_those_of_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = build(wide(5), by="g")
    room = len(msgspec.json.encode(fine)) - 5000
    monkeypatch.setattr("agent.profile.segmenting.PROFILE_BYTES", room)
    coarse = build(wide(5), by="g")
    assert (fine.segments[0].detail, coarse.segments[0].detail) == (FINE, COARSE)
    (one,), (other,) = Segments.of(fine), Segments.of(coarse)
    column = next(column for column in fine.columns if column.name == "c1")
    assert column.numeric is not None
    added = np.add.reduceat(one.columns["c1"].counts, column.numeric.coarse, axis=1)
    assert other.figured >= 1
    assert other.columns["c1"].counts.tolist() == added[: other.figured].tolist()


def test_hostile_values_take_no_more_than_the_most_frequent_twenty() -> None:
    rng = np.random.default_rng(3)
    names = np.array([f"v{i}" for i in range(5000)])[rng.integers(0, 5000, 20_000)]
    names[:8000] = "most"
    (table,) = build({"x": rng.normal(size=20_000), "c": names}, by="c", categorical="c").segments
    assert len(table.values) <= 20
    assert (table.values[0], table.rows[0]) == ("most", 8000)
    assert sum(table.rows) + table.others == 20_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "size"}, "by: there is no column 'size'"),
        ({"by": "age"}, "column 'age' holds numbers: compare it, as in age<25"),
        ({"by": "country<3"}, "holds categories, which have no order"),
        ({"by": "a b"}, "by: 'a b': write a column"),
        ({"by": "country", "favourable": ">0.5"}, "favourable: column 'approved' holds categories"),
        ({"favourable": "<"}, "favourable: write a category"),
        ({"by": "tier", "exclude": "tier"}, "by: column 'tier' is not counted"),
    ],
)
def test_what_can_not_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build(data(), prediction="approved", **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "a,,"}, r"\$.segments\[0\].by: "),
        ({"by": "nobody"}, "which is no column"),
        ({"rows": [1]}, "values, 1 rows"),
        ({"detail": "rough"}, "the detail 'rough'"),
        ({"others": 10_000}, "but there are 6000"),
        ({"figured": 3}, "figured is 3, of 2 values"),
        ({"favourable": ">x"}, r"favourable: "),
        ({"favourable": ""}, "favourable is empty"),
        ({"answered": [1]}, "answered and selected have 1 and 3"),
        ({"selected": [ROWS, 0, 0]}, "are not in order"),
        ({"columns": [SegmentColumn("nobody", "")]}, "which has no counts"),
        ({"columns": [SegmentColumn("amount", "x")]}, "are not a saved profile's segments of 'amount'"),
        ({"columns": [SegmentColumn("amount", "eJwDAAAAAAE=")]}, "are not a saved"),
    ],
)
def test_a_damaged_table_is_refused(profile: Profile, change: dict[str, Any], message: str) -> None:
    table = msgspec.structs.replace(profile.segments[0], **change)
    damaged = msgspec.structs.replace(profile, segments=[table, *profile.segments[1:]])
    with pytest.raises(ProfileError, match=message):
        read_bytes(msgspec.json.encode(damaged))


def test_figures_of_other_rows_are_refused(profile: Profile) -> None:
    table = profile.segments[0]
    swapped = msgspec.structs.replace(table, rows=table.rows[::-1])
    with pytest.raises(ProfileError, match=r"do not add up|are not in order"):
        read_bytes(msgspec.json.encode(msgspec.structs.replace(profile, segments=[swapped])))
