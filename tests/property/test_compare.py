"""Data compared with its own profile never drifts, in any order and however often each row is there; moved data does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.compare.compare import compare
from agent.config import load
from agent.evaluate.report import Decision
from agent.profile.build import build

DEFAULTS = load({})

Array = NDArray[Any]
Maker = Callable[[np.random.Generator, int], Array]


def objects(values: Any) -> Array:
    return np.array(values, dtype=object)


MAKERS: dict[str, Maker] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: np.exp(2 * rng.normal(size=n)),
    "ties": lambda rng, n: rng.integers(0, 30, n) / 4,
    "codes": lambda rng, n: rng.integers(0, 5, n),
    "counts": lambda rng, n: rng.poisson(40, n),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.7, 0.0, rng.exponential(size=n)),
    "gaps": lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
    "constant": lambda rng, n: np.full(n, 3.5),
    "empty": lambda rng, n: np.full(n, np.nan),
    "infinite": lambda rng, n: np.where(rng.random(n) < 0.02, np.inf, rng.normal(size=n)),
    "switch": lambda rng, n: rng.random(n) < 0.4,
    "words": lambda rng, n: objects(["a", "b", "c", "d", None])[rng.integers(0, 5, n)],
    "many": lambda rng, n: objects([f"k{value % 200}" for value in rng.zipf(1.5, n).tolist()]),
    "prose": lambda rng, n: objects([f"order {value} for the house by the lake" for value in rng.integers(0, 10**6, n).tolist()]),
    "vector": lambda rng, n: rng.normal(1.0, 1.0, size=(n, 4)),
}

COLUMNS = st.lists(st.sampled_from(sorted(MAKERS)), min_size=1, max_size=6)
ROWS = st.sampled_from((120, 300, 1000, 3000))


def table_of(kinds: list[str], seed: int, rows: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {f"{kind}_{place}": MAKERS[kind](rng, rows) for place, kind in enumerate(kinds)}


def order_of(values: Array) -> Array:
    keys = values[:, 0] if values.ndim > 1 else values.astype(str) if values.dtype == object else values
    return np.argsort(keys, kind="stable")


def taken(table: dict[str, Array], places: Array) -> dict[str, Array]:
    return {name: values[places] for name, values in table.items()}


@settings(max_examples=40, deadline=None)
@given(COLUMNS, st.integers(0, 2**32), ROWS, st.sampled_from(("same", "sorted", "shuffled", "repeated")))
def test_data_never_drifts_from_its_own_profile(kinds: list[str], seed: int, rows: int, how: str) -> None:
    table = table_of(kinds, seed, rows)
    profile = build(table)
    places = {
        "same": np.arange(rows),
        "sorted": order_of(next(iter(table.values()))),
        "shuffled": np.random.default_rng(seed).permutation(rows),
        "repeated": np.repeat(np.arange(rows), 7),
    }[how]
    found = compare(profile, taken(table, places), settings=DEFAULTS)
    assert found.decision is not Decision.DRIFTED, [(column.name, column.reason) for column in found.columns]
    assert found.rows == len(places)


@settings(max_examples=30, deadline=None)
@given(COLUMNS, st.integers(0, 2**32), st.sampled_from((150, 400)), st.sampled_from((1, 20)))
def test_new_rows_do_not_drift_even_if_each_is_there_often(kinds: list[str], seed: int, rows: int, times: int) -> None:
    kinds = ["normal", *kinds]  # without any fine column nobody can tell repeated rows
    profile = build(table_of(kinds, seed, 4000))
    found = compare(profile, taken(table_of(kinds, seed + 1, rows), np.tile(np.arange(rows), times)), settings=DEFAULTS)
    assert found.decision is not Decision.DRIFTED, [column.reason for column in found.columns] + [
        relation.reason for relation in found.relations
    ]
    assert found.repeated == times


@settings(max_examples=30, deadline=None)
@given(COLUMNS, st.integers(0, 2**32), ROWS, st.booleans(), st.booleans())
def test_moved_data_drifts(kinds: list[str], seed: int, rows: int, in_order: bool, repeated: bool) -> None:
    rng = np.random.default_rng(seed)
    table = {**table_of(kinds, seed, rows), "moved": rng.normal(size=rows)}
    profile = build(table)
    data = {**table, "moved": table["moved"] + 1.5}
    places = np.argsort(data["moved"]) if in_order else np.arange(rows)
    found = compare(profile, taken(data, np.repeat(places, 5) if repeated else places), settings=DEFAULTS)
    (moved,) = (column for column in found.columns if column.name == "moved")
    assert moved.decision is Decision.DRIFTED
