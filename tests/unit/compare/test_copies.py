"""Which equal rows are copies of one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.batch import Checked
from agent.compare import copies as module
from agent.compare.copies import Copies, heavy_values
from agent.profile.schema import ColumnSchema, schema_of
from tests.unit.compare.tables import Table, profile_of


def columns_of(table: Table) -> tuple[ColumnSchema, ...]:
    return schema_of(profile_of(table)).features


def repeated(training: Table, data: Table, blocks: int = 1) -> float:
    columns = columns_of(training)
    rows = len(next(iter(data.values())))
    copies = Copies(columns, rows)
    for places in np.array_split(np.arange(rows), blocks):
        copies.update(Checked(len(places), tuple(data[column.name][places] for column in columns), {}))
    return copies.result()


def table(seed: int, rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "kind": np.array(["a", "b"], dtype=object)[rng.integers(0, 2, rows)]}


def taken(data: dict[str, Any], places: Any) -> dict[str, Any]:
    return {name: values[places] for name, values in data.items()}


@pytest.mark.parametrize("blocks", [1, 7])
@pytest.mark.parametrize("times", [1, 2, 30])
def test_rows_that_are_there_several_times(times: int, blocks: int) -> None:
    order = np.random.default_rng(1).permutation(np.repeat(np.arange(300), times))
    assert repeated(table(1, 2000), taken(table(2, 300), order), blocks) == times


def test_missing_values_of_copies_are_equal_and_signed_zeros_too() -> None:
    training = table(1, 2000)
    training["y"] = np.where(np.arange(2000) % 10 == 0, np.nan, np.arange(2000) - 0.5)
    data = taken(table(2, 300), np.repeat(np.arange(300), 2)) | {"y": np.where(np.arange(600) % 2, 0.0, -0.0)}
    data["y"][:300] = np.nan
    assert repeated(training, data) == 2.0


def test_rows_of_categories_are_equal_by_chance() -> None:
    rng = np.random.default_rng(1)
    few = {"a": rng.choice(["x", "y"], 2000).astype(object), "b": rng.integers(0, 30, 2000).astype(float)}
    assert repeated(few, few) == 1.0


def test_prices_in_cents_agree_by_chance_in_many_rows_but_not_in_few() -> None:
    rng = np.random.default_rng(1)
    training = {"price": rng.integers(0, 100_000, 4000) / 100}
    assert repeated(training, {"price": rng.integers(0, 100_000, 90_000) / 100}) == 1.0
    assert repeated(training, {"price": np.repeat(rng.integers(0, 100_000, 50) / 100, 4)}) == 4.0


def test_a_value_that_stands_by_itself_tells_no_rows_apart() -> None:
    rng = np.random.default_rng(1)
    zeros = {"x": np.where(rng.random(4000) < 0.8, 0.0, rng.exponential(size=4000))}
    (column,) = columns_of(zeros)
    heavy = heavy_values(column, 4000)
    assert heavy is not None
    assert heavy.tolist() == [0.0]
    assert repeated(zeros, zeros) == 1.0


def test_a_default_in_some_rows_is_no_repetition() -> None:
    data = table(2, 3000)
    data["x"][:700] = -1.0
    assert repeated(table(1, 2000), data) == 1.0


def test_too_few_rows_that_can_be_told_apart() -> None:
    training = table(1, 2000)
    data = taken(table(2, 200), np.repeat(np.arange(200), 10))
    data["x"][100:] = np.nan
    assert repeated(training, data) == 1.0


def test_columns_without_values_are_never_fine() -> None:
    (empty,) = columns_of({"x": np.full(50, np.nan)})
    assert heavy_values(empty, 10) is None


def test_of_many_rows_a_sample_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 256)
    data = taken(table(2, 20_000), np.tile(np.arange(20_000), 3))
    copies = Copies(columns_of(table(1, 2000)), 60_000)
    for places in np.array_split(np.arange(60_000), 5):
        part = taken(data, places)
        copies.update(Checked(len(places), (part["x"], part["kind"]), {}))
        assert copies._hashes.size <= 256
    assert copies.result() == 3.0


def two_numbers(seed: int, rows: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "y": rng.normal(size=rows)}


def test_one_row_that_is_there_often_among_different_ones() -> None:
    places = np.concatenate([np.arange(2500), np.zeros(2500, dtype=int)])
    found = repeated(two_numbers(1, 4000), taken(two_numbers(2, 2500), places), 4)
    assert found == pytest.approx((2501**2 + 2499) / 5000)


def test_one_frequent_row_is_never_missed_by_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 256)
    monkeypatch.setattr(module, "FREQUENT", 64)
    places = np.random.default_rng(1).permutation(np.concatenate([np.arange(5000), np.zeros(4999, dtype=int)]))
    for seed in range(2, 8):
        found = repeated(two_numbers(1, 4000), taken(two_numbers(seed, 5000), places), 5)
        assert found == pytest.approx((5000**2 + 4999) / 9999, rel=0.1)


@pytest.mark.parametrize(("times", "stuck"), [(2500, False), (10_000, True)])
def test_a_feed_is_stuck_if_one_row_is_nearly_all(times: int, stuck: bool) -> None:
    columns = columns_of(two_numbers(1, 4000))
    data = taken(two_numbers(2, 2500), np.concatenate([np.arange(2500), np.zeros(times, dtype=int)]))
    copies = Copies(columns, times + 2500)
    copies.update(Checked(times + 2500, (data["x"], data["y"]), {}))
    assert copies.stuck(25) is stuck


def test_nothing_is_stuck_without_rows() -> None:
    assert not Copies((), 0).stuck(1)


def test_some_of_the_rows_are_counted_for_themselves() -> None:
    training, data = two_numbers(1, 4000), two_numbers(2, 300)
    whole = Copies(columns_of(training), 300)
    whole.update(Checked(300, (data["x"], data["y"]), {}))
    some = whole.of_some()
    assert (some.rows, some.known, some.result()) == (0, False, 1.0)
    some.update(Checked(300, (np.repeat(data["x"][:100], 3), np.repeat(data["y"][:100], 3)), {}))
    assert (some.rows, some.known, some.result()) == (300, True, 3.0)
    assert (whole.rows, whole.result()) == (300, 1.0)


@pytest.mark.parametrize(("times", "expected"), [(3, 3.0), (100, 4.0)])
def test_a_stuck_feed_leaves_enough_rows_to_decide(times: int, expected: float) -> None:
    data = taken(two_numbers(2, 400 // times), np.tile(np.arange(400 // times), times))
    copies = Copies(columns_of(two_numbers(1, 4000)), 400)
    copies.update(Checked(len(data["x"]), (data["x"], data["y"]), {}))
    assert copies.decidable(100) == pytest.approx(expected, rel=0.01)
