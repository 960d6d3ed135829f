"""Recorded traffic of real servers: every exchange is read or counted, and the telling ones give just these columns."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.decoder import Decoder
from agent.spelling import CustomRoute
from tests.conformance.test_captures_grpc import READ as READ_OVER_GRPC
from tests.exchanges import CAPTURES, as_lists, captured, captured_cases
from tests.grpc_captures import grpc_cases

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

MATRIX = {"0": [5.1, 6.7], "1": [3.5, 3.0], "2": [1.4, 5.2], "3": [0.2, 2.3]}
NAMED = dict(
    zip(("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"), MATRIX.values(), strict=True)
)
SINGLE = {
    "0": [5.099999904632568, 6.699999809265137],
    "1": [3.5, 3.0],
    "2": [1.399999976158142, 5.199999809265137],
    "3": [0.20000000298023224, 2.299999952316284],
}
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

READ: dict[str, tuple[str, str, str, Any, Any]] = {
    "kserve/v1_iris_predict": ("kserve-v1", "iris", "", MATRIX, {"0": [0.0, 2.0]}),
    **{
        f"kserve/v2_iris_infer_{case}": ("open-inference", "iris", "", MATRIX, {"predict": [0.0, 2.0]})
        for case in ("curl", "curl_chunked", "curl_gzip_resp", "curl_nested", "expect100", "traceparent")
    },
    **{
        f"mlserver/v2_iris_{case}": ("open-inference", "iris", "v1", MATRIX, MLSERVER_ANSWER)
        for case in (
            "infer_curl", "infer_curl_chunked", "infer_curl_gzip_resp", "infer_curl_nested", "infer_curl_versioned",
            "infer_expect100", "infer_traceparent", "tritonhttp_json",
        )
    },
    **{
        f"triton/v2_iris_{case}": ("open-inference", "iris", "1", SINGLE, TRITON_ANSWER)
        for case in (
            "infer_curl", "infer_curl_chunked", "infer_curl_gzip_resp", "infer_curl_nested", "infer_curl_versioned",
            "infer_traceparent", "tritonhttp_json",
        )
    },
    "torchserve/predictions_iris": ("torchserve", "iris", "", MATRIX, {"0": [0.0, 2.0]}),
    "torchserve/predictions_iris_version": ("torchserve", "iris", "1.0", MATRIX, {"0": [0.0, 2.0]}),
    **{
        f"mlflow/iris_{case}": ("invocations", "", "", NAMED, {"0": [0.0, 2.0]})
        for case in ("csv", "dataframe_records", "dataframe_split", "inputs", "instances")
    },
    **{
        f"kserve/v2_iris_tritonhttp_{case}": ("open-inference", "iris", "", MATRIX, {"predict": [0.0, 2.0]})
        for case in ("binary", "binary_in_json_out")
    },
    **{
        f"triton/v2_iris_tritonhttp_{case}": ("open-inference", "iris", "1", SINGLE, TRITON_ANSWER)
        for case in ("binary", "binary_gzip", "binary_in_json_out")
    },
}  # fmt: skip
"""Format, model, version, inputs, outputs."""

FAILED = {
    "kserve/v1_iris_bad_json", "kserve/v1_iris_bad_shape", "kserve/v1_nomodel", "kserve/v2_iris_infer_bad_json",
    "kserve/v2_iris_infer_bad_shape", "kserve/v2_iris_tritonhttp_json", "kserve/v2_nomodel_infer", "mlflow/iris_bad_json",
    "mlflow/iris_bad_schema", "mlserver/v2_iris_infer_bad_json", "mlserver/v2_iris_infer_bad_shape",
    "mlserver/v2_iris_tritonhttp_binary", "mlserver/v2_iris_tritonhttp_binary_gzip",
    "mlserver/v2_iris_tritonhttp_binary_in_json_out", "mlserver/v2_nomodel_infer", "torchserve/bad_json", "torchserve/nomodel",
    "triton/v2_iris_infer_bad_json",
    "triton/v2_iris_infer_bad_shape", "triton/v2_nomodel_infer",
}  # fmt: skip
"""Calls of a model that the server refused."""

ROUTES = {
    "kserve/v1_iris_predict": "/v1/models/{model}:predict",
    "triton/v2_iris_infer_curl": "/v2/models/{model}/infer",
    "triton/v2_iris_infer_curl_versioned": "/v2/models/{model}/versions/{version}/infer",
    "mlflow/iris_csv": "/invocations",
    "torchserve/predictions_iris": "/predictions/{model}",
    "torchserve/predictions_iris_version": "/predictions/{model}/{version}",
}
ACTIVITY = {
    "health": "/health",
    "management_models": "/models",
    "metrics": "/metrics",
    "ping": "/ping",
    "v1_iris_status": "/v1/models/{model}",
    "v1_models": "/v1/models",
    "v2_iris_metadata": "/v2/models/{model}",
    "v2_iris_ready": "/v2/models/{model}/ready",
    "v2_iris_stats": "/v2/models/{model}/stats",
    "v2_live": "/v2/health/live",
    "v2_ready": "/v2/health/ready",
    "v2_repository_index": "/v2/repository/index",
    "v2_server_metadata": "/v2",
    "version": "/version",
}
"""What is no call of a model, whatever the server, and its route."""
CASES = [case for case in captured_cases() if not case.startswith("vllm/")]
OTHERS = sorted({*CASES} - READ.keys() - FAILED)


def test_every_file_has_its_place_in_a_table() -> None:
    """Those of vLLM and of gRPC are in tables of their own, which are checked there."""
    assert {*CASES} >= READ.keys() | FAILED
    assert {case.partition("/")[2] for case in OTHERS} == ACTIVITY.keys()
    files = {str(path.relative_to(CAPTURES)) for path in CAPTURES.glob("*/*")}
    cases = [*captured_cases(), *grpc_cases()]
    answers = {f"{case}.resp.pb" for case in READ_OVER_GRPC if case.endswith("grpc_iris_infer")}
    assert files == {f"{case}.{side}" for case in cases for side in ("req", "resp")} | answers


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_call_of_a_model_is_activity(case: str) -> None:
    result = Decoder().decode([captured(case)])
    assert (result.routes, result.batches) == ([ACTIVITY[case.partition("/")[2]]], [])
    assert (result.undecoded, result.unobserved) == ({}, {})


@pytest.mark.parametrize("case", CASES)
def test_every_capture_is_read_or_counted(case: str) -> None:
    decoder = Decoder()
    exchange = captured(case)
    result = decoder.decode([exchange])
    again = decoder.decode([exchange])
    assert len(result.routes) == 1
    assert result.routes != ["other"]
    assert result.undecoded == {}
    assert result.unobserved == ({"status": 1} if case in FAILED else {})
    assert len(result.batches) == (case in READ)
    assert repr(again) == repr(result)


@pytest.mark.parametrize("case", READ)
def test_values(case: str) -> None:
    wire, model, version, inputs, outputs = READ[case]
    result = Decoder().decode([captured(case)])
    (batch,) = result.batches
    assert (batch.format, batch.model, batch.version) == (wire, model, version)
    assert as_lists(batch.inputs) == inputs
    assert as_lists(batch.outputs) == outputs
    assert result.rows == {wire: 2}


@pytest.mark.parametrize("case", ROUTES)
def test_routes(case: str) -> None:
    assert Decoder().decode([captured(case)]).routes == [ROUTES[case]]


def test_torchserve_through_a_configured_route() -> None:
    route = CustomRoute("/predictions/{model}", "$.instances", "$.predictions")
    (batch,) = Decoder((route,)).decode([captured("torchserve/predictions_iris")]).batches
    assert batch.model == "iris"
    assert as_lists(batch.inputs) == MATRIX
    assert as_lists(batch.outputs) == {"0": [0.0, 2.0]}


def test_one_batch_for_all_curl_calls_of_a_server() -> None:
    cases = [case for case in READ if case.startswith("mlserver/")]
    (batch,) = Decoder().decode([captured(case) for case in cases]).batches
    assert batch.exchanges == len(cases)
    assert as_lists(batch.inputs) == {name: values * len(cases) for name, values in MATRIX.items()}
