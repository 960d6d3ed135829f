"""Whatever values a sender chooses, rows get finite scores and stay in line."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import config
from agent.anomalies import RowWatch
from agent.batch import NOTHING, Batch, Side
from agent.decode.gather import column
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.validate.schema import Checker

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1, 1.0, "1", "a", "true", float("nan")]),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
)


@cache
def schema() -> Schema:
    rng = np.random.default_rng(1)
    data = {
        "number": rng.normal(size=300),
        "whole": rng.integers(0, 1000, 300),
        "kind": rng.choice(["a", "b", "c"], 300),
        "code": rng.choice([1, 2, 3], 300),
        "flag": rng.choice([True, False], 300),
        "gaps": np.where(rng.random(300) < 0.5, np.nan, 1.0),
    }
    return schema_of(build(data))


def tables(rows: int) -> st.SearchStrategy[list[list[Any]]]:
    return st.lists(st.lists(VALUES, min_size=rows, max_size=rows), min_size=6, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 6).flatmap(lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=6, max_size=6))
)
def test_any_values_have_finite_scores(columns: list[list[Any]]) -> None:
    rows = len(columns[0])
    names = tuple(one.name for one in schema().features)
    side = Side(names, tuple(column(list(values)) for values in columns), rows)
    batch = Batch("test", "", "", side, NOTHING)
    watch = RowWatch(schema(), config.load({"OUTRIDER_KEEP_ROWS": "on"}))
    checked, anomalies = watch.take(batch, Checker(schema()).check(batch), 0)
    assert 0 <= anomalies <= rows
    assert len(checked.values) == len(schema().columns)
    assert all(values is not None and len(values) == rows for values in checked.values)
    for values in checked.values[-3:]:
        assert values is not None
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    strangest = watch.strangest(0)
    assert len(strangest) == rows
    assert [row.score for row in strangest] == sorted((row.score for row in strangest), reverse=True)
