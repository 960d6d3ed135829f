"""Reasons in the words of a file: nothing of what only has a meaning where time passes."""

from __future__ import annotations

import re

from agent.evaluate.reason import NOT_SEEN

_NEWEST = re.compile(r"over the newest ([\d,]+ rows) \([^)]*\)")

_LEFT_OUT = (
    (", one evaluation so far", ""),
    (" rows in the window", " rows"),
    ("rows repeat or come in bursts, and say", "rows repeat, and say"),
    ("no rows so far", "no rows"),
)


def in_words_of_file(reason: str) -> str:
    """Leave out of a report's reason what is for the sidecar.

    >>> in_words_of_file("over the newest 800 rows (4 minutes) against 20,000 in training, one evaluation so far")
    'over 800 rows against 20,000 in training'
    """
    if reason == NOT_SEEN:
        return "not in the data"
    for words, instead in _LEFT_OUT:
        reason = reason.replace(words, instead)
    return _NEWEST.sub(r"over \1", reason)
