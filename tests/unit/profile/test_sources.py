"""Where data comes from: the same profile from every kind of source, and clear words for what can't be read."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent.errors import ProfileError
from agent.profile import files
from agent.profile.build import build
from agent.profile.write import to_bytes

ROWS = 70_000
"""More than one block."""

OPTIONS: dict[str, Any] = {"label": "y", "prediction": "p", "model_name": "m"}


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=ROWS)
    return {
        "x": x,
        "count": rng.poisson(300, ROWS),
        "code": rng.integers(1, 5, ROWS),
        "flag": rng.random(ROWS) < 0.3,
        "text": np.array(["a", "b", "zürich", "d e"])[rng.integers(0, 4, ROWS)],
        "name": [f"n{i}" for i in range(ROWS)],
        "holes": [None if i % 7 == 0 else float(i) / 3 for i in range(ROWS)],
        "whole": [None if i % 5 == 0 else i % 1000 for i in range(ROWS)],
        "p": 2 * x,
        "y": 2 * x + rng.normal(size=ROWS),
    }


@pytest.fixture(scope="module")
def expected(columns: dict[str, Any]) -> bytes:
    return to_bytes(build(columns, **OPTIONS))


@pytest.fixture(scope="module")
def folder(columns: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    frame = pl.DataFrame(columns)
    frame.write_csv(folder / "all.csv")
    (folder / "all.csv.gz").write_bytes(gzip.compress((folder / "all.csv").read_bytes(), 1))
    frame.write_parquet(folder / "all.parquet", row_group_size=9999)
    (folder / "parts").mkdir()
    for i in range(7):
        frame[i * 10_000 : (i + 1) * 10_000].write_parquet(folder / "parts" / f"part-{i}.parquet")
    return folder


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, lambda c: pa.table(c).to_batches()[0]])
def test_tables_give_the_same_bytes(make: Any, columns: dict[str, Any], expected: bytes) -> None:
    assert to_bytes(build(make(columns), **OPTIONS)) == expected


@pytest.mark.parametrize("name", ["all.csv", "all.csv.gz", "all.parquet", "parts"])
def test_files_give_the_same_bytes(name: str, folder: Path, expected: bytes) -> None:
    assert to_bytes(build(folder / name, **OPTIONS)) == expected
    assert to_bytes(build([str(folder / name)], **OPTIONS)) == expected


def test_building_twice_gives_the_same_bytes(columns: dict[str, Any], expected: bytes) -> None:
    assert to_bytes(build(columns, **OPTIONS)) == expected


def test_arrays_need_no_pyarrow() -> None:
    script = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from agent.profile.build import build\n"
        "print(build({'a': [1.5, 2.0, None], 'b': ['x', 'x', 'y']}).rows)\n"
        "from agent.errors import ProfileError\n"
        "try: build('data.csv')\n"
        "except ProfileError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "3\nreading data.csv needs pyarrow: pip install 'outrider[profile]'\n"


def test_nothing_to_count_is_a_profile(tmp_path: Path) -> None:
    table = pa.table({"t": pa.array([1, None], pa.timestamp("s")), "name": ["a", "b"], "id": [1, 2]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert build(tmp_path, id="id") == build(table, id="id")
    assert [(c.type, c.missing) for c in build(table, id="id").columns] == [("datetime", 1), ("text", 0), ("text", 0)]


def test_pandas_nullable_and_categorical_columns() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 500], dtype="Int64"),
            "c": pd.Categorical(["u", "v", None]),
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "f": [0.5, float("nan"), 1.5],
        },
        index=[7, 8, 9],
    )
    profile = build(frame)
    assert [(c.name, c.type, c.missing) for c in profile.columns] == [
        ("n", "integer", 1), ("c", "category", 1), ("t", "datetime", 1), ("f", "float", 1),
    ]  # fmt: skip


def test_arrow_types_of_all_kinds() -> None:
    table = pa.table(
        {
            "decimal": pa.array([1, 2, None], pa.decimal128(9, 2)),
            "half": pa.array(np.array([1, 2.5, 3], dtype=np.float16)),
            "u64": pa.array([2**64 - 1, 0, 1], pa.uint64()),
            "binary": pa.array([b"\xff", b"a", None]),
            "view": pa.array(["a", None, "a"], pa.string_view()),
            "dictionary": pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["c"]).dictionary_encode()]),
            "duration": pa.array([1, 2, None], pa.duration("s")),
            "null": pa.nulls(3),
        }
    )
    assert [(c.name, c.type, c.missing) for c in build(table).columns] == [
        ("decimal", "integer", 1), ("half", "float", 0), ("u64", "integer", 0), ("binary", "text", 1), ("view", "category", 1),
        ("dictionary", "category", 0), ("duration", "datetime", 1), ("null", "float", 3),
    ]  # fmt: skip


def test_csv_types_follow_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CSV_BLOCK_BYTES", 256)
    path = tmp_path / "late.csv"
    rows = [f"{i},{i},,true,2020-01-01,{i}" for i in range(300)]
    rows += ["0.5,x,7.5,,never,", "1,y,2,false,2020-01-02,3"]
    path.write_text("number,text,sparse,flag,date,whole\n" + "\n".join(rows) + "\n")
    profile = build(path)
    assert profile.rows == 302
    assert [(c.name, c.type, c.missing) for c in profile.columns] == [
        ("number", "float", 0), ("text", "text", 0), ("sparse", "float", 300), ("flag", "boolean", 1), ("date", "category", 0),
        ("whole", "integer", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_delimiters_are_found(delimiter: str, tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(f"a{delimiter}b\n1{delimiter}2\n")
    assert [column.name for column in build(path).columns] == ["a", "b"]


def test_faults_of_files_name_file_and_row(tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text("a,b\n1,2\n1\n")
    with pytest.raises(ProfileError, match=r"short\.csv: .*Row #3: Expected 2 columns, got 1"):
        build(short)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(ProfileError, match=r"empty\.csv: Empty CSV file: it needs a header line"):
        build(empty)
    header = tmp_path / "header.csv"
    header.write_text("a,b\n")
    with pytest.raises(ProfileError, match="the data has no rows"):
        build(header)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(ProfileError, match=r"broken\.parquet: "):
        build(broken)
    with pytest.raises(ProfileError, match=r"none\.csv: can't be read: No such file"):
        build(tmp_path / "none.csv")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ProfileError, match=r"there is no \.parquet file"):
        build(tmp_path / "folder")
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:40])
    with pytest.raises(ProfileError, match=r"cut\.csv\.gz: "):
        build(cut)


def test_parts_must_fit_together(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": [1.5]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [2.5], "b": pa.nulls(1)}), tmp_path / "2.parquet")
    profile = build(tmp_path)
    assert [(c.type, c.missing) for c in profile.columns] == [("float", 0), ("float", 1)]
    pq.write_table(pa.table({"a": ["x"], "b": [1.5]}), tmp_path / "3.parquet")
    with pytest.raises(ProfileError, match=r"3\.parquet: column 'a' is string here and double in .*1\.parquet"):
        build(tmp_path)
    pq.write_table(pa.table({"a": [1], "c": [1.5]}), tmp_path / "3.parquet")
    with pytest.raises(ProfileError, match=r"3\.parquet: has other columns than .*: b, c"):
        build(tmp_path)


class Fickle:
    """An Arrow stream that has fewer rows each time."""

    def __init__(self) -> None:
        self.rows = 5

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self.rows -= 1
        return pa.table({"a": range(self.rows)}).__arrow_c_stream__()


def test_what_can_be_read_only_once() -> None:
    with pytest.raises(ProfileError, match=r"can be read only once.*reader\.read_all\(\)"):
        build(pa.table({"a": [1]}).to_reader())
    assert build(Fickle()).rows == 4


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (5, "can't build a profile from a int: pass a path"),
        ([1, 2], "a list must hold paths"),
        ({"a": 5}, "column 'a' is a int: pass a numpy array or a list"),
        ({"a": "text"}, "column 'a' is a str"),
        ({"a": np.zeros((2, 0))}, r"column 'a' has the shape \(2, 0\)"),
        ({"a": [1], "b": [1, 2]}, "the columns differ in length: a: 1, b: 2"),
        ({}, "the data has no columns"),
        ({"a": []}, "the data has no rows"),
        (pa.table({"e": [["a"]], "f": [1]}), r"nested columns: e \(list<.*string>\); exclude or flatten"),
        (pa.table({"e": [{"a": 1}], "f": [1]}), r"nested columns: e \(struct<.*>\); exclude or flatten"),
        (pa.table({"e": [[1.0, 2.0], [1.0]]}), "column 'e' holds arrays of 2 and of 1 values; exclude it"),
        (pa.table({"e": [[[1.0, 2.0], [1.0]]]}), "column 'e' holds lists of lists of different lengths"),
        ({"e": [[1.0, 2.0], [1.0]]}, "column 'e' holds arrays of 2 and of 1 values; exclude it"),
        ({"e": [[[1.0, 2.0], [1.0]]]}, "column 'e' holds lists that are no arrays of numbers"),
        ({"e": [[1.0], ["a"]]}, "column 'e' holds lists that are no arrays of numbers"),
        ({"e": [[1.0], [[1.0]]]}, "column 'e' holds arrays of 1 and of 2 dimensions"),
        (pd.DataFrame({"a": [1, "x"]}), "Arrow can't hold this DataFrame: .*column a"),
        (pa.table([[1], [2]], names=["a", "a"]), "the column 'a' occurs 2 times"),
        (pl.LazyFrame({"a": [1]}), "can't build a profile from a LazyFrame"),
    ],
)
def test_what_is_no_table(data: Any, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build(data)
