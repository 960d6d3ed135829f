"""Where in a body the values are, told from what it looks like and from what its keys are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.route_language import Column, Step, column_text, path_text
from agent.suggest.shape import Shape

_ROWS = ("instances", "inputs", "rows", "records", "data", "features", "samples", "examples", "items", "batch", "input", "x")
_ANSWERS = (
    "predictions", "outputs", "scores", "results", "probabilities", "prediction", "output", "score", "result", "probability",
    "label", "labels", "data", "y",
)  # fmt: skip
_IDS = ("id", "request_id", "requestId", "requestID", "uuid", "trace_id", "transaction_id", "correlation_id", "puid")
_MODELS = ("model", "model_name", "modelName", "model_id")
_VERSIONS = ("version", "model_version", "modelVersion")
_ASIDE = (
    "parameters", "params", "options", "config", "settings", "metadata", "meta", "headers", "context", "stream", "status",
    "message", "detail", "success", "ok", "error", "errors", "latency", "latency_ms", "duration", "duration_ms", "took",
    "timestamp", "time", "created", "created_at",
)  # fmt: skip
"""Keys beside the values: they are left out where there is anything else."""


@dataclass
class Choice:
    """What was found in one body."""

    columns: str = ""
    """As it is written behind ``inputs=`` or ``outputs=``; empty where nothing was found."""
    words: dict[str, str] = field(default_factory=dict)
    """Other words of the route: ``id``, ``model``, ``version``."""
    notes: list[str] = field(default_factory=list)
    """What was found and why, and what can't be known."""


def known_format(request: Shape, response: Shape) -> str:
    """Name the format that a call's keys are those of, or empty."""
    fields, answers = request.fields, response.fields
    inputs = fields.get("inputs")
    if inputs is not None and inputs.items is not None and {"name", "shape", "datatype"} <= inputs.items.fields.keys():
        return "open-inference"
    if fields.keys() & {"dataframe_split", "dataframe_records"}:
        return "invocations"
    messages = fields.get("messages")
    if messages is not None and messages.items is not None and {"role", "content"} <= messages.items.fields.keys():
        return "openai-chat" if not answers or "choices" in answers else ""
    if {"prompt", "max_tokens"} <= fields.keys():
        return "openai-completions" if not answers or "choices" in answers else ""
    return "kserve-v1" if "instances" in fields and (not answers or "predictions" in answers) else ""


def choose_inputs(shape: Shape) -> Choice:
    """Choose what to read of a request."""
    return _choose(shape, (), _ROWS, Choice(), is_input=True)


def choose_outputs(shape: Shape) -> Choice:
    """Choose what to read of a response."""
    return _choose(shape, (), _ANSWERS, Choice(), is_input=False)


def _choose(shape: Shape, steps: tuple[Step, ...], names: tuple[str, ...], choice: Choice, *, is_input: bool) -> Choice:
    path = path_text(steps)
    if shape.kind == "object" and shape.fields:
        return _choose_fields(shape.fields, steps, names, choice, is_input=is_input)
    if shape.kind == "file":
        choice.notes.append(f"{path} is a file: it is not read")
        return choice
    choice.columns = path
    choice.notes.append(f"{path} {_meaning(shape, is_input=is_input)}")
    return choice


def _choose_fields(
    fields: Mapping[str, Shape], steps: tuple[Step, ...], names: tuple[str, ...], choice: Choice, *, is_input: bool
) -> Choice:
    values = _without_identity(fields, steps, choice)
    values = {key: shape for key, shape in values.items() if shape.kind != "file" and _can_be_written(key)}
    if any(key not in _ASIDE for key in values):
        values = {key: shape for key, shape in values.items() if key not in _ASIDE}
    lists = {key: shape for key, shape in values.items() if shape.is_table} or {
        key: shape for key, shape in values.items() if shape.kind == "list" and key in names
    }
    used = set(values)
    whole = values.keys() == fields.keys()
    if lists or len(values) == 1:
        key = next((name for name in names if name in lists), next(iter(lists or values)))
        used = {key}
        _choose(values[key], (*steps, key), names, choice, is_input=is_input)
    elif not values:
        choice.notes.append(f"{path_text(steps)} holds nothing to read")
    elif whole and all(shape.is_scalar for shape in values.values()):
        choice.columns = path_text(steps)
        choice.notes.append(f"{choice.columns} is an object of single values: one row, columns {', '.join(values)}")
    elif whole and all(shape.is_vector for shape in values.values()):
        choice.columns = path_text(steps)
        choice.notes.append(f"{choice.columns} is an object of lists: a column each, {', '.join(values)}")
    else:
        choice.columns = ",".join(column_text(Column("", (*steps, key))) for key in values)
        choice.notes.append(f"one row of {', '.join(values)}; lists and objects among them become several columns each")
    said = set(choice.words.values())
    left = [key for key in fields if key not in used and path_text((*steps, key)) not in said]
    if left:
        choice.notes.append(f"left out: {', '.join(left)}")
    texts = [key for key, shape in values.items() if shape.kind == "text"]
    if is_input and used.intersection(texts):
        choice.notes.append(f"text in {', '.join(texts)}: watched as categories if it repeats")
    return choice


def _can_be_written(key: str) -> bool:
    return bool(key) and key.isprintable() and not {"'", '"'} <= set(key)


def _without_identity(fields: Mapping[str, Shape], steps: tuple[Step, ...], choice: Choice) -> dict[str, Shape]:
    """Take out what names the request or the model, as long as something else is left."""
    values = dict(fields)
    for word, keys in (("id", _IDS), ("model", _MODELS), ("version", _VERSIONS)):
        found = next((key for key in keys if key in values and values[key].is_scalar), "")
        if found and len(values) > 1:
            del values[found]
            choice.words[word] = path_text((*steps, found))
    return values


def _meaning(shape: Shape, *, is_input: bool) -> str:
    if shape.items is None:
        if shape.is_scalar:
            return "is one value: one row of one column"
        return "is not described: what comes is told from the values; a sample of a call would show it"
    items = shape.items
    if items.kind == "object":
        return "is a list of objects: one row each" + (f", columns {', '.join(items.fields)}" if items.fields else "")
    if items.kind == "list":
        return "is a list of lists: one row each, columns by position"
    if items.is_scalar:
        return "is a list of single values: one row" if is_input else "is a list of single values: one row each"
    return "is a list, of what is not described; a sample of a call would show it"
