from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.sketch.categorical import CategorySketch, canonical, tally
from agent.sketch.unseen import hash_item


def objects(*values: object) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"), (3.0, "3"), (np.float64(3.0), "3"), (np.int64(-3), "-3"), (-0.0, "0"), (2.5, "2.5"), (True, "true"),
        (False, "false"),
        (np.bool_(True), "true"), ("x", "x"), ("", ""), ("3.0", "3.0"), (2**60, str(2**60)), (float(2**60), str(2**60)),
        (1e300, "1e+300"), (10**300, "1e+300"), (float("inf"), "inf"), ([1], "list"),
    ],
)  # fmt: skip
def test_canonical(value: object, text: str) -> None:
    assert canonical(value) == text


def test_integers_of_thousands_of_digits_have_a_short_text() -> None:
    assert (canonical(10**5000), canonical(-(10**5000))) == ("inf", "-inf")


def test_numbers_and_booleans_stay_apart() -> None:
    counts, missing = tally(objects(True, 1, 1.0, "1", False, 0, None, float("nan"), "true"))
    assert counts == {"true": 2, "1": 3, "false": 1, "0": 1}
    assert missing == 2


@pytest.mark.parametrize("values", [objects(1, None, 0, 1.0), np.array([1.0, np.nan, 0.0, 1.0])])
def test_numbers_count_alike_in_either_kind_of_column(values: NDArray[Any]) -> None:
    assert tally(values) == ({"1": 2, "0": 1}, 1)


def test_counts_known_unseen_and_missing() -> None:
    sketch = CategorySketch(("a", "b", "7"))
    sketch.update(objects("a", "a", "z", None, 7, "y", "z"))
    sketch.update(np.array([7.0, 8.0, np.nan]))
    summary = sketch.result()
    assert summary.counts.tolist() == [2, 0, 2]
    assert (summary.rows, summary.unseen, summary.missing) == (10, 4, 2)
    assert summary.distinct == pytest.approx(5, abs=1e-3)
    assert dict(sketch.frequent_unseen().items) == {hash_item("z"): 2, hash_item("y"): 1, hash_item("8"): 1}


@pytest.mark.parametrize("values", [objects(True, False, True), np.array([1.0, 0.0, 1.0]), objects("True", "FALSE", 1)])
def test_booleans_in_any_writing(values: NDArray[Any]) -> None:
    sketch = CategorySketch(("false", "true"))
    sketch.update(values)
    assert (sketch.result().counts.tolist(), sketch.result().unseen) == ([1, 2], 0)


def test_zero_and_one_are_booleans_only_among_booleans() -> None:
    sketch = CategorySketch(("false", "true", "maybe"))
    sketch.update(np.array([1.0, 0.0]))
    assert sketch.result().unseen == 2


def test_no_value_is_kept() -> None:
    sketch = CategorySketch(("a",))
    sketch.update(objects(*["secret-9c1f"] * 50))
    assert b"secret" not in sketch.to_bytes()


def test_a_flood_of_different_values_takes_bounded_memory() -> None:
    sketch = CategorySketch(("a",))
    for start in range(0, 50_000, 5000):
        sketch.update(objects(*(f"v{number}" for number in range(start, start + 5000))))
    assert len(sketch.to_bytes()) < 2500
    assert sketch.result().distinct == pytest.approx(50_000, rel=0.1)


def test_a_summary_does_not_change_later() -> None:
    sketch = CategorySketch(("a",))
    summary = sketch.result()
    sketch.update(objects("a"))
    assert summary.counts.tolist() == [0]


def test_other_categories_do_not_add_up() -> None:
    with pytest.raises(OutriderError, match="different categories"):
        CategorySketch(("a",)).merge(CategorySketch(("b",)))
