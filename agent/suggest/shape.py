"""What JSON looks like: told from a value, or from a JSON Schema as OpenAPI documents hold it.

Servers that are written in Python print what pydantic makes of their types (OpenAPI 3.1, JSON Schema 2020-12). BentoML adds
three types of its own: ``tensor``, ``dataframe`` and ``file``. Swagger 2 and OpenAPI 3.0 differ in what doesn't matter here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

MAX_DEPTH = 12
"""What is deeper is not looked at."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value looks like.

    Parameters
    ----------
    kind
        ``number`` (booleans too), ``text``, ``list``, ``object``, ``file``, or ``unknown``.
    items
        Of a list: what its items look like.
    fields
        Of an object: what its values look like, by key. Empty where the keys aren't said.
    """

    kind: str
    items: Shape | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def is_scalar(self) -> bool:
        """Whether it is one value."""
        return self.kind in ("number", "text")

    @property
    def is_table(self) -> bool:
        """Whether it is a list of rows."""
        return self.items is not None and self.items.kind in ("list", "object")

    @property
    def is_vector(self) -> bool:
        """Whether it is a list of scalars."""
        return self.items is not None and self.items.is_scalar


UNKNOWN = Shape("unknown")
NUMBER = Shape("number")
TEXT = Shape("text")

_SCALARS = {"number": NUMBER, "integer": NUMBER, "boolean": NUMBER, "string": TEXT}


def shape_of_value(value: Any, depth: int = 0) -> Shape:
    """Tell what a value looks like; a list after its first item."""
    if depth > MAX_DEPTH or value is None:
        return UNKNOWN
    if isinstance(value, str):
        return TEXT
    if isinstance(value, list):
        return Shape("list", shape_of_value(value[0], depth + 1) if value else UNKNOWN)
    if isinstance(value, dict):
        return Shape("object", fields={key: shape_of_value(item, depth + 1) for key, item in value.items()})
    return NUMBER


def shape_of_schema(schema: Any, document: Any, inside: tuple[str, ...] = ()) -> Shape:
    """Tell what fits a schema; of several alternatives the first that says something.

    `inside` are the references that led here: what holds itself is not known beyond that.
    """
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    schema = resolved(schema, document)
    if reference in inside or len(inside) > MAX_DEPTH or not schema:
        return UNKNOWN
    inside = (*inside, reference) if isinstance(reference, str) else inside
    if "allOf" in schema:
        parts = [shape_of_schema(part, document, inside) for part in _list(schema["allOf"])]
        own = shape_of_schema({key: value for key, value in schema.items() if key != "allOf"}, document, inside)
        fields = {key: shape for part in (*parts, own) for key, shape in part.fields.items()}
        known = [part for part in parts if part.kind != "unknown"]
        return Shape("object", fields=fields) if fields else known[0] if known else own
    for word in ("anyOf", "oneOf"):
        shapes = [shape_of_schema(each, document, inside) for each in _list(schema.get(word))]
        known = [shape for shape in shapes if shape.kind != "unknown"]
        if known:
            return known[0]
    return _typed(schema, document, inside)


def _typed(schema: Mapping[str, Any], document: Any, inside: tuple[str, ...]) -> Shape:  # noqa: PLR0911 - a kind each
    kinds = [kind for kind in _list(schema.get("type")) if kind != "null"]
    kind = kinds[0] if kinds else None
    if kind == "string" and schema.get("format") == "binary":
        return Shape("file")
    if kind == "object" or (kind is None and "properties" in schema):
        properties = schema.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        return Shape("object", fields={key: shape_of_schema(each, document, inside) for key, each in properties.items()})
    if kind == "array" or (kind is None and ("items" in schema or "prefixItems" in schema)):
        first = _list(schema.get("prefixItems"))[:1] or [schema.get("items")]
        return Shape("list", shape_of_schema(first[0], document, inside))
    if kind == "tensor":
        rank = len(_list(schema.get("shape"))) or 2
        return Shape("list", NUMBER if rank == 1 else Shape("list", NUMBER))
    if kind == "dataframe":
        names = [name for name in _list(schema.get("columns")) if isinstance(name, str)]
        if schema.get("orient") == "columns":
            return Shape("object", fields={name: Shape("list", NUMBER) for name in names})
        return Shape("list", Shape("object", fields=dict.fromkeys(names, NUMBER)))
    if kind == "file":
        return Shape("file")
    if isinstance(kind, str) and kind in _SCALARS:
        return _SCALARS[kind]
    choices = _list(schema.get("enum")) or ([schema["const"]] if "const" in schema else [])
    return shape_of_value(choices[0]) if choices else UNKNOWN


def resolved(schema: Any, document: Any) -> dict[str, Any]:
    """Follow references within the document, ``#/components/schemas/Row``; empty where they lead nowhere."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = document if reference.startswith("#/") else None
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            schema = schema.get(key) if isinstance(schema, dict) else None
    return {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
