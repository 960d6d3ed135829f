"""Routes of the user's own: where the rows are is configured, what they look like is told from the values.

What one JSON path without a name finds is a table, and read so:

===============================  ==============================  ===============================
value                            as inputs                       as outputs
===============================  ==============================  ===============================
list of lists, list of objects   one row each                    one row each
list of scalars                  **one row**                     **one row of one column each**
object of lists                  one column each                 one column each
object of scalars                one row                         one row
scalar                           one row of one column           one row of one column
===============================  ==============================  ===============================

A flat list is a feature vector on the way in and a list of predictions on the way out: that is what hand-written services
mean by it. A list that ``[*]`` gathered is no vector: it has one row each on both sides.

Several JSON paths, or one with a name, find a column each. Rows come from ``[*]`` alone: each item is one, columns with it have
as many, and a scalar found without it belongs to all of them. Without any ``[*]`` there is one row, and a list found is
part of it, as ``name[0]``, ``name[1]``, ... What a path doesn't find is missing; that no path finds anything is an error.

`agent.route_language` has the grammar.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agent.decode.any_json import parse
from agent.decode.block import SCALARS, Block, Row, block_of, table_of_columns, table_of_rows
from agent.decode.format import JSON, Format, Reader, by_body
from agent.decode.kserve_v1 import any_table
from agent.errors import DecodeError
from agent.route_language import Column, CustomRoute, Step, columns, json_path

MAX_ID = 256
"""Characters kept of an id, and of a model's name and version, that a message says."""


def format_of(route: CustomRoute) -> Format:
    """Make the format of a configured route that has `inputs`. Without a path to outputs, only the inputs are read."""
    says = {
        name: json_path(text)
        for name, text in (("id", route.id), ("model", route.model), ("version", route.version))
        if text.startswith("$")
    }
    inputs = {JSON: _reader(columns(route.inputs), says, flat_list_is_row=True)}
    return Format(
        "custom", inputs, {JSON: _reader(columns(route.outputs), says, flat_list_is_row=False)} if route.outputs else {}
    )


def _reader(paths: tuple[Column, ...], says: dict[str, tuple[Step, ...]], *, flat_list_is_row: bool) -> Reader:
    table = _columns(paths) if paths[0].name else _table(paths[0].steps, flat_list_is_row=flat_list_is_row)
    if not says:
        return by_body(lambda body: table(parse(body)))

    def read(body: bytes) -> Block:
        value = parse(body)
        return msgspec.structs.replace(table(value), **{name: _said(value, steps) for name, steps in says.items()})

    return by_body(read)


def _said(value: Any, steps: tuple[Step, ...]) -> str:
    try:
        said = _find(value, steps)
    except LookupError:
        return ""
    return str(said)[:MAX_ID] if type(said) is str or (type(said) is int and abs(said) < 1 << 64) else ""


def _table(steps: tuple[Step, ...], *, flat_list_is_row: bool) -> Callable[[Any], Block]:
    def read(value: Any) -> Block:
        try:
            found = _find(value, steps)
        except LookupError:
            raise DecodeError("custom", "path") from None
        if vector and type(found) is list and found and SCALARS.issuperset(map(type, found)):
            rows: list[Row] = [found]
            return table_of_rows(rows)
        return any_table(found)

    vector = flat_list_is_row and None not in steps
    return read


def _columns(paths: tuple[Column, ...]) -> Callable[[Any], Block]:
    def read(value: Any) -> Block:
        found: dict[str, Any] = dict.fromkeys(names)
        lost = 0
        for name, steps in paths:
            try:
                found[name] = _find(value, steps)
            except LookupError:
                lost += 1
        if lost == len(paths):
            raise DecodeError("custom", "path")
        if many:
            return table_of_columns(_repeated(found, many))
        values = tuple(found.values())
        return block_of(names, [values]) if SCALARS.issuperset(map(type, values)) else table_of_rows([found])

    names = tuple(column.name for column in paths)
    many = frozenset(name for name, steps in paths if None in steps)
    return read


def _repeated(found: dict[str, Any], many: frozenset[str]) -> dict[str, Any]:
    """Give scalars that belong to all rows to each of them."""
    rows = next((len(found[name]) for name in found if name in many and found[name] is not None), 0)
    alone = [value for name, value in found.items() if name not in many]
    if not SCALARS.issuperset(map(type, alone)):
        raise DecodeError("table", "shape")  # an array in each row would make of a small body as much as rows x columns
    return {name: value if name in many and value is not None else [value] * rows for name, value in found.items()}


def _find(value: Any, steps: tuple[Any, ...]) -> Any:
    """Follow a path of `Step`.

    Raises
    ------
    LookupError
        Nothing is there.
    """
    for place, step in enumerate(steps):
        if step is None:
            return _every(value, steps[place + 1 :])
        if type(value) is (dict if type(step) is str else list):
            value = value[step]
        else:
            raise KeyError(step)
    return value


def _every(items: Any, rest: tuple[Step, ...]) -> list[Any]:
    """Follow the rest of a path from each item; what an item lacks is missing, but that all lack it means the path is wrong."""
    if type(items) is not list:
        raise KeyError("[*]")
    deeper = None in rest
    found: list[Any] = []
    some = not items
    for item in items:
        try:
            value = _find(item, rest)
        except LookupError:
            if not deeper:
                found.append(None)
            continue
        some = True
        if deeper:
            found += value
        else:
            found.append(value)
    if not some:
        raise KeyError("[*]")
    return found
