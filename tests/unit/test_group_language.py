"""Groups of rows as they are written, and which prediction is favourable."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.group_language import COMPARE, Comparison, Grouping, favourable, parse


def test_columns_and_comparisons_are_read() -> None:
    found = parse("gender, age<25,age >= 60, 'net income'=0, city='it''s, here'")
    assert found == (
        Grouping("gender"),
        Grouping("age", Comparison("<", "25")),
        Grouping("age", Comparison(">=", "60")),
        Grouping("net income", Comparison("=", "0")),
        Grouping("city", Comparison("=", "it's, here")),
    )


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_is_no_grouping(text: str) -> None:
    assert parse(text) == ()
    assert favourable(text) is None


def test_what_is_written_twice_counts_once() -> None:
    assert parse("a, b, a") == (Grouping("a"), Grouping("b"))


@pytest.mark.parametrize("text", ["a,", ",a", "a b", "a<", "<3", "a<<3", "'a", "a=b=c", "a<x", "a>=nan", "a<inf", "a,,b"])
def test_what_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a"):
        parse(text)


names = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())


@given(st.lists(st.tuples(names, st.sampled_from(["", "=", "<", ">="]), names, st.floats(-1e6, 1e6)), max_size=4))
def test_what_is_written_can_be_read_again(parts: list[tuple[str, str, str, float]]) -> None:
    groupings = [
        Grouping(name, Comparison(sign, text if sign == "=" else repr(number)) if sign else None)
        for name, sign, text, number in parts
    ]
    assert parse(", ".join(map(str, groupings))) == tuple(dict.fromkeys(groupings))


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse, favourable):
        with suppress(ValueError):
            assert read(text) is not NotImplemented


@pytest.mark.parametrize(
    ("text", "expected"),
    [("approved", ("=", "approved")), ("'not bad'", ("=", "not bad")), (">=0.5", (">=", "0.5")), ("= 1", ("=", "1"))],
)
def test_the_favourable_outcome_is_read(text: str, expected: tuple[str, str]) -> None:
    assert favourable(text) == Comparison(*expected)


@pytest.mark.parametrize("text", [">=", "<x", "=>5", ">='high'"])
def test_an_outcome_that_can_not_be_compared_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        favourable(text)


@pytest.mark.parametrize(
    ("sign", "expected"), [("<", [1, 0, 0]), ("<=", [1, 1, 0]), (">", [0, 0, 1]), (">=", [0, 1, 1]), ("=", [0, 1, 0])]
)
def test_signs_compare_element_by_element(sign: str, expected: list[int]) -> None:
    assert COMPARE[sign](np.array([1.0, 2.0, 3.0]), 2.0).tolist() == [bool(each) for each in expected]
    assert not COMPARE[sign](np.array([np.nan]), 2.0).any()
