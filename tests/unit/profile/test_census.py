"""What readings gather can be merged: parts counted apart and merged are the whole."""

from __future__ import annotations

import numpy as np
import pytest

from agent.profile.blocks import Opaque, Texts, as_texts, texts_of
from agent.profile.census import EXACT_TEXTS, EXACT_VALUES, NumberCensus, OpaqueCensus, TextCensus, take
from agent.profile.tally import Accuracy, BinTally, CategoryTally, Error

RNG = np.random.default_rng(21)
VALUES = np.where(RNG.random(9000) < 0.1, np.nan, RNG.normal(1e6, 1, 9000))
VALUES[5] = np.inf


@pytest.mark.parametrize("cuts", [[4500], [0], [1, 2, 3], [8999], [3000, 6000]])
def test_numbers_merged_are_numbers_in_sequence(cuts: list[int]) -> None:
    whole, merged = NumberCensus(), NumberCensus()
    whole.update(VALUES)
    for values in np.split(VALUES, cuts):
        part = NumberCensus()
        part.update(values)
        merged.merge(part)
    for name in ("rows", "missing", "infinite", "count", "minimum", "maximum", "whole", "exact"):
        assert getattr(merged, name) == getattr(whole, name)
    assert merged.mean == pytest.approx(whole.mean, rel=1e-14)
    assert merged.variance == pytest.approx(whole.variance, rel=1e-9)
    assert merged.distribution()[1].sum() == whole.count


def test_empty_census_has_no_moments() -> None:
    census = NumberCensus()
    census.merge(NumberCensus())
    census.update(np.array([np.nan, np.inf]))
    assert (census.count, census.missing, census.infinite) == (0, 1, 1)
    assert np.isnan(census.variance)
    assert len(census.distribution()[0]) == 0


def test_distinct_numbers_are_exact_up_to_a_limit() -> None:
    census = NumberCensus()
    census.update(np.repeat(np.arange(float(EXACT_VALUES)), 2))
    values, weights = census.distribution()
    assert (values.tolist(), set(weights.tolist())) == (list(range(EXACT_VALUES)), {2})
    census.update(np.array([-0.5]))
    assert census.exact is None
    assert census.distribution()[0][0] == -0.5


def test_minus_zero_is_zero() -> None:
    census = NumberCensus()
    census.update(np.array([-0.0, 0.0]))
    assert census.exact == {0.0: 2}
    assert str(census.distribution()[0][0]) == "0.0"


def test_texts_merged_are_texts_in_sequence() -> None:
    texts = [None if i % 9 == 0 else f"t{i * i % 50}" for i in range(2000)]
    whole, first, second = TextCensus(), TextCensus(), TextCensus()
    whole.update(texts_of(texts))
    first.update(texts_of(texts[:700]))
    second.update(texts_of(texts[700:]))
    first.merge(second)
    assert (first.rows, first.missing, first.distinct) == (whole.rows, whole.missing, whole.distinct)
    assert first.ranked() == whole.ranked()


def test_frequent_texts_survive_more_than_memory_holds() -> None:
    parts = []
    for part in range(4):
        census = TextCensus()
        for block in range(3):
            rare = [f"rare {part} {block} {i}" for i in range(6000)]
            census.update(texts_of(rare + ["often"] * 2000))
        parts.append(census)
    merged = parts[0]
    for census in parts[1:]:
        merged.merge(census)
    assert not merged.complete
    assert len(merged.counts) <= EXACT_TEXTS
    assert merged.ranked()[0][0] == "often"
    assert merged.distinct == pytest.approx(4 * 3 * 6000 + 1, rel=0.05)
    assert merged.rows == 4 * 3 * 8000


def test_texts_of_no_use_are_let_go() -> None:
    census = TextCensus(keep=False)
    for block in range(3):
        census.update(texts_of([f"{block} {i}" for i in range(EXACT_TEXTS)]))
    assert not census.complete
    assert census.distinct > EXACT_TEXTS
    assert (census.rows, census.missing) == (3 * EXACT_TEXTS, 0)


def test_repeated_labels_are_added_up() -> None:
    census = TextCensus()
    census.update(Texts(np.array([0, 1, 2, -1]), ("a", "b", "a")))
    assert census.counts == {"a": 2, "b": 1}


def test_opaque_columns_count_what_is_missing() -> None:
    first, second = OpaqueCensus(), OpaqueCensus()
    take(first, Opaque(2), 10)
    take(second, Opaque(1), 5)
    first.merge(second)
    assert (first.rows, first.missing) == (15, 3)
    with pytest.raises(TypeError, match="Opaque does not go into NumberCensus"):
        take(NumberCensus(), Opaque(1), 1)


def test_tallies_merged_are_tallies_in_sequence() -> None:
    edges = np.array([1e6 - 1, 1e6, 1e6 + 1])
    whole, merged = BinTally(edges), BinTally(edges)
    whole.update(VALUES)
    for values in np.split(VALUES, 3):
        part = BinTally(edges)
        part.update(values)
        merged.merge(part)
    assert merged.counts.tolist() == whole.counts.tolist()
    assert whole.counts.sum() == (~np.isnan(VALUES)).sum()


def test_places_of_categories() -> None:
    tally = CategoryTally(["a", "3"])
    places = tally.place(as_texts(np.array([3.0, np.nan, 4.0])))
    assert places.tolist() == [1, -1, 2]
    tally.update(places)
    other = CategoryTally(["a", "3"])
    other.update(other.place(texts_of(["a", None, "z"])))
    tally.merge(other)
    assert tally.counts.tolist() == [1, 1, 2]


def test_performance_without_rows_is_nothing() -> None:
    assert Accuracy().result() == []
    error = Error()
    error.update(np.array([np.nan, np.inf]), np.array([1.0, np.inf]))
    assert error.result() == []
    error.update(np.array([1e300]), np.array([-1e300]))
    assert error.result() == []
