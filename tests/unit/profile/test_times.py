"""Times of any spelling become nanoseconds since 1970."""

from __future__ import annotations

import numpy as np
import pytest

from agent.errors import ProfileError
from agent.profile.blocks import Opaque, Tensors, texts_of
from agent.profile.times import NEVER, from_microseconds, times_of

MOMENT = 1_717_156_800
"""2024-05-31T12:00:00Z in seconds."""


@pytest.mark.parametrize("factor", [1, 1_000, 1_000_000, 1_000_000_000])
def test_numbers_tell_their_unit_by_their_size(factor: int) -> None:
    assert times_of(np.array([float(MOMENT * factor)]), "t").tolist() == [MOMENT * 10**9]


def test_numbers_that_are_no_time() -> None:
    assert times_of(np.array([np.nan, np.inf, -np.inf, 1e300]), "t").tolist() == [NEVER] * 4


def test_times_before_1970_are_negative() -> None:
    assert times_of(np.array([-86_400.0]), "t").tolist() == [-86_400 * 10**9]


@pytest.mark.parametrize(
    "text",
    ["2024-05-31T12:00:00Z", "2024-05-31 12:00:00", "2024-05-31T14:00:00+02:00", "20240531T120000", " 2024-05-31T12:00 ",
     "2024-05-31T12:00:00.000000"],
)  # fmt: skip
def test_texts_of_iso_8601(text: str) -> None:
    assert times_of(texts_of([text]), "t").tolist() == [MOMENT * 10**9]


@pytest.mark.parametrize("text", ["", "yesterday", "31.05.2024", "9999-12-31", "0001-01-01T00:00:00+14:00"])
def test_texts_that_are_no_time(text: str) -> None:
    assert times_of(texts_of([text, None]), "t").tolist() == [NEVER, NEVER]


def test_fractions_of_a_second_stay() -> None:
    assert times_of(texts_of(["1970-01-01T00:00:00.000001Z"]), "t").tolist() == [1000]


def test_datetimes_are_taken_as_they_are() -> None:
    found = np.array([5, NEVER])
    assert times_of(Opaque(1, found), "t") is found


@pytest.mark.parametrize("values", [Opaque(0), Tensors(np.empty(0), np.empty((0, 1), dtype=np.int64))])
def test_what_holds_no_times_is_refused(values: Opaque | Tensors) -> None:
    with pytest.raises(ProfileError, match=r"'t' holds no points in time"):
        times_of(values, "t")


def test_microseconds_beyond_nanoseconds_are_never() -> None:
    beyond = np.array([1, 9_300_000_000_000_000, -(2**63), 2**63 - 1])
    assert from_microseconds(beyond).tolist() == [1000, NEVER, NEVER, NEVER]
