"""Features that look like ids or like the label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from agent.profile.build import build
from agent.profile.doubts import Order
from agent.profile.write import to_bytes

ROWS = 500


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def warnings_of(data: dict[str, Any], **options: Any) -> list[str]:
    said: list[str] = []
    build(data, warn=said.append, **options)
    return said


def columns_of(said: list[str]) -> list[str]:
    return [sentence.split("'")[1] for sentence in said]


IDS: dict[str, Any] = {
    "rising": np.arange(ROWS) * 3 + 1_000_000,
    "falling": np.arange(ROWS)[::-1],
    "shuffled": rng().permutation(ROWS) + 7,
    "customer_id": rng().choice(10**9, ROWS, replace=False),
    "texts": [f"c-{number:06}" for number in rng().permutation(ROWS)],
    "floats": rng().permutation(ROWS).astype(np.float64),
}


@pytest.mark.parametrize("name", IDS)
def test_a_feature_that_looks_like_an_id_is_told(name: str) -> None:
    data = {"x": rng().normal(size=ROWS), name: IDS[name]}
    (said,) = warnings_of(data)
    assert said.startswith(f"column {name!r} is taken as a feature, but looks like an id (")
    assert "--id" in said
    assert warnings_of(data, id=name) == warnings_of(data, exclude=name) == []


QUANTITIES: dict[str, Any] = {
    "sorted quantity": np.sort(rng().normal(size=ROWS)),
    "sorted counts": np.sort(rng().poisson(1000, ROWS)),
    "wide counts that happen not to repeat": rng().choice(10**9, ROWS, replace=False),
    "few rows": np.arange(99),
    "codes": rng().integers(0, 5, ROWS),
    "with missing ones": np.where(np.arange(ROWS) == 250, np.nan, np.arange(ROWS)),
    "one repeats": np.append(rng().permutation(ROWS - 1), 3),
    "constant": np.ones(ROWS),
    "categories": ["a", "b"] * (ROWS // 2),
    "prose": [f"the customer number {number} was not happy with what was delivered yesterday" for number in range(ROWS)],
}


@pytest.mark.parametrize("name", QUANTITIES)
def test_of_a_quantity_nothing_is_said(name: str) -> None:
    assert warnings_of({name: QUANTITIES[name]}) == []


@pytest.mark.parametrize("name", ["label", "Target", "y", "y_true"])
def test_a_feature_that_is_called_as_labels_are_is_told(name: str) -> None:
    data = {"a": rng().normal(size=ROWS), name: rng().normal(size=ROWS)}
    (said,) = warnings_of(data)
    assert said.startswith(f"column {name!r} is taken as a feature, but is called as labels are")
    assert warnings_of(data, label=name) == warnings_of(data, exclude=name) == []


def test_beside_x_y_is_a_place() -> None:
    assert warnings_of({"x": rng().normal(size=ROWS), "y": rng().normal(size=ROWS)}) == []


def test_all_that_is_doubted_is_told_in_the_columns_order_and_changes_nothing() -> None:
    data = {"target": rng().normal(size=ROWS), **IDS}
    assert columns_of(warnings_of(data)) == ["target", *IDS]
    said: list[str] = []
    assert to_bytes(build(data, warn=said.append)) == to_bytes(build(data))


@pytest.mark.parametrize("second", [np.arange(500, 999), np.arange(499, 900)])
def test_rows_rise_over_the_ends_of_blocks_too(second: Any) -> None:
    order = Order()
    order.update(np.arange(500, dtype=np.float64) * 1e9)
    order.update(second.astype(np.float64) * 1e9)
    assert order.why_an_id("x") == ("it rises from each row to the next" if second[0] == 500 else "")


def test_nothing_read_is_no_id() -> None:
    order = Order()
    order.update(np.empty(0))
    assert order.why_an_id("id") == ""


def test_times_that_nobody_named_are_told() -> None:
    times = np.arange("2026-01-01", "2026-01-21", dtype="datetime64[h]")[:ROWS].astype("datetime64[ms]")
    data = {"when": pa.table({"when": times})["when"], "x": rng().normal(size=len(times))}
    table = pa.table(data)
    assert warnings_of(table) == [
        "column 'when' is taken as a feature, but holds times, which are not compared: name it by --time or --exclude"
    ]
    assert warnings_of(table, time="when") == []
