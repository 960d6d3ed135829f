from __future__ import annotations

import pytest

from agent.errors import OutriderError
from agent.sketch.distinct import Distinct


@pytest.mark.parametrize("count", [0, 1, 10, 1000, 100_000])
def test_estimates_within_four_standard_errors(count: int) -> None:
    distinct = Distinct()
    distinct.update(f"item {number}" for number in range(count))
    assert distinct.result() == pytest.approx(count, rel=0.092, abs=1e-3)


def test_seeing_again_changes_nothing() -> None:
    distinct = Distinct()
    for _ in range(10):
        distinct.update(["a", "é", "\ud800", ""])
    assert distinct.result() == pytest.approx(4, abs=1e-3)  # the empty text is one of them


def test_takes_a_kilobyte_at_most() -> None:
    distinct = Distinct()
    distinct.update(f"item {number}" for number in range(200_000))
    assert len(distinct.to_bytes()) < 1200


def test_what_the_library_refuses_is_our_error() -> None:
    with pytest.raises(OutriderError, match="not a saved distinct count"):
        Distinct.from_bytes(b"\x92\xaadistinct/1\xc4\x03abc")
