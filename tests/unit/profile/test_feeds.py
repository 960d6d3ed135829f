"""Vectors, images and texts on their way into the profile: from every kind of source alike."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from agent.errors import ProfileError
from agent.profile import blocks, files
from agent.profile.build import build
from agent.profile.format import ColumnProfile, Profile
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of
from agent.profile.show import show
from agent.profile.write import to_bytes
from agent.summarise import embedding, image_file
from agent.summarise.image import axes_of

RNG = np.random.default_rng(9)
ROWS = 300
VECTORS = RNG.normal(0.5, 1.0, size=(ROWS, 16)).astype(np.float32)
IMAGES = RNG.integers(0, 256, size=(ROWS, 6, 5, 3)).astype(np.uint8)
PROSE = [f"Customer {i} wrote that the parcel came {i % 7} days late" for i in range(ROWS)]


def column(profile: Profile, name: str) -> ColumnProfile:
    return next(column for column in profile.columns if column.name == name)


def names(profile: Profile) -> list[str]:
    return [column.name for column in profile.columns]


def nested(values: Any) -> Any:
    return pa.table({"v": values.tolist()})


SOURCES: dict[str, Any] = {
    "array": lambda values: {"v": values},
    "list": lambda values: {"v": values.tolist()},
    "list of arrays": lambda values: {"v": list(values)},
    "arrow": nested,
    "pandas": lambda values: pd.DataFrame({"v": values.tolist()}),
    "polars": lambda values: pl.DataFrame({"v": values.tolist()}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_vectors_from_all_sources_are_the_same(source: str) -> None:
    values = VECTORS.astype(np.float64)
    profile = build(SOURCES[source](values))
    assert names(profile) == ["v.norm", "v.mean", "v.cosine"]
    assert to_bytes(profile) == to_bytes(build({"v": values}))


@pytest.mark.parametrize("source", ["list", "list of arrays", "arrow", "polars"])
def test_images_from_all_sources_are_the_same(source: str) -> None:
    profile = build(SOURCES[source](IMAGES))
    assert names(profile) == ["v.brightness", "v.contrast", "v.width", "v.height"]
    assert to_bytes(profile) == to_bytes(build({"v": IMAGES}))


def test_fixed_size_lists_and_floats_of_half_the_size(tmp_path: Path) -> None:
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.reshape(-1)), 16)
    pq.write_table(pa.table({"v": fixed}), tmp_path / "fixed.parquet", row_group_size=70)
    assert to_bytes(build(tmp_path / "fixed.parquet")) == to_bytes(build({"v": VECTORS}))


def test_parts_with_lists_of_other_types(tmp_path: Path) -> None:
    pq.write_table(pa.table({"v": pa.array(list(VECTORS[:100]), pa.list_(pa.float32()))}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"v": pa.array(list(VECTORS[100:]), pa.list_(pa.float64()))}), tmp_path / "2.parquet")
    assert to_bytes(build(tmp_path)) == to_bytes(build({"v": VECTORS}))


def test_small_blocks_and_batches_change_nothing_but_the_last_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"v": list(VECTORS)}), tmp_path / "v.parquet")
    whole = column(build({"v": VECTORS}), "v.cosine").numeric
    monkeypatch.setattr(blocks, "BLOCK_VALUES", 16 * 50)
    monkeypatch.setattr(files, "PARQUET_BATCH_BYTES", 16 * 8 * 7)
    parts = column(build(tmp_path / "v.parquet"), "v.cosine").numeric
    assert whole is not None
    assert parts is not None
    assert parts.count == whole.count == ROWS
    assert parts.mean == pytest.approx(whole.mean, rel=1e-5)


def test_summaries_are_those_of_numpy() -> None:
    profile = build({"v": VECTORS})
    norms = np.linalg.norm(VECTORS.astype(np.float64), axis=1)
    norm = column(profile, "v.norm").numeric
    assert norm is not None
    assert norm.mean == pytest.approx(norms.mean(), rel=2e-4)
    assert norm.minimum == pytest.approx(norms.min(), rel=2e-4)
    (summarised,) = profile.summaries
    assert (summarised.kind, summarised.shape) == ("embedding", [16])
    np.testing.assert_allclose(embedding.unpack(summarised.centroid), VECTORS.mean(axis=0, dtype=np.float64), rtol=1e-6)


@pytest.mark.parametrize("missing", [None, [], float("nan")])
def test_missing_and_empty_vectors_are_missing(missing: object) -> None:
    values = [*VECTORS.tolist(), missing, missing]
    profile = build({"v": values})
    assert [column.missing for column in profile.columns] == [2, 2, 2]
    if not isinstance(missing, float):
        assert to_bytes(build(pa.table({"v": values}))) == to_bytes(profile)


def test_missing_infinite_and_zero_values_within_vectors() -> None:
    values = VECTORS.tolist()
    values[0][3], values[1][3], values[2] = None, float("inf"), [0.0] * 16
    profile = build(pa.table({"v": values}))
    assert [column.missing for column in profile.columns] == [1, 1, 3]
    norm = column(profile, "v.norm").numeric
    assert norm is not None
    assert (norm.infinite, norm.minimum) == (1, 0.0)


def test_nothing_but_missing_vectors_is_a_column_of_nothing() -> None:
    profile = build(pa.table({"v": pa.array([None, []], pa.list_(pa.float32())), "x": [1.5, 2.5]}))
    assert [(c.name, c.type, c.missing) for c in profile.columns] == [("v", "float", 2), ("x", "float", 0)]
    assert build({"v": [None, []], "x": [1.5, 2.5]}).summaries == []


def test_a_constant_vector_is_a_profile() -> None:
    profile = build({"v": np.ones((50, 4))})
    cosine = column(profile, "v.cosine").numeric
    assert cosine is not None
    assert cosine.minimum == cosine.maximum == 1.0


def test_wide_vectors_have_no_cosine_and_the_profile_stays_small() -> None:
    wide = RNG.normal(size=(20, embedding.MAX_CENTROID + 1))
    profile = build({"v": wide, "w": wide[:, :-1]})
    assert names(profile) == ["v.norm", "v.mean", "w.norm", "w.mean", "w.cosine"]
    assert len(to_bytes(profile)) < 40_000


def test_images_of_several_sizes_and_both_orders_of_axes() -> None:
    small, large = np.zeros((6, 8, 3)), np.full((10, 20, 3), 100.0)
    profile = build({"img": [small, large, None] * 10})
    width, brightness = column(profile, "img.width"), column(profile, "img.brightness").numeric
    assert (width.type, width.missing) == ("integer", 10)
    assert brightness is not None
    assert (brightness.minimum, brightness.maximum) == (0.0, 100.0)
    assert profile.summaries[0].shape == []
    first = build({"img": np.zeros((9, 3, 6, 8))})
    assert first.summaries[0].shape == [3, 6, 8]
    assert axes_of((3, 6, 8)) == (1, 2, 0)
    with pytest.raises(ProfileError, match="'img' holds images, and an array of 2 x 2 x 2 values"):
        build({"img": [small, np.zeros((2, 2, 2))]})


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def file(width: int, height: int) -> bytes:
    return PNG + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\2\0\0\0"


def test_image_files_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "reads_pixels", lambda: False)
    values = [file(100 + i, 50) for i in range(30)] + [None, b"broken"]
    profile = build({"img": values})
    assert [(c.name, c.missing) for c in profile.columns] == [("img.width", 2), ("img.height", 2), ("img.bytes", 1)]
    assert to_bytes(build(pa.table({"img": values}))) == to_bytes(profile)


def test_brightness_of_files_is_left_out_where_it_can_not_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    profile = build({"img": [file(100, 50)] * 30})
    assert "img.brightness" in names(profile)
    assert "img.brightness" in {column.name for column in schema_of(profile).columns}
    monkeypatch.setattr("agent.profile.schema.reads_pixels", lambda: False)
    assert [column.name for column in schema_of(profile).columns] == ["img.width", "img.height", "img.bytes"]


def test_bytes_that_are_no_images_are_texts() -> None:
    assert [c.type for c in build({"b": [b"yes", b"no"] * 50}).columns] == ["category"]


def test_prose_is_summarised_and_its_column_stays() -> None:
    profile = build({"review": PROSE})
    assert [(c.name, c.type) for c in profile.columns] == [
        ("review", "text"),
        ("review.length", "integer"),
        ("review.words", "integer"),
        ("review.script", "category"),
    ]
    script = column(profile, "review.script").categories
    assert script is not None
    assert script.values == ["latin"]
    assert to_bytes(build(pa.table({"review": PROSE}))) == to_bytes(profile)


@pytest.mark.parametrize(
    "values",
    [
        [f"id-{i:040d}" for i in range(ROWS)],
        [f"name {i}" for i in range(ROWS)],
        [f"the same long sentence again and again {i % 5}" for i in range(ROWS)],
        [f"2024-01-01 10:00:{i:06d}" for i in range(ROWS)],
    ],
)
def test_codes_names_and_categories_are_no_prose(values: list[str]) -> None:
    profile = build({"t": values})
    assert names(profile) == ["t"]
    assert profile.summaries == []


def test_prose_without_spaces() -> None:
    profile = build({"t": [f"这是第{i}条客户的评论内容" for i in range(ROWS)]})
    assert names(profile) == ["t", "t.length", "t.words", "t.script"]


def test_text_by_name_is_summarised_whatever_it_looks_like() -> None:
    profile = build({"t": ["yes", "no", None] * 50}, text="t")
    assert [(c.name, c.type, c.missing) for c in profile.columns] == [
        ("t", "text", 50),
        ("t.length", "integer", 50),
        ("t.words", "integer", 50),
        ("t.script", "category", 50),
    ]


def test_summaries_of_predictions_are_no_task_and_no_relation() -> None:
    profile = build({"x": RNG.normal(size=ROWS), "v": VECTORS, "y": RNG.normal(size=ROWS)}, prediction="v", label="y")
    assert not profile.performance
    assert not profile.association
    assert {c.role for c in profile.columns if c.name.startswith("v.")} == {"prediction"}
    assert build({"x": RNG.normal(size=ROWS), "v": VECTORS}, prediction="v").model.task == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "v"}, "column 'v' holds arrays, and only features and predictions can"),
        ({"probability": "v"}, "column 'v' holds arrays, and only features"),
        ({"categorical": "v"}, "column 'v' holds arrays, which can't be taken as category"),
        ({"text": "x"}, "column 'x' is to be text, but holds number values"),
        ({"text": "t", "categorical": "t"}, "column 't' can't be both categorical and text"),
        ({"text": "q"}, "text: there is no column 'q'"),
    ],
)
def test_options_that_do_not_go_with_the_values(options: dict[str, str], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build({"v": VECTORS, "x": RNG.normal(size=ROWS), "t": PROSE}, **options)  # type: ignore[arg-type]


def test_a_column_with_the_name_of_a_summary() -> None:
    with pytest.raises(ProfileError, match=r"column 'v\.norm' has the name of a summary of 'v': exclude or rename"):
        build({"v": VECTORS, "v.norm": RNG.normal(size=ROWS)})


def test_ids_may_be_arrays_since_nobody_looks() -> None:
    profile = build({"x": RNG.normal(size=ROWS), "v": VECTORS}, id="v")
    assert [(c.name, c.role) for c in profile.columns] == [("x", "feature"), ("v", "id")]


def test_what_is_written_reads_back_and_old_profiles_have_no_summaries() -> None:
    profile = build({"v": VECTORS, "img": IMAGES, "review": PROSE})
    assert read_bytes(to_bytes(profile)) == profile
    schema = schema_of(profile)
    assert [source.name for source in schema.sources] == ["v", "img", "review"]
    assert {column.source for column in schema.columns} == {"", "v", "img", "review"}
    assert b'"summaries"' not in to_bytes(build({"x": RNG.normal(size=ROWS)}))


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "sound"}, r"\$\.summaries\[0\]\.kind is 'sound', none of embedding, image"),
    ({"measures": []}, r"\$\.summaries\[0\]\.measures is empty or repeats one"),
    ({"measures": ["norm", "norm"]}, r"measures is empty or repeats one"),
    ({"measures": ["norm", "length"]}, r"measures has 'length', none of norm, mean, cosine"),
    ({"column": "w"}, r"measures has 'norm', but no column 'w\.norm' is float or integer"),
    ({"shape": []}, r"shape is \[\]"),
    ({"shape": [0]}, r"shape is \[0\]"),
    ({"shape": [15]}, r"centroid has 16 values, but the shape \[15\] has 15"),
    ({"centroid": ""}, r"centroid does not go with the measures"),
    ({"centroid": "?"}, r"centroid is no list of numbers"),
]


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_faults_of_summaries_are_told_with_their_place(changes: dict[str, Any], message: str) -> None:
    document = json.loads(to_bytes(build({"v": VECTORS})))
    document["summaries"][0].update(changes)
    with pytest.raises(ProfileError, match=message):
        read_bytes(json.dumps(document).encode())


def test_a_column_is_summarised_once_and_in_one_role() -> None:
    document = json.loads(to_bytes(build({"v": VECTORS})))
    document["summaries"] *= 2
    with pytest.raises(ProfileError, match=r"\$\.summaries\[1\]\.column repeats 'v'"):
        read_bytes(json.dumps(document).encode())
    document["summaries"] = document["summaries"][:1]
    document["columns"][0]["role"] = "prediction"
    with pytest.raises(ProfileError, match="columns of different roles: feature, prediction"):
        read_bytes(json.dumps(document).encode())


def test_the_printed_profile_says_what_is_summarised() -> None:
    stream = io.StringIO()
    show(build({"v": VECTORS, "review": PROSE}), Console(file=stream, width=160))
    printed = stream.getvalue()
    assert "v.cosine" in printed
    assert "v: embedding of 16 values, watched by its norm, mean, cosine" in printed
    assert "review: text, watched by its length, words, script" in printed
