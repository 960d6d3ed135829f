"""From a data set's columns to those that the check takes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agent.compare.rows import RowReader, Rows
from agent.errors import ProfileError
from agent.profile.blocks import Source
from agent.profile.schema import schema_of
from agent.profile.sources import open_source
from tests.unit.compare.tables import profile_of

PIXEL = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"


def rows_of(training: dict[str, Any], data: object, *, spelled: bool = False, **options: Any) -> Rows:
    profile = profile_of(training, **options)
    times = [column.name for column in profile.columns if column.role == "time"]
    (rows,) = RowReader(open_source(data), schema_of(profile), times, spelled=spelled).read()
    return rows


def values_of(rows: Rows, name: str) -> list[Any]:
    inputs = rows.batch.inputs
    values: list[Any] = inputs.columns[inputs.names.index(name)].tolist()
    return values


NUMBERS = {"x": [1.5, 2.5, 3.5]}
WORDS = {"x": ["a", "b"] * 50}


def test_numbers_words_and_booleans_stay_what_they_are() -> None:
    training = {"n": [1.0, 2.0] * 50, "w": ["a", "b"] * 50, "b": [True, False] * 50}
    rows = rows_of(training, {"n": [1, None], "w": [None, "c"], "b": [None, True]})
    assert str(values_of(rows, "n")) == "[1.0, nan]"
    assert (values_of(rows, "w"), values_of(rows, "b")) == ([None, "c"], [None, "true"])
    assert rows.violations == {}


def test_numbers_among_words_are_numbers_only_where_all_are_spelled() -> None:
    data = {"x": ["1.5", "none", None]}
    assert values_of(rows_of(NUMBERS, data, spelled=True), "x") == [1.5, "none", None]
    assert values_of(rows_of(NUMBERS, data), "x") == ["1.5", "none", None]
    assert values_of(rows_of(WORDS, data, spelled=True), "x") == ["1.5", "none", None]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"x": [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None]}, ["a time", None]),
        ({"x": [dt.time(1), None]}, [None, "a time"]),
        ({"x": [[1.0, 2.0], None]}, [[], None]),
        ({"x": [PIXEL, None]}, [PIXEL, None]),
    ],
)
def test_values_of_another_kind_stay_of_a_wrong_type(data: dict[str, Any], expected: list[Any]) -> None:
    assert values_of(rows_of(NUMBERS, data), "x") == expected


VECTORS = {"v": np.random.default_rng(1).normal(size=(50, 4))}


def test_vectors_become_their_summaries_and_other_widths_break_the_shape() -> None:
    rows = rows_of(VECTORS, {"v": [[1.0, 1.0, 1.0, 1.0], None, [1.0, 2.0], [2.0, 2.0, 2.0, 2.0]]})
    assert str(values_of(rows, "v.norm")) == "[2.0, nan, nan, 4.0]"
    assert str(values_of(rows, "v.mean")) == "[1.0, nan, nan, 2.0]"
    assert rows.violations == {("v", "shape"): 1}


@pytest.mark.parametrize("data", [["text", None], [1.0, None], [dt.time(1), None], [PIXEL, None]])
def test_what_is_no_vector_breaks_the_type(data: list[Any]) -> None:
    rows = rows_of(VECTORS, {"v": data})
    assert rows.violations == {("v", "type"): 1}
    assert str(values_of(rows, "v.norm")) == "[nan, nan]"


def test_numbers_that_are_no_image_files_break_the_type() -> None:
    rows = rows_of({"img": [PIXEL] * 50}, {"img": [[1.0, 2.0], None]})
    assert rows.violations == {("img", "type"): 1}


def test_images_of_several_sizes() -> None:
    images = [np.zeros((8, 8, 3)), np.zeros((8, 9, 3))]
    rows = rows_of({"img": images * 25}, {"img": [np.full((8, 10, 3), 0.5), images[0], None]})
    assert str(values_of(rows, "img.width")) == "[10.0, 8.0, nan]"
    assert str(values_of(rows, "img.brightness")) == "[0.5, 0.0, nan]"


def test_image_files_and_prose() -> None:
    training = {"img": [PIXEL] * 50, "note": [f"a long note number {place}" for place in range(50)]}
    rows = rows_of(training, {"img": [PIXEL, None], "note": [None, "four words are here"]}, text="note")
    assert str(values_of(rows, "img.width")) == "[1.0, nan]"
    assert str(values_of(rows, "note.words")) == "[nan, 4.0]"
    assert values_of(rows, "note.script") == [None, "latin"]
    assert values_of(rows, "note") == [None, "four words are here"]


def test_predictions_are_outputs_and_labels_are_left_out() -> None:
    table = {"x": [1.0, 2.0], "p": [1.0, 2.0], "y": [1.0, 2.0], "id": [1, 2]}
    rows = rows_of(table, table, prediction="p", label="y", id="id")
    assert (rows.batch.inputs.names, rows.batch.outputs.names) == (("x",), ("p",))
    assert rows.violations == {}


def test_data_of_predictions_alone_has_no_inputs() -> None:
    rows = rows_of({"x": [1.0, 2.0], "p": [1.0, 2.0]}, {"p": [1.0]}, prediction="p")
    assert (rows.batch.inputs.rows, rows.batch.outputs.rows) == (0, 1)


def test_missing_and_unknown_columns_are_named() -> None:
    profile = profile_of({**VECTORS, "x": np.arange(50.0), "y": np.arange(50.0)}, prediction="y")
    reader = RowReader(open_source({"x": [1.0], "z": [1.0]}), schema_of(profile))
    assert (reader.missing, reader.absent, reader.extra) == (("v",), ("y",), ("z",))
    (rows,) = reader.read()
    assert rows.violations == {("v", "missing_column"): 1, ("_other", "extra_column"): 1}
    assert rows.batch.inputs.names == ("x",)


class _Picky:
    """A source that gives only columns that exist in the profile."""

    def __init__(self, source: Source, allowed: set[int]) -> None:
        self.names, self.kinds, self.shapes, self.rows = source.names, source.kinds, source.shapes, source.rows
        self._source = source
        self._allowed = allowed

    def blocks(self, wanted: Any, rows: int) -> Any:
        assert set(wanted) <= self._allowed
        return self._source.blocks(wanted, rows)


def test_unknown_columns_are_not_read() -> None:
    source = _Picky(open_source({"z": ["a"], "x": [1.0]}), {1})
    (rows,) = RowReader(source, schema_of(profile_of(NUMBERS))).read()
    assert rows.batch.inputs.names == ("x",)


@pytest.mark.parametrize(
    "times",
    [
        np.array(["2026-01-01", "NaT", "2026-01-03"], dtype="M8[s]"),
        ["2026-01-03T00:00:00", None, "2026-01-01"],
        [1_767_225_600.0, None, 1_767_398_400.0],
    ],
)
def test_times(times: Any) -> None:
    training = {"x": [1.0, 2.0, 3.0], "when": times}
    assert rows_of(training, training, time="when").times_ns == (1_767_225_600 * 10**9, 1_767_398_400 * 10**9)


@pytest.mark.parametrize("times", [[None, None, None], [dt.time(1)] * 3, [[1.0, 2.0]] * 3])
def test_what_is_no_time_says_nothing(times: Any) -> None:
    training = {"x": [1.0, 2.0, 3.0], "when": [1.0, 2.0, 3.0]}
    assert rows_of(training, {"x": [1.0, 2.0, 3.0], "when": times}, time="when").times_ns == ()


def test_a_name_that_occurs_twice() -> None:
    table = pa.table([pa.array([1.0]), pa.array([2.0])], names=["x", "x"])
    with pytest.raises(ProfileError, match="'x' occurs more than once"):
        RowReader(open_source(table), schema_of(profile_of(NUMBERS)))


def test_many_rows_come_in_blocks() -> None:
    profile = profile_of(NUMBERS)
    blocks = [rows.batch.inputs.rows for rows in RowReader(open_source({"x": np.zeros(150_000)}), schema_of(profile)).read()]
    assert sum(blocks) == 150_000
    assert max(blocks) <= 65_536


def test_columns_beside_the_features_are_read_where_somebody_asks() -> None:
    training = {"x": [1.0, 2.0] * 50, "tier": ["gold", "iron"] * 50, "town": ["Rome", "Bonn"] * 50}
    known = schema_of(profile_of(training, segment=["tier", "town"]))
    data = {"x": [1.0, 2.0], "tier": ["iron", None]}
    reader = RowReader(open_source(data), known, beside=["tier", "town"])
    (rows,) = reader.read()
    assert values_of(rows, "tier") == ["iron", None]
    assert (reader.absent_beside, reader.missing, reader.extra) == (("town",), (), ())
    (rows,) = RowReader(open_source(data), known).read()
    assert rows.batch.inputs.names == ("x",)
