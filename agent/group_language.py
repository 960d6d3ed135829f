"""Groups of rows, as ``OUTRIDER_SEGMENTS``, ``OUTRIDER_GROUPS`` and ``outrider profile build --by`` have them.

``gender, age<25, 'home town'=Rome``: a column's name, whose every category is a group; or a column and what its value is
compared with, by ``<``, ``<=``, ``>``, ``>=`` or ``=``, which is one group. Whatever has a space, a comma, a quote or one of
those signs in it stands in single quotes; a single quote in them is written twice.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import Any

_BARE = r"[^\s,'\"<>=]+"
_WORD = rf"'(?:[^']|'')*'|{_BARE}"
_SIGN = r"<=|>=|<|>|="
_GROUP = re.compile(rf"\s*({_WORD})\s*(?:({_SIGN})\s*({_WORD}))?\s*(,|$)")
_COMPARISON = re.compile(rf"({_SIGN})\s*({_WORD})")

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
"""What each sign computes; on arrays, element by element, and false for NaN."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a value is compared with.

    Parameters
    ----------
    sign
        One of `COMPARE`; all but ``=`` are for numbers only.
    value
        As it was written, without quotes.
    """

    sign: str
    value: str

    @property
    def number(self) -> float | None:
        """The value as a finite number; ``None`` if it is none."""
        return _number(self.value)

    def __str__(self) -> str:
        """Write it as it can be read again."""
        return f"{self.sign}{quoted(self.value)}"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A column whose categories are groups, or a column with a comparison, which is one group."""

    column: str
    comparison: Comparison | None = None

    def __str__(self) -> str:
        """Write it as it can be read again."""
        return f"{quoted(self.column)}{self.comparison or ''}"

    def name(self, category: str) -> str:
        """Give the name of the group of one category.

        Examples
        --------
        >>> Grouping("home town").name("Rome")
        "'home town'=Rome"
        """
        return str(Grouping(self.column, Comparison("=", category)))


def quoted(text: str) -> str:
    """Write a name or a value, in quotes where it takes them.

    Examples
    --------
    >>> quoted("age"), quoted("net income"), quoted("it's")
    ('age', "'net income'", "'it''s'")
    """
    return text if re.fullmatch(_BARE, text) else "'" + text.replace("'", "''") + "'"


def parse(text: str) -> tuple[Grouping, ...]:
    """Read groupings; nothing but spaces is none. `ValueError` says which part is wrong.

    Examples
    --------
    >>> [str(one) for one in parse("gender, age < 25,'home town'=Rome")]
    ['gender', 'age<25', "'home town'=Rome"]
    """
    found: dict[Grouping, None] = {}
    start, more = 0, bool(text.strip())
    while more:
        match = _GROUP.match(text, start)
        if match is None:
            raise ValueError(f"{text[start:].strip()!r}: write a column, or a column and a number: gender, age<25, age>=60")
        column, sign, value, comma = match.groups()
        found[Grouping(_plain(column), None if sign is None else _comparison(sign, value))] = None
        start, more = match.end(), bool(comma)
    return tuple(found)


def favourable(text: str) -> Comparison | None:
    """Read which prediction is favourable: a category such as ``approved``, or ``>=0.5``; ``None`` if nothing is written.

    Examples
    --------
    >>> str(favourable("approved")), str(favourable(">= 0.5")), favourable("")
    ('=approved', '>=0.5', None)
    """
    text = text.strip()
    if not text:
        return None
    match = _COMPARISON.fullmatch(text)
    if match is not None:
        return _comparison(*match.groups())
    if text[0] in "<>=":
        raise ValueError("write a category such as approved, or a comparison such as >=0.5")
    return Comparison("=", _plain(text))


def _comparison(sign: str, value: str) -> Comparison:
    plain = _plain(value)
    if sign != "=" and _number(plain) is None:
        raise ValueError(f"{sign}{value}: write a number to compare with, such as {sign}25")
    return Comparison(sign, plain)


def _plain(word: str) -> str:
    return word[1:-1].replace("''", "'") if word[:1] == word[-1:] == "'" and len(word) > 1 else word


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
