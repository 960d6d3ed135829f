"""The language of `OUTRIDER_ROUTES`: routes of the user's own, what is on them, and where in the JSON it is.

::

    routes    = route {";" route}
    route     = [method] path {word}                  without a method POST is meant; else PUT or PATCH
    path      = "/" ...                               {model}, {version}, {anything} match a segment, or a part of one
    word      = "inputs=" columns | "outputs=" columns
              | "id=" json-path
              | "model=" (name | json-path) | "version=" (name | json-path)
              | "format=" name                        a format that Outrider knows, instead of inputs, outputs and id
    columns   = column {"," column}
    column    = [name ":"] json-path
    json-path = "$" {step}
    step      = ".key" | "['any key']" | "[0]" | "[-1]" | "[*]"

Paths and names that hold spaces or semicolons, and columns' names that hold any of ``, : ; $ =`` too, are written in quotes
of either kind, which can't hold a quote of their own kind.

One JSON path without a name finds a table, or a row, and what it finds says which. Several paths, or one with a name, find a
column each: of one row, or of as many rows as ``[*]`` has items. `agent.decode.custom` has both rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

FORMATS: Final = (
    "kserve-v1", "kserve-v1-explain", "tensorflow-classify", "tensorflow-regress", "open-inference", "invocations", "torchserve",
    "seldon", "vertex-ai", "openai-chat", "openai-completions", "openai-embeddings",
)  # fmt: skip
"""What ``format=`` may name; `agent.decode.routes` has the readers."""

METHODS: Final = ("POST", "PUT", "PATCH")
"""What can carry a body."""

Step = str | int | None
"""A key of an object, a place in a list, or ``None`` for every item of a list."""


class Column(NamedTuple):
    """What is read from where."""

    name: str
    """Empty where a path finds a table and not a column."""
    steps: tuple[Step, ...]


class CustomRoute(NamedTuple):
    """A route of the user's own: where it is and where its values are, as it was written.

    `path` is a template whose ``{name}`` parts match one segment. `inputs` and `outputs` are columns, such as ``$.rows`` or
    ``age:$.user.age,$.user.income``; `outputs` may be empty. `model` and `version` are names or JSON paths, `id` is a JSON
    path. Where there is a `format`, there are no `inputs`, `outputs` and `id`.
    """

    path: str
    inputs: str = ""
    outputs: str = ""
    model: str = ""
    version: str = ""
    id: str = ""
    format: str = ""
    method: str = "POST"

    def __str__(self) -> str:
        shown = {"model": _name_shown(self.model), "version": _name_shown(self.version)}
        texts = [(word, shown.get(word, getattr(self, word))) for word in WORDS]
        method = "" if self.method == "POST" else f"{self.method} "
        return f"{method}{_quoted(self.path)}" + "".join(f" {word}={text}" for word, text in texts if text)


WORDS: Final = ("inputs", "outputs", "id", "model", "version", "format")

_QUOTES = r"'[^']*'|\"[^\"]*\""
_TOKEN = re.compile(rf"\s*(;|(?:[^\s;'\"]|{_QUOTES})+|['\"])")
_STEP = re.compile(rf"\.([A-Za-z_][\w-]*)|\[(-?\d{{1,9}})\]|(\[\*\])|\[({_QUOTES})\]")
_COLUMN = re.compile(rf"(?:({_QUOTES}|[^,:;'\"$=]+):)?(\$(?:{_QUOTES}|[^,'\"])*)(,?)")
_NEEDS_QUOTES = re.compile(r"[\s;'\"]")
_NAME_NEEDS_QUOTES = re.compile(r"[\s,:;'\"$=]")

_EXAMPLE = "/path inputs=$.rows outputs=$.scores"


def parse(text: str) -> tuple[CustomRoute, ...]:
    """Read the value of `OUTRIDER_ROUTES`.

    Raises
    ------
    ValueError
        It says which routes, what is wrong with each, and what to write.
    """
    found: list[CustomRoute] = []
    faults: list[str] = []
    for words in _routes(text):
        try:
            route = _route(words)
        except ValueError as error:
            faults.append(f"in {' '.join(words)!r}: {error}")
            continue
        if any((route.method, route.path) == (other.method, other.path) for other in found):
            faults.append(f"{route.method} {route.path} is there twice; write it once")
        found.append(route)
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(found)


def _routes(text: str) -> Iterator[list[str]]:
    words: list[str] = []
    end = len(text.rstrip())
    at = 0
    while at < end:
        match = _TOKEN.match(text, at, end)
        word = match[1] if match else "'"
        if word in ("'", '"'):
            raise ValueError(f"a quote is never closed behind {text[:at][-20:]!r}; write one more {word}")
        at = match.end() if match else end
        if word != ";":
            words.append(word)
        elif words:
            yield words
            words = []
    if words:
        yield words


def _route(words: list[str]) -> CustomRoute:
    method = "POST"
    first, *rest = words
    if first.upper() in METHODS and rest:
        method = first.upper()
        first, *rest = rest
    path = _unquoted(first)
    if not path.startswith("/"):
        raise ValueError(f"write a path that begins with /, such as {_EXAMPLE} (before it only {', '.join(METHODS)} may stand)")
    if re.search(r"[{}]", re.sub(r"\{\w+\}", "", path)):
        raise ValueError("the braces of the path don't match; write {model}, {version} or {anything} for a part that varies")
    values: dict[str, str] = {}
    for word in rest:
        name, equals, value = word.partition("=")
        if not equals or name not in WORDS:
            known = ", ".join(f"{each}=" for each in WORDS)
            raise ValueError(f"{word!r} is not understood; write {known} after the path, and no spaces beside commas and =")
        if name in values:
            raise ValueError(f"{name}= is there twice; write it once, several paths separated by commas")
        if not value:
            raise ValueError(f"nothing is behind {name}=; write it without a space, such as {name}={_EXAMPLES[name]}")
        values[name] = _checked(name, value)
    route = CustomRoute(path, method=method, **values)
    _check_together(route)
    return route


_EXAMPLES = {
    "inputs": "$.rows", "outputs": "$.scores", "id": "$.request_id", "model": "credit", "version": "3", "format": FORMATS[0],
}  # fmt: skip


def _checked(name: str, value: str) -> str:
    """Check one word's value, and give it as it is kept."""
    if name in ("inputs", "outputs"):
        columns(value)
    elif name == "id" or value.startswith("$"):
        if None in json_path(value):
            raise ValueError(f"{name}={value} would find many values; write a JSON path without [*]")
    else:
        value = _unquoted(value)
        if name == "format" and value not in FORMATS:
            raise ValueError(f"there is no format {value!r}; write one of {', '.join(FORMATS)}")
        if not value or value.startswith("$"):
            raise ValueError(f"write a name that is not empty and doesn't begin with $, such as {name}={_EXAMPLES[name]}")
    return value


def _check_together(route: CustomRoute) -> None:
    if route.format and (route.inputs or route.outputs or route.id):
        raise ValueError("the format says where everything is; write either format= or inputs=, outputs= and id=")
    if not route.format and not route.inputs:
        raise ValueError(f"where are the inputs? write {_EXAMPLE}, or format= for a format that Outrider knows")
    for name, value in (("model", route.model), ("version", route.version)):
        if value and f"{{{name}}}" in route.path:
            raise ValueError(f"the path has {{{name}}} already; write either that or {name}=")
        if route.format and value.startswith("$"):
            raise ValueError(f"the format says where the {name} is; write a name behind {name}=, or leave it out")


def columns(text: str) -> tuple[Column, ...]:
    """Read the columns behind ``inputs=`` or ``outputs=``.

    Raises
    ------
    ValueError
        It says what to write.
    """
    found: list[tuple[str, str]] = []
    at, comma = 0, ","
    while comma:
        match = _COLUMN.match(text, at)
        if match is None:
            raise ValueError(f"{text[at:]!r} is no JSON path; write $.rows, or several such as $.age,income:$.user.income")
        found.append((match[1] or "", match[2]))
        comma = match[3]
        at = match.end()
    if at < len(text):
        raise ValueError(f"{text[at:]!r} is not understood; write several JSON paths as $.age,income:$.user.income")
    if len(found) == 1 and not found[0][0]:
        return (Column("", json_path(found[0][1])),)
    named = [Column(_unquoted(name) or _name_of(path), json_path(path)) for name, path in found]
    names = [column.name for column in named]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two columns are called {name!r}; write names before the paths, such as a:$.x.{name},b:$.y.{name}")
    return tuple(named)


def json_path(text: str) -> tuple[Step, ...]:
    """Read a JSON path.

    >>> json_path("$.rows[*]['net income'][-1]")
    ('rows', None, 'net income', -1)

    Raises
    ------
    ValueError
        It says where it can't be read and what to write.
    """
    if not text.startswith("$"):
        raise ValueError(f"{text!r} is no JSON path; write one that begins with $, such as $.rows")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(
                f"in {text!r} {text[at:]!r} is not understood; write steps such as .key, ['any key'], [0], [-1] or [*]"
            )
        key, place, every, quoted = match.groups()
        steps.append(key or (None if every else int(place) if place else quoted[1:-1]))
        at = match.end()
    return tuple(steps)


def _name_of(path: str) -> str:
    """Name a column after the last key of its path, with the places behind it."""
    name = ""
    for step in json_path(path):
        if isinstance(step, str):
            name = step
        elif step is not None and name:
            name += f"[{step}]"
    if not name:
        raise ValueError(f"{path!r} has no key to name the column after; write a name before it, such as age:{path}")
    return name


def path_text(steps: tuple[Step, ...]) -> str:
    """Write a JSON path, so that `json_path` reads the same steps. Keys are quoted with ``"`` where they can be."""
    text = "$"
    for step in steps:
        if step is None:
            text += "[*]"
        elif isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z_][\w-]*", step):
            text += f".{step}"
        else:
            quote = "'" if '"' in step else '"'
            text += f"[{quote}{step}{quote}]"
    return text


def column_text(column: Column) -> str:
    """Write a column, so that `columns` reads it among others."""
    path = path_text(column.steps)
    return f"{_quoted(column.name, _NAME_NEEDS_QUOTES)}:{path}" if column.name else path


def _unquoted(text: str) -> str:
    return re.sub(_QUOTES, lambda match: match[0][1:-1], text)


def _quoted(text: str, needs_quotes: re.Pattern[str] = _NEEDS_QUOTES) -> str:
    if not needs_quotes.search(text):
        return text
    quote = "'" if '"' in text else '"'
    return f"{quote}{text}{quote}"


def _name_shown(text: str) -> str:
    return text if text.startswith("$") else _quoted(text)
