"""Reasons without the words of the sidecar."""

from __future__ import annotations

import pytest

from agent.compare.words import in_words_of_file


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("not seen in the window", "not in the data"),
        ("only 60 rows in the window, at least 100 are needed", "only 60 rows, at least 100 are needed"),
        ("PSI 2, over the newest 1,800 rows (4 minutes) against 20", "PSI 2, over 1,800 rows against 20"),
        ("over 800 rows, one evaluation so far; mean 2 instead of 1", "over 800 rows; mean 2 instead of 1"),
        ("900 rows repeat or come in bursts, and say as much as 9", "900 rows repeat, and say as much as 9"),
        ("no rows so far", "no rows"),
        ("", ""),
    ],
)
def test_words_of_the_sidecar_are_left_out(reason: str, said: str) -> None:
    assert in_words_of_file(reason) == said
