"""Recorded gRPC calls of real servers: every call is read or counted, and answers are what the clients wrote down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.batch import Batch, TensorType
from agent.decode.decoder import Decoder
from tests.exchanges import CAPTURES, as_lists
from tests.grpc_captures import grpc_captured, grpc_cases

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

MATRIX = {"0": [5.1, 6.7], "1": [3.5, 3.0], "2": [1.4, 5.2], "3": [0.2, 2.3]}
SINGLE = {name: [float(np.float32(value)) for value in column] for name, column in MATRIX.items()}
TRITON_ANSWER = {
    "label": [0.0, 2.0],
    "probs[0]": [1.0, 0.0],
    "probs[1]": [0.0, 0.05000000074505806],
    "probs[2]": [0.0, 0.949999988079071],
}
MLSERVER_ANSWER = {
    "predict": [0.0, 2.0],
    "predict_proba[0]": [1.0, 0.0],
    "predict_proba[1]": [0.0, 0.05],
    "predict_proba[2]": [0.0, 0.95],
}
TRITON_TENSORS = ((("x", "FP32", (4,)),), (("label", "INT64", (1,)), ("probs", "FP32", (3,))))
MLSERVER_TENSORS = ((("predict", "FP64", (4,)),), (("predict", "INT64", (1,)), ("predict_proba", "FP64", (3,))))
ONE_ROW_EACH = ({"s": ["hello", "wörld"]}, {"out": ["HELLO", "WÖRLD"]})


def twice(columns: dict[str, list[float]]) -> dict[str, list[float]]:
    return {name: column * 2 for name, column in columns.items()}


READ: dict[str, tuple[str, str, tuple[str, ...], Any, Any, Any]] = {
    "kserve/grpc_iris_infer": (
        "iris", "", ("g-1",), MATRIX, {"predict": [0.0, 2.0]}, ((("x", "FP64", (4,)),), (("predict", "INT64", ()),)),
    ),
    "mlserver/grpc_iris_infer": ("iris", "v1", ("g-1",), MATRIX, MLSERVER_ANSWER, MLSERVER_TENSORS),
    "mlserver/grpc_iris_infer_gzip": ("iris", "v1", ("g-1",), MATRIX, MLSERVER_ANSWER, MLSERVER_TENSORS),
    # MLServer 1.7.1 answered two requests with one response.
    "mlserver/grpc_iris_stream_infer": (
        "iris", "v1", ("s0",), twice(MATRIX), {"predict": [0.0, 2.0]}, (MLSERVER_TENSORS[0], MLSERVER_TENSORS[1][:1]),
    ),
    "triton/grpc_iris_infer": ("iris", "1", ("g-1",), SINGLE, TRITON_ANSWER, TRITON_TENSORS),
    "triton/grpc_iris_infer_gzip": ("iris", "1", ("g-1",), SINGLE, TRITON_ANSWER, TRITON_TENSORS),
    "triton/grpc_iris_stream_infer": ("iris", "1", (), twice(SINGLE), twice(TRITON_ANSWER), TRITON_TENSORS),
    "triton/grpc_upper_bytes": ("upper", "1", (), *ONE_ROW_EACH, ((("s", "BYTES", (1,)),), (("out", "BYTES", (1,)),))),
}  # fmt: skip
"""Model, version, ids, inputs, outputs, tensors of both sides."""

FAILED = {
    "kserve/grpc_iris_stream_infer", "kserve/grpc_nomodel_infer", "mlserver/grpc_nomodel_infer", "triton/grpc_nomodel_infer",
}  # fmt: skip
"""Calls that ended with another status than OK."""

ACTIVITY = {f"{server}/grpc_iris_metadata" for server in ("kserve", "mlserver", "triton")}


def batch_of(case: str) -> Batch:
    (batch,) = Decoder().decode(grpc_captured(case)).batches
    return batch


def test_the_tables_are_those_of_the_captures() -> None:
    assert sorted([*READ, *FAILED, *ACTIVITY]) == grpc_cases()


@pytest.mark.parametrize("case", grpc_cases())
def test_every_call_is_read_or_counted(case: str) -> None:
    decoder = Decoder()
    calls = grpc_captured(case)
    result = decoder.decode(calls)
    assert "other" not in result.routes
    assert result.undecoded == {}
    assert result.unobserved == ({"status": 1} if case in FAILED else {})
    assert result.decoded == ({"open-inference": 1} if case in READ else {})
    assert repr(decoder.decode(calls)) == repr(result)


@pytest.mark.parametrize("case", READ)
def test_values(case: str) -> None:
    model, version, ids, inputs, outputs, (asked, answered) = READ[case]
    batch = batch_of(case)
    assert (batch.format, batch.model, batch.version, batch.ids) == ("open-inference", model, version, ids)
    assert as_lists(batch.inputs) == inputs
    assert as_lists(batch.outputs) == outputs
    assert batch.inputs.tensors == tuple(TensorType(*tensor) for tensor in asked)
    assert batch.outputs.tensors == tuple(TensorType(*tensor) for tensor in answered)


@pytest.mark.parametrize("path", sorted(CAPTURES.rglob("*.resp.pb")), ids=lambda path: f"{path.parent.name}/{path.name[:-8]}")
def test_answers_are_those_that_the_client_wrote_down(path: Any) -> None:
    """tritonclient's messages and numpy read the file; ours read the recorded bytes."""
    service_pb2 = pytest.importorskip("tritonclient.grpc").service_pb2
    answer = service_pb2.ModelInferResponse.FromString(path.read_bytes())
    batch = batch_of(f"{path.parent.name}/{path.name[:-8]}")
    written: list[list[float]] = []
    assert len(answer.outputs) > 0
    for place, output in enumerate(answer.outputs):
        flat = np.array(output.contents.int64_contents or output.contents.fp64_contents, dtype=float)
        if answer.raw_output_contents:
            flat = np.frombuffer(
                answer.raw_output_contents[place], {"INT64": "<i8", "FP32": "<f4", "FP64": "<f8"}[output.datatype]
            )
        written += flat.reshape(output.shape[0], -1).T.astype(float).tolist()
    assert [column.tolist() for column in batch.outputs.columns] == written
    assert (batch.model, batch.version, batch.ids) == (answer.model_name, answer.model_version, (answer.id,))
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in batch.outputs.tensors] == [
        (output.name, output.datatype, tuple(output.shape)[1:]) for output in answer.outputs
    ]
