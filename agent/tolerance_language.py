"""Tolerances of single columns, as ``OUTRIDER_THRESHOLDS`` has them.

``pattern statistic=value statistic=value; pattern statistic=value``: a column's name, or a pattern with ``*``, ``?`` and
``[...]``; in quotes where it has spaces. A value is a number above zero, or ``off``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isinf


@dataclass(frozen=True, slots=True)
class Tolerances:
    """What the columns that fit a pattern tolerate; infinity is ``off``."""

    pattern: str
    values: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Write it as it can be read again."""
        pairs = (f"{name}={'off' if isinf(value) else format(value, 'g')}" for name, value in self.values.items())
        return " ".join((shlex.quote(self.pattern), *pairs))


def number(text: str) -> float:
    """Read a number above zero, or ``off``, which is infinity; `ValueError` says what is wrong.

    Examples
    --------
    >>> number("0.1"), number("off")
    (0.1, inf)
    """
    if text == "off":
        return inf
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < inf:
        raise ValueError("write a number above zero, such as 0.1, or off")
    return value


def parse(text: str) -> tuple[Tolerances, ...]:
    """Read tolerances; `ValueError` says which parts are wrong, all of them.

    Examples
    --------
    >>> [str(one) for one in parse("age ks=0.2 psi=off; 'net income' mean_shift=0.5")]
    ['age ks=0.2 psi=off', "'net income' mean_shift=0.5"]
    """
    faults: list[str] = []
    found = tuple(_entry(part, faults) for part in _parts(text))
    if faults:
        raise ValueError("; ".join(faults))
    return found


def _parts(text: str) -> list[list[str]]:
    """Cut at semicolons that are not in quotes."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";")
    lexer.whitespace_split = True
    lexer.commenters = ""
    parts: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word.strip(";"):
                parts[-1].append(word)
            else:
                parts.append([])
    except ValueError as error:
        raise ValueError(f"a quote is not closed: {error}") from None
    return [part for part in parts if part]


def _entry(words: list[str], faults: list[str]) -> Tolerances:
    pattern, *pairs = words
    if not pairs:
        faults.append(f"{pattern!r}: write the column, then statistics: age ks=0.2 psi=off")
    values: dict[str, float] = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            faults.append(f"{pair!r}: write statistic=number, such as ks=0.2")
            continue
        try:
            values[name] = number(value)
        except ValueError as error:
            faults.append(f"{pair!r}: {error}")
    return Tolerances(pattern, values)
