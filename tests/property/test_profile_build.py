"""Whatever the table: a profile that reads back and whose numbers add up, or a `ProfileError`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.profile.bins import MAX_BINS, choose_bins
from agent.profile.build import build
from agent.profile.format import ColumnProfile, Profile
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of
from agent.profile.write import to_bytes

FLOATS = st.floats(width=64)
NUMBERS = st.one_of(FLOATS, st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1.7976931348623157e308, float("nan"), float("inf")]))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, st.text(max_size=5), st.binary(max_size=3), st.dates())


def lists(values: st.SearchStrategy[Any], rows: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=rows, max_size=rows)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(st.integers(1, 40))
    kinds = [
        st.one_of(st.none(), NUMBERS),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.one_of(st.none(), st.text(max_size=3)),
        st.one_of(st.none(), st.booleans()),
        st.one_of(st.none(), st.dates()),
        SCALARS,
    ]
    names = draw(st.lists(st.text(max_size=6), min_size=1, max_size=6, unique=True))
    columns: dict[str, Any] = {name: draw(lists(draw(st.sampled_from(kinds)), rows)) for name in names}
    if draw(st.booleans()):
        columns["array"] = draw(hnp.arrays(st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]), rows))
    return columns


def check(profile: Profile) -> None:
    assert read_bytes(to_bytes(profile)) == profile  # counts sum, edges ascend, coarse nests: `read` refuses the rest
    schema_of(profile)
    for column in profile.columns:
        check_column(column)


def check_column(column: ColumnProfile) -> None:
    if column.numeric is not None:
        assert len(column.numeric.bin_counts) <= MAX_BINS
        assert len(column.numeric.coarse) <= 10
        assert sum(column.numeric.bin_counts) == column.rows - column.missing
    if column.categories is not None:
        assert sum(column.categories.counts) + column.categories.other == column.rows - column.missing
        assert column.categories.counts == sorted(column.categories.counts, reverse=True)


@settings(max_examples=200, deadline=None)
@given(tables(), st.data())
def test_arrays_of_anything(columns: dict[str, Any], data: st.DataObject) -> None:
    names = list(columns)
    roles = data.draw(st.permutations(names))
    options: dict[str, Any] = {}
    if data.draw(st.booleans()):
        options["prediction"] = roles[0]
    if len(roles) > 1 and data.draw(st.booleans()):
        options["label"] = roles[1]
    profile = build(columns, **options)
    check(profile)
    assert to_bytes(build(columns, **options)) == to_bytes(profile)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_arrow_gives_what_arrays_give(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 30))
    columns = {
        "n": data.draw(lists(st.one_of(st.none(), NUMBERS), rows)),
        "i": data.draw(lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), rows)),
        "s": data.draw(lists(st.one_of(st.none(), st.text(max_size=3)), rows)),
        "b": data.draw(lists(st.one_of(st.none(), st.booleans()), rows)),
        "d": data.draw(lists(st.one_of(st.none(), st.dates(dt.date(1970, 1, 1))), rows)),
    }
    types = {"n": pa.float64(), "i": pa.int64(), "s": pa.string(), "b": pa.bool_(), "d": pa.date32()}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    profile = build(table)
    check(profile)
    assert to_bytes(build(pl.from_arrow(table))) == to_bytes(profile)
    filled = [name for name, values in columns.items() if any(value is not None for value in values)]
    if filled == list(columns):
        # NaN is no type of its own in a list, so a list of nothing else has no type to tell by.
        assert to_bytes(build(columns)) == to_bytes(profile)


@settings(max_examples=200, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(allow_nan=False, allow_infinity=False)), st.booleans())
def test_bins_of_anything(values: np.ndarray[Any, np.dtype[np.float64]], rounded: bool) -> None:
    values = np.round(np.clip(values, -1e6, 1e6)) if rounded else values
    distinct, weights = np.unique(values + 0.0, return_counts=True)
    bins = choose_bins(distinct, weights, whole=rounded)
    assert np.isfinite(bins.edges).all()
    assert (bins.edges[:-1] < bins.edges[1:]).all()
    assert len(bins.edges) < MAX_BINS
    assert bins.coarse[0] == 0
    assert (bins.coarse[:-1] < bins.coarse[1:]).all()
    assert bins.coarse[-1] <= len(bins.edges)
    # A value in more than a tenth of the rows shares its bin with no other.
    for value in distinct[weights > len(values) / 10]:
        place = np.searchsorted(bins.edges, distinct, side="right")
        assert (place == np.searchsorted(bins.edges, value, side="right")).sum() == 1
