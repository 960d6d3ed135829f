"""What a column is: the type that fits its values, its role and what the user said.

===========================  ========================================================================================
the data says                the profile says
===========================  ========================================================================================
booleans; CSV true, false    ``boolean``
whole numbers                ``category`` if they look like codes (below), else ``integer``
whole numbers as floats      the same where some are missing, since that is what pandas makes of integers with missing values;
                             where none is missing, ``category`` if they look like codes, else ``float``
other numbers                ``float``
texts                        ``category`` if they repeat (below), else ``text``
lists, arrays, image files   no column of their own, but summaries of each value (`agent.profile.feeds`)
pandas and polars categories ``category``
dates, times, durations      ``datetime``
nothing but missing values   ``float`` for numbers and for columns without a type, ``category`` for texts
===========================  ========================================================================================

Numbers look like codes if they are just 0 and 1, or 2 to `MAX_CODES` distinct ones with `ROWS_PER_CODE` rows each on
average. A count with as few values loses little by that: each value is compared by itself either way.

Texts repeat if there are at most `MAX_CATEGORIES` distinct ones with at least 10 rows each on average, or at most 20
with at least 2.
"""

from __future__ import annotations

from typing import Literal

from agent.errors import ProfileError
from agent.profile.blocks import NUMBER_KINDS, Kind
from agent.profile.census import Census, NumberCensus, OpaqueCensus, TextCensus

MAX_CODES = 10
ROWS_PER_CODE = 20
MAX_CATEGORIES = 1000
MAX_CLASSES = 100
"""Up to this many distinct whole numbers are classes where the task is classification."""

Forced = Literal["category", "numeric", "text", ""]
"""What the user said of a column."""


def empty_census(name: str, kind: Kind, role: str, forced: Forced) -> Census:
    """Choose how a column is counted in the first reading.

    Raises
    ------
    ProfileError
        If what the user said contradicts the data.
    """
    if role in ("id", "time"):
        return OpaqueCensus()
    if role == "probability" and kind not in NUMBER_KINDS:
        raise ProfileError(f"column {name!r} is to be a probability, but holds {kind} values")
    if kind == "datetime":
        if forced:
            raise ProfileError(f"column {name!r} holds dates or times, which can't be taken as {forced}; exclude it")
        return OpaqueCensus()
    if forced == "numeric" and kind in ("text", "category"):
        raise ProfileError(f"column {name!r} is to be numeric, but holds texts")
    if forced == "text" and kind not in ("text", "category", "null"):
        raise ProfileError(f"column {name!r} is to be text, but holds {kind} values")
    if forced == "text":
        return TextCensus(keep=False)
    if forced == "category":
        return TextCensus()
    if kind in NUMBER_KINDS or forced == "numeric":
        return NumberCensus()
    # Texts that don't repeat are no categories, so there is no use in knowing the frequent ones.
    return TextCensus(keep=_is_category(kind, role, forced))


def type_of(kind: Kind, role: str, forced: Forced, census: Census, task: str) -> str:
    """Choose a column's type from what the first reading found."""
    if isinstance(census, OpaqueCensus):
        return "text" if role == "id" else "datetime"
    if isinstance(census, NumberCensus):
        return _number_type(kind, role, forced, census, task)
    if forced == "text":
        return "text"
    if kind == "boolean":
        return "boolean"
    return "category" if _is_category(kind, role, forced) or repeats(census) else "text"


def _is_category(kind: Kind, role: str, forced: Forced) -> bool:
    return bool(forced) or kind == "category" or role in ("label", "prediction")


def _number_type(kind: Kind, role: str, forced: Forced, census: NumberCensus, task: str) -> str:
    if not census.count or role == "probability":
        return "float"
    if not census.whole:  # or so large that doubles can't tell
        return "integer" if kind == "integer" else "float"
    number = "integer" if kind in ("integer", "boolean") or census.missing else "float"
    if forced == "numeric" or census.exact is None or census.infinite:
        return number
    if role in ("label", "prediction") and task:
        return "category" if task == "classification" and len(census.exact) <= MAX_CLASSES else number
    return "category" if are_codes(census.exact, census.count) else number


def are_codes(counts: dict[float, int], rows: int) -> bool:
    """Whether whole numbers look like codes.

    >>> are_codes({0.0: 1, 1.0: 1}, 2), are_codes({3.0: 10, 4.0: 10}, 20), are_codes({3.0: 500, 4.0: 500}, 1000)
    (True, False, True)
    """
    return counts.keys() == {0.0, 1.0} or (2 <= len(counts) <= MAX_CODES and rows >= ROWS_PER_CODE * len(counts))


def repeats(census: TextCensus) -> bool:
    """Whether texts occur often enough to be categories."""
    present = census.rows - census.missing
    distinct = census.distinct
    if distinct <= 1:
        return True
    return distinct <= MAX_CATEGORIES and (present >= 10 * distinct or (distinct <= 20 and present >= 2 * distinct))
