"""TensorFlow Serving over gRPC: Predict, Classify, Regress and MultiInference of ``tensorflow.serving.PredictionService``.

Predict carries tensors by name both ways, see `agent.decode.tensorflow_tensor`. Names in a map have no order on the wire, so
columns are sorted by name; beyond that, columns follow the rules of `agent.decode.tensors`. A tensor without dimensions beside
others with rows, such as a flag, belongs to every row.

The others ask with Examples: a row each, a column for each feature; one whose rows don't all have a single value becomes
``name[0]``, ``name[1]``, .... Features of the context are in every row. They answer with:

- Classify, as over REST: ``label``, the one with the highest score, and each class's score as ``scores.<label>``; only
  ``scores[0]``, ``scores[1]``, ... where labels don't tell the classes apart.
- Regress, as over REST: one column by position.
- MultiInference: ``label``, ``scores`` and ``value``, with the signature's name in front, or the result's place where signatures
  don't tell results apart.

Sources: tensorflow/serving ``apis/*.proto``, tensorflow/tensorflow ``core/example/*.proto``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from agent.decode.block import (
    MAX_COLUMNS,
    MAX_FLATTENED,
    MAX_PADDED_CELLS,
    MAX_REPEATED_CELLS,
    Block,
    NotObserved,
    Scalar,
    pack_flat,
    table_of_rows,
)
from agent.decode.format import GRPC, Format
from agent.decode.grpc_messages import by_message, parser
from agent.decode.proto.tensorflow_serving_pb2 import (
    ClassificationResponse,
    ClassificationResult,
    Example,
    ExamplesRequest,
    Feature,
    Input,
    ModelSpec,
    MultiInferenceRequest,
    MultiInferenceResponse,
    PredictRequest,
    PredictResponse,
    RegressionResponse,
    RegressionResult,
    TensorProto,
)
from agent.decode.tensorflow_tensor import NAME, part_of
from agent.decode.tensors import Part, block_of_columns, text_of
from agent.errors import DecodeError

MAX_EXAMPLES = 1 << 17
"""Examples or results in one message. Empty ones take two bytes on the wire and hundreds here; those with a value are longer."""

_parse_predict_request = parser(PredictRequest)
_parse_predict_response = parser(PredictResponse)
_parse_examples = parser(ExamplesRequest)
_parse_classification = parser(ClassificationResponse)
_parse_regression = parser(RegressionResponse)
_parse_tasks = parser(MultiInferenceRequest)
_parse_results = parser(MultiInferenceResponse)


def read_predict_inputs(message: bytes) -> Block:
    """Read a PredictRequest.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide``.
    DecodeError
        ``protobuf``, ``too_many_fields``, ``datatype``, ``size`` where the content doesn't fill the shape, ``shape``,
        ``too_many_rows``, ``too_many_values``, ``too_many_columns``, ``duplicate_names``, ``name_too_long``.
    """
    request = _parse_predict_request(message)
    return _tensors(request.inputs, request.model_spec)


def read_predict_outputs(message: bytes) -> Block:
    """Read a PredictResponse. Errors as `read_predict_inputs`."""
    response = _parse_predict_response(message)
    return _tensors(response.outputs, response.model_spec)


def _tensors(tensors: Mapping[str, TensorProto], spec: ModelSpec) -> Block:
    if len(tensors) > MAX_COLUMNS:
        raise DecodeError(NAME, "too_many_columns")
    scalars: list[int] = []
    parts: list[Part] = []
    for name in sorted(tensors):
        tensor = tensors[name]
        if not tensor.tensor_shape.dim:
            scalars.append(len(parts))
        parts.append(part_of(name, tensor))
    if 0 < len(scalars) < len(parts):
        _repeat(parts, scalars)
    return block_of_columns(parts, _version(spec), spec.name)


def _repeat(parts: list[Part], scalars: list[int]) -> None:
    """Give tensors without dimensions the rows of the others."""
    rows = max(rows for _, rows, _ in parts)
    if rows * len(scalars) > MAX_PADDED_CELLS:
        raise DecodeError(NAME, "too_many_values")
    for place in scalars:
        kind, _, values = parts[place]
        parts[place] = kind, rows, np.repeat(values, rows) if isinstance(values, np.ndarray) else [values[0]] * rows


def read_examples(message: bytes) -> Block:
    """Read a ClassificationRequest or a RegressionRequest.

    Raises
    ------
    NotObserved
        ``no_rows``, ``too_wide``.
    DecodeError
        ``protobuf``, ``too_many_fields``, ``too_many_rows``, and as `table_of_rows`.
    """
    request = _parse_examples(message)
    return _examples(request.input, request.model_spec)


def read_multi_inference_inputs(message: bytes) -> Block:
    """Read a MultiInferenceRequest: the model is that of the first task. Errors as `read_examples`."""
    request = _parse_tasks(message)
    return _examples(request.input, request.tasks[0].model_spec if request.tasks else ModelSpec())


def _examples(given: Input, spec: ModelSpec) -> Block:
    if given.WhichOneof("kind") == "example_list_with_context":
        examples: Sequence[Example] = given.example_list_with_context.examples
        context = _features(given.example_list_with_context.context)
    else:
        examples, context = given.example_list.examples, {}
    _check_count(examples)
    if sum([len(values) or 1 for values in context.values()]) * len(examples) > MAX_REPEATED_CELLS:
        raise DecodeError(NAME, "too_many_values")
    rows = [context | _features(example) for example in examples]
    several = {name for row in rows for name, values in row.items() if len(values) > 1}
    return _named([{name: _value(name in several, row[name]) for name in sorted(row)} for row in rows], spec)


def _value(as_list: bool, values: Sequence[Scalar]) -> Any:
    if as_list:
        return values
    return values[0] if values else None


def _features(example: Example) -> dict[str, Sequence[Scalar]]:
    return {name: _feature(feature) for name, feature in example.features.feature.items()}


def _feature(feature: Feature) -> Sequence[Scalar]:
    kind = feature.WhichOneof("kind")
    if kind == "float_list":
        return list(feature.float_list.value[:])
    if kind == "int64_list":
        return list(feature.int64_list.value[:])
    return [text_of(value) for value in feature.bytes_list.value]


def read_classes(message: bytes) -> Block:
    """Read a ClassificationResponse. Errors as `read_examples`."""
    response = _parse_classification(message)
    return _named(_class_rows(response.result), response.model_spec)


def _class_rows(result: ClassificationResult) -> list[dict[str, Any]]:
    _check_count(result.classifications)
    rows: list[dict[str, Any]] = []
    for classification in result.classifications:
        if len(classification.classes) > MAX_FLATTENED:
            raise NotObserved(NAME, "too_wide")
        classes = [(one.label, one.score) for one in classification.classes]
        labels = {label for label, _ in classes}
        row: dict[str, Any] = {"scores": [score for _, score in classes]}
        if classes and "" not in labels and len(labels) == len(classes):
            row = {"label": max(classes, key=lambda one: one[1])[0], "scores": dict(classes)}
        rows.append(row)
    return rows


def read_values(message: bytes) -> Block:
    """Read a RegressionResponse. Errors as `read_examples`."""
    response = _parse_regression(message)
    regressions = response.result.regressions
    _check_count(regressions)
    if not regressions:
        raise NotObserved(NAME, "no_rows")
    values = pack_flat([regression.value for regression in regressions])
    spec = response.model_spec
    return Block(1, True, len(regressions), values, _version(spec), spec.name)


def _value_rows(result: RegressionResult) -> list[dict[str, Any]]:
    _check_count(result.regressions)
    return [{"value": regression.value} for regression in result.regressions]


def read_multi_inference_outputs(message: bytes) -> Block:
    """Read a MultiInferenceResponse. Errors as `read_examples`; ``shape`` where results have different rows."""
    results = _parse_results(message).results
    if not results:
        raise NotObserved(NAME, "no_rows")
    if len(results) > MAX_COLUMNS:
        raise DecodeError(NAME, "too_many_columns")
    signatures = Counter(result.model_spec.signature_name for result in results)
    columns: dict[str, list[dict[str, Any]]] = {}
    for place, result in enumerate(results):
        is_classes = result.WhichOneof("result") == "classification_result"
        rows = _class_rows(result.classification_result) if is_classes else _value_rows(result.regression_result)
        signature = result.model_spec.signature_name
        columns[signature if signature and signatures[signature] == 1 else str(place)] = rows
    if len({len(rows) for rows in columns.values()}) > 1:
        raise DecodeError(NAME, "shape")
    together = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return _named(together, results[0].model_spec)


def _check_count(messages: Sequence[object]) -> None:
    if len(messages) > MAX_EXAMPLES:
        raise DecodeError(NAME, "too_many_rows")


def _named(rows: list[dict[str, Any]], spec: ModelSpec) -> Block:
    return msgspec.structs.replace(table_of_rows(rows), version=_version(spec), model=spec.name)


def _version(spec: ModelSpec) -> str:
    """Give a model's version, or the label that stands for it."""
    return str(spec.version.value) if spec.HasField("version") else spec.version_label


PREDICT = Format(NAME, {GRPC: by_message(read_predict_inputs)}, {GRPC: by_message(read_predict_outputs)})

CLASSIFY = Format(NAME, {GRPC: by_message(read_examples)}, {GRPC: by_message(read_classes)})

REGRESS = Format(NAME, {GRPC: by_message(read_examples)}, {GRPC: by_message(read_values)})

MULTI_INFERENCE = Format(NAME, {GRPC: by_message(read_multi_inference_inputs)}, {GRPC: by_message(read_multi_inference_outputs)})
