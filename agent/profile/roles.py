"""Which columns go into a profile, and what each is for, from what the user said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.errors import ProfileError
from agent.profile.blocks import Source
from agent.profile.infer import Forced

Names = str | Sequence[str]
"""One column's name, or several."""


_OPTIONS: dict[Forced, str] = {"category": "categorical", "numeric": "numeric", "text": "text"}
"""What the user calls the types."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One column of the profile: its place in the source, its role, and the type that the user wants, if any."""

    place: int
    name: str
    role: str
    forced: Forced
    source: str = ""
    """The column that this one summarises, if it is not one of the data's own."""


def choose(source: Source, roles: Mapping[str, Names], exclude: Names, types: Mapping[Forced, Names]) -> list[Choice]:
    """Choose the columns; whatever has no role is a feature.

    Parameters
    ----------
    roles
        Column names by role.
    exclude
        Columns to leave out.
    types
        Column names by the type that the user wants.

    Raises
    ------
    ProfileError
        With every fault at once: duplicate names, names that don't exist, names given twice, nothing to look at.
    """
    faults = [f"the column {name!r} occurs {n} times: names must differ" for name, n in Counter(source.names).items() if n > 1]
    forced = {_OPTIONS[wanted]: names for wanted, names in types.items()}
    asked = {**roles, "exclude": exclude, **forced}
    given = {option: _several(names) for option, names in asked.items()}
    known = set(source.names)
    for option, names in given.items():
        faults += [f"{option}: there is no column {name!r}; {_existing(source.names)}" for name in names if name not in known]
    faults += _clashes({option: names for option, names in given.items() if option not in forced})
    faults += _clashes({option: given[option] for option in (*forced, "exclude")})
    if not source.names:
        faults.append("the data has no columns")
    elif not source.rows:
        faults.append("the data has no rows: there is nothing to learn from")
    if faults:
        raise ProfileError("\n".join(dict.fromkeys(faults)))
    role_of = {name: role for role in roles for name in given[role]}
    choices = [
        Choice(place, name, role_of.get(name, "feature"), _forced(name, given))
        for place, name in enumerate(source.names)
        if name not in given["exclude"]
    ]
    if not choices:
        raise ProfileError("every column is excluded: there is nothing to learn from")
    return choices


def _several(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _forced(name: str, given: Mapping[str, Sequence[str]]) -> Forced:
    return next((wanted for wanted, option in _OPTIONS.items() if name in given.get(option, ())), "")


def _clashes(given: Mapping[str, Sequence[str]]) -> list[str]:
    by_name: dict[str, list[str]] = {}
    for option, names in given.items():
        for name in dict.fromkeys(names):
            by_name.setdefault(name, []).append(option)
    return [f"column {name!r} can't be both {' and '.join(options)}" for name, options in by_name.items() if len(options) > 1]


def _existing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"the columns are {shown}" + (f" and {len(names) - 20} more" if len(names) > 20 else "")
