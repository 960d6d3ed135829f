"""Blocks to columns."""

from __future__ import annotations

import math

import numpy as np

from agent.batch import NOTHING
from agent.decode.block import table_of_rows
from agent.decode.gather import column, side
from tests.exchanges import as_lists, kinds


def test_packed_rows_become_columns() -> None:
    blocks = [table_of_rows([[1, 2], [3, None]]), table_of_rows([[5, 6]])]
    joined = side(2, True, [block.values for block in blocks])
    assert as_lists(joined) == {"0": [1.0, 3.0, 5.0], "1": [2.0, None, 6.0]}
    assert joined.positional
    assert joined.rows == 3
    assert all(values.flags.c_contiguous and values.dtype == np.float64 for values in joined.columns)


def test_the_kind_of_a_mixed_column_is_decided_over_all_rows() -> None:
    blocks = [table_of_rows([{"a": 1, "b": "x"}]), table_of_rows([{"a": None, "b": None}, {"a": 10**400, "b": "y"}])]
    joined = side(("a", "b"), False, [blocks[0].values, [(None, None), (10**400, "y")]])
    assert kinds(joined) == ["f", "O"]
    assert as_lists(joined) == {"a": [1.0, None, math.inf], "b": ["x", None, "y"]}
    assert not joined.positional


def test_no_rows_are_nothing() -> None:
    assert side((), True, []) is NOTHING


def test_objects_stay_themselves() -> None:
    values = column([True, 1, 1.5, "1", None])
    assert values.dtype == object
    assert [type(value) for value in values] == [bool, int, float, str, type(None)]
