"""Which group a row belongs to, and batches cut by group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.batch import NOTHING, OUT_OF_RANGE, Batch, Checked, Side
from agent.group_language import parse
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.validate.groups import Grouper, Splitter
from agent.validate.schema import Checker


def schema() -> Schema:
    rng = np.random.default_rng(1)
    return schema_of(
        build(
            {
                "age": rng.integers(18, 90, 500).astype(float),
                "country": rng.choice(["DE", "FR"], 500, p=[0.7, 0.3]),
                "member": rng.random(500) < 0.5,
                "note": [f"some words about the row number {i} of all" for i in range(500)],
                "tier": rng.choice(["gold", "iron"], 500),
                "prediction": rng.normal(size=500),
            },
            prediction="prediction",
            segment="tier",
            text="note",
        )
    )


SCHEMA = schema()


def batch_of(**columns: list[Any]) -> tuple[Batch, Checked]:
    arrays = tuple(np.array(v, dtype=float if all(isinstance(x, float) for x in v) else object) for v in columns.values())
    batch = Batch("test", "", "", Side(tuple(columns), arrays, len(arrays[0])), NOTHING)
    return batch, Checker(SCHEMA).check(batch)


def groups(text: str, **columns: list[Any]) -> list[int] | None:
    grouper = Grouper(parse(text)[0], SCHEMA)
    found = grouper.of(*batch_of(**columns))
    return None if found is None else found.tolist()


def test_categories_are_groups_in_the_order_of_the_profile() -> None:
    assert Grouper(parse("country")[0], schema()).values == ("DE", "FR")
    assert groups("country", country=["FR", "DE", "ES", None]) == [1, 0, 2, -1]


def test_one_category_is_a_group_against_all_others() -> None:
    assert groups("country=FR", country=["FR", "DE", "ES", None]) == [0, 1, 1, -1]
    assert groups("country=ES", country=["ES", "DE"]) == [1, 1]


def test_a_comparison_is_a_group_against_all_others() -> None:
    assert groups("age<25", age=[24.0, 25.0, float("nan"), float("inf")]) == [0, 1, -1, 1]


def test_booleans_are_told_however_they_are_written() -> None:
    assert groups("member=true", member=[True, "True", 0, None]) == [0, 0, 1, -1]


def test_a_column_beside_the_features_is_taken_by_name() -> None:
    assert groups("tier", tier=["iron", "gold", 3, None], age=[20.0] * 4) in ([0, 1, 2, -1], [1, 0, 2, -1])


def test_hostile_values_are_no_groups() -> None:
    assert groups("tier", tier=[["gold"], {"a": 1}, 10**400, float("nan")]) == [-1, -1, 2, -1]


def test_a_column_that_was_not_sent_has_no_groups() -> None:
    assert groups("tier", age=[20.0]) is None
    positional = Side(("0",), (np.array(["gold"], dtype=object),), 1, positional=True)
    batch = Batch("test", "", "", positional, NOTHING)
    assert Grouper(parse("tier")[0], schema()).of(batch, Checked(1, (None,) * 6, {})) is None


def test_a_feature_that_was_not_sent_is_missing_in_every_row() -> None:
    assert groups("country", age=[20.0, 30.0]) == [-1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nobody", "no column 'nobody'"),
        ("age", "column 'age' holds numbers: compare it"),
        ("country<3", "holds categories, which have no order"),
        ("note", "column 'note' is text, which has no groups"),
    ],
)
def test_what_has_no_groups_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grouper(parse(text)[0], schema())


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=40))
def test_a_split_is_every_row_once_in_its_group_and_in_order(places: list[int]) -> None:
    known = schema()
    rows = len(places)
    numbers = np.arange(rows, dtype=float) + 18
    values = tuple(numbers if column.name == "age" else None for column in known.features + known.outputs)
    parts = dict(Splitter(known).split(Checked(rows, values, {}), np.array(places), 3))
    assert set(parts) == {place for place in places if 0 <= place < 3}
    for place, part in parts.items():
        assert part.rows == places.count(place)
        (found,) = (column for column in part.values if column is not None)
        assert found.tolist() == [18.0 + row for row, mine in enumerate(places) if mine == place]


def test_rows_out_of_range_are_counted_in_their_segment() -> None:
    batch, checked = batch_of(age=[20.0, 500.0, 600.0, float("inf"), 30.0], country=["DE", "FR", "DE", "DE", "FR"])
    assert checked.violations["age", OUT_OF_RANGE] == 2
    places = Grouper(parse("country")[0], schema()).of(batch, checked)
    assert places is not None
    parts = dict(Splitter(schema()).split(checked, places, 2))
    assert [part.violations for part in parts.values()] == [{("age", OUT_OF_RANGE): 1}] * 2


def test_answers_that_are_not_row_by_row_are_left_out() -> None:
    known = schema()
    values = tuple(np.zeros(3 if column.role == "feature" else 1) for column in known.features + known.outputs)
    ((_, part),) = Splitter(known).split(Checked(3, values, {}), np.zeros(3, dtype=np.int64), 1)
    assert [v is None for v in part.values] == [column.role != "feature" for column in known.features + known.outputs]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(anything, min_size=1, max_size=8), st.sampled_from(["tier", "country", "country=FR", "age<25", "member"]))
def test_whatever_is_sent_has_a_place(sent: list[Any], text: str) -> None:
    grouping = parse(text)[0]
    column = np.empty(len(sent), dtype=object)
    column[:] = sent
    batch = Batch("test", "", "", Side((grouping.column,), (column,), len(sent)), NOTHING)
    grouper = Grouper(grouping, SCHEMA)
    places = grouper.of(batch, Checker(SCHEMA).check(batch))
    assert places is not None
    assert len(places) == len(sent)
    assert set(places.tolist()) <= set(range(-1, len(grouper.values) + 1))
