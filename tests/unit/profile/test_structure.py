"""The model of rows in a profile: learned alike from every source, read back whole, refused where it does not hold together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent.errors import ProfileError
from agent.joint.anomaly import DISTANCES, SCORE
from agent.profile import sample as sampling
from agent.profile.build import build
from agent.profile.format import Profile, RowTail, Structure
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of
from agent.profile.structure import model_of, structure_of

Row = dict[str, Any]


def data(rows: int = 600, seed: int = 1) -> Row:
    rng = np.random.default_rng(seed)
    age = rng.normal(40, 10, rows)
    return {
        "age": age,
        "pay": 100 * age + rng.normal(0, 50, rows),
        "kind": rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
        "y": rng.normal(size=rows),
    }


@cache
def profile() -> Profile:
    return build(data(), prediction="y")


def structure() -> Structure:
    found = profile().structure
    assert found is not None
    return found


def test_what_is_written_is_read() -> None:
    found = read_bytes(msgspec.json.encode(profile()))
    assert found == profile()
    model = model_of(structure(), profile().columns)
    again = structure_of(model, profile().columns[:3], structure().derived)
    assert msgspec.structs.replace(again, interplay=structure().interplay) == structure()


def test_model_of_a_file_scores_as_the_reference_was_scored() -> None:
    model = schema_of(profile()).row_model
    assert model is not None
    assert model.names == ("age", "pay", "kind")
    assert model.design.names == ("age", "pay", "kind=a", "kind=b")
    reference = {column.name: column for column in structure().derived}
    assert set(reference) == {*DISTANCES, SCORE}
    assert model.threshold.rows == reference[SCORE].rows
    numeric = reference[SCORE].numeric
    assert numeric is not None
    assert model.threshold.scores[0] == numeric.maximum


def test_every_source_gives_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    table = pa.table({name: pa.array(values) for name, values in data().items()})
    pq.write_table(table, path)
    expected = msgspec.json.encode(structure())
    for source in (table, str(path)):
        assert msgspec.json.encode(build(source, prediction="y").structure) == expected


def test_sample_is_even_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_SAMPLE", 250)
    monkeypatch.setattr("agent.profile.blocks.BLOCK_ROWS", 70)
    found = build(data(1000), prediction="y").structure
    assert found is not None
    every_fourth = build({name: values[::4] for name, values in data(1000).items()}, prediction="y").structure
    assert every_fourth is not None
    assert found.rows == every_fourth.rows
    assert found.derived[2].rows in (62, 63)


@pytest.mark.parametrize(
    "columns",
    [
        data(99),
        {"a": np.arange(500.0)},
        {"a": np.arange(500.0), "b": np.full(500, 3.0)},
        {"a": np.full(500, np.nan), "b": np.full(500, np.nan)},
        {"row.anomaly": np.arange(500.0), "b": np.arange(500.0)},
    ],
    ids=["too few rows", "one column", "a constant", "no values", "a name of ours"],
)
def test_what_has_no_structure_has_none(columns: Row) -> None:
    found = build(columns)
    assert found.structure is None
    assert schema_of(found).derived == ()


def test_columns_of_every_kind_can_be_in_it() -> None:
    rng = np.random.default_rng(2)
    columns = {
        "number": rng.normal(size=400), "gaps": np.where(rng.random(400) < 0.3, np.nan, rng.normal(size=400)),
        "wild": np.where(rng.random(400) < 0.1, np.inf, rng.normal(size=400)), "wide": rng.normal(size=400) * 1e300,
        "code": rng.choice([1, 2, 3], 400), "flag": rng.choice([True, False], 400),
        "many": rng.choice([f"v{i}" for i in range(150)], 400), "constant": np.full(400, 5.0),
    }  # fmt: skip
    found = build(columns, categorical="many")
    assert read_bytes(msgspec.json.encode(found)) == found
    assert found.structure is not None
    assert len(found.structure.columns) == 8


def test_profile_of_200_columns_is_below_a_mebibyte() -> None:
    rng = np.random.default_rng(3)
    found = build({f"column_{i}": rng.normal(size=3000) for i in range(200)})
    assert found.structure is not None
    assert len(found.structure.design) == 64
    assert len(msgspec.json.encode(found.structure)) < 200_000
    assert len(msgspec.json.encode(found)) < 1 << 20


def test_feature_that_can_not_be_had_takes_the_scores_with_it() -> None:
    age, *others = profile().columns
    columns = [msgspec.structs.replace(age, role="segment"), *others]
    schema = schema_of(msgspec.structs.replace(profile(), columns=columns))
    assert schema.row_model is None
    assert schema.derived == ()


def changed(**fields: Any) -> Callable[[], Structure]:
    return lambda: msgspec.structs.replace(structure(), **fields)


def tails(place: int, **fields: Any) -> Callable[[], Structure]:
    def change() -> Structure:
        found = list(structure().tails)
        found[place] = msgspec.structs.replace(found[place], **fields)
        return msgspec.structs.replace(structure(), tails=found)

    return change


def design(**fields: Any) -> Callable[[], Structure]:
    def change() -> Structure:
        first, *rest = structure().design
        return msgspec.structs.replace(structure(), design=[msgspec.structs.replace(first, **fields), *rest])

    return change


def derived(**fields: Any) -> Callable[[], Structure]:
    def change() -> Structure:
        first, *rest = structure().derived
        return msgspec.structs.replace(structure(), derived=[msgspec.structs.replace(first, **fields), *rest])

    return change


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (changed(columns=["age", "nobody", "kind"]), "columns"),
        (changed(columns=["age", "age", "kind"]), "columns"),
        (changed(kept=0), "kept"),
        (changed(kept=4), "kept"),
        (changed(mean="AAAA"), "mean"),
        (changed(mean="*"), "mean"),
        (changed(variances="AAAAAAAAAAAAAAAAAAAAAA=="), "variances"),
        (changed(directions=""), "directions"),
        (changed(design=[]), "kept"),
        (changed(tails=[]), "tails"),
        (changed(ranks=[]), "ranks"),
        (changed(ranks=[1], scores=[1.0, 2.0]), "ranks"),
        (changed(ranks=[2, 1], scores=[2.0, 1.0]), "ranks"),
        (changed(ranks=[1, 2], scores=[1.0, 2.0]), "ranks"),
        (changed(rows=1), "ranks"),
        (changed(derived=[]), "derived"),
        (tails(0, rarities="AAAA"), "rarities"),
        (tails(0, cuts="AAAA"), "cuts"),
        (tails(2, cuts="AAAA"), "cuts"),
        (tails(0, missing=0.0), "missing"),
        (tails(0, low=-1.0), "low"),
        (design(column="nobody"), "design"),
        (design(category="a"), "design"),
        (design(scale=0.0), "scale"),
        (derived(role="feature"), "derived"),
        (derived(missing=10**6), "derived"),
        (lambda: msgspec.structs.replace(structure(), tails=[*structure().tails[:-1], RowTail("")]), "rarities"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_refused(broken: Callable[[], Structure], where: str) -> None:
    spoilt = msgspec.structs.replace(profile(), structure=broken())
    with pytest.raises(ProfileError, match=rf"\$\.structure.*{where}"):
        read_bytes(msgspec.json.encode(spoilt))
