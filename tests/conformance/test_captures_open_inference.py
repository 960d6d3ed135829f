"""Recorded Open Inference calls over HTTP: ids, datatypes and shapes besides the values that `test_captures` checks."""

from __future__ import annotations

import pytest

from agent.batch import TensorType
from agent.decode.decoder import Decoder
from tests.exchanges import CAPTURES, as_lists, captured, captured_cases

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

CURL = (
    "infer_curl", "infer_curl_chunked", "infer_curl_gzip_resp", "infer_curl_nested", "infer_curl_versioned", "infer_expect100",
    "infer_traceparent",
)  # fmt: skip
TRITON_CLIENT = ("tritonhttp_json", "tritonhttp_binary", "tritonhttp_binary_gzip", "tritonhttp_binary_in_json_out")

TYPES: dict[str, tuple[TensorType, tuple[TensorType, ...]]] = {
    "kserve": (TensorType("x", "FP64", (4,)), (TensorType("predict", "INT64", ()),)),
    "mlserver": (
        TensorType("predict", "FP64", (4,)),
        (TensorType("predict", "INT64", (1,)), TensorType("predict_proba", "FP64", (3,))),
    ),
    "triton": (TensorType("x", "FP32", (4,)), (TensorType("label", "INT64", (1,)), TensorType("probs", "FP32", (3,)))),
}
"""What each server's clients sent, and what it answered."""

CASES = [
    f"{server}/v2_iris_{case}"
    for server in TYPES
    for case in (*CURL, *TRITON_CLIENT)
    if f"{server}/v2_iris_{case}" in captured_cases()
]
REFUSED = {
    "kserve/v2_iris_tritonhttp_json",
    *(f"mlserver/v2_iris_tritonhttp_{case}" for case in ("binary", "binary_gzip", "binary_in_json_out")),
}
"""Calls that the server answered with a 4xx."""


def test_the_cases_are_there() -> None:
    assert len(CASES) == 30
    assert set(CASES) > REFUSED


@pytest.mark.parametrize("case", sorted(set(CASES) - REFUSED))
def test_ids_datatypes_and_shapes(case: str) -> None:
    (batch,) = Decoder().decode([captured(case)]).batches
    asked, answered = TYPES[case.partition("/")[0]]
    assert batch.ids == ("tc-1" if "tritonhttp" in case else "req-1",)
    assert batch.inputs.tensors == (asked,)
    assert batch.outputs.tensors == answered


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_the_server_refused_is_not_observed(case: str) -> None:
    result = Decoder().decode([captured(case)])
    assert (result.batches, result.unobserved, result.undecoded) == ([], {"status": 1}, {})


def test_raw_and_plain_tensors_of_one_client_are_one_batch() -> None:
    cases = [f"triton/v2_iris_{case}" for case in TRITON_CLIENT]
    (batch,) = Decoder().decode([captured(case) for case in cases]).batches
    assert batch.exchanges == 4
    assert batch.ids == ("tc-1",) * 4
    one = as_lists(Decoder().decode([captured(cases[0])]).batches[0].inputs)
    assert as_lists(batch.inputs) == {name: values * 4 for name, values in one.items()}
