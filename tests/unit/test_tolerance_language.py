from __future__ import annotations

import math

import pytest

from agent.config import load
from agent.errors import ConfigError
from agent.tolerance_language import Tolerances, number, parse


def test_columns_and_their_statistics() -> None:
    assert parse("age ks=0.2 psi=off; card_* missing=0.1") == (
        Tolerances("age", {"ks": 0.2, "psi": math.inf}),
        Tolerances("card_*", {"missing": 0.1}),
    )


def test_names_with_spaces_and_semicolons_stand_in_quotes() -> None:
    assert parse("'net; income' ks=0.3;")[0].pattern == "net; income"


def test_what_is_written_can_be_read_again() -> None:
    found = parse("'net income' ks=0.3 psi=off; age js=1e-3")
    assert parse("; ".join(map(str, found))) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age", "write the column, then statistics"),
        ("age ks", "write statistic=number"),
        ("age ks=0", "write a number above zero"),
        ("age ks=nan", "write a number above zero"),
        ("'age ks=1", "a quote is not closed"),
    ],
)
def test_what_can_not_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_nothing_is_no_tolerance() -> None:
    assert parse("") == ()
    assert parse(" ; ") == ()


def test_off_is_infinite() -> None:
    assert number("off") == math.inf


def test_a_statistic_that_there_is_not_is_a_fault_at_start() -> None:
    with pytest.raises(ConfigError, match="'kss' is no statistic"):
        load({"OUTRIDER_THRESHOLDS": "age kss=0.1"})


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"'ks': write statistic=number.*'psi=x': write a number.*'fare': write the column"):
        parse("age ks psi=x; fare")
