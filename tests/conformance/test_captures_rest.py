"""Recorded traffic of KServe V1, MLflow and TorchServe, mixed and at once: one batch for each model, and nothing lost."""

from __future__ import annotations

import pytest

from agent.decode.decoder import Decoder
from tests.exchanges import CAPTURES, as_lists, captured

if not CAPTURES.is_dir():
    pytest.skip("part missing: recorded captures beside the repository", allow_module_level=True)

MLFLOW = ["iris_csv", "iris_dataframe_records", "iris_dataframe_split", "iris_inputs", "iris_instances"]
NAMES = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")
MATRIX = ([5.1, 6.7], [3.5, 3.0], [1.4, 5.2], [0.2, 2.3])


def test_the_five_ways_to_ask_mlflow_become_one_batch() -> None:
    result = Decoder().decode([captured(f"mlflow/{case}") for case in MLFLOW])
    (batch,) = result.batches
    assert (batch.format, batch.exchanges) == ("invocations", 5)
    assert as_lists(batch.inputs) == {name: values * 5 for name, values in zip(NAMES, MATRIX, strict=True)}
    assert as_lists(batch.outputs) == {"0": [0.0, 2.0] * 5}
    assert result.rows == {"invocations": 10}
    assert not result.unobserved | result.undecoded


def test_three_servers_at_once() -> None:
    cases = ["kserve/v1_iris_predict", "torchserve/predictions_iris", "torchserve/predictions_iris_version", "mlflow/iris_csv"]
    result = Decoder().decode([captured(case) for case in cases])
    assert [(batch.format, batch.model, batch.version) for batch in result.batches] == [
        ("kserve-v1", "iris", ""), ("torchserve", "iris", ""), ("torchserve", "iris", "1.0"), ("invocations", "", ""),
    ]  # fmt: skip
    assert all(list(as_lists(batch.inputs).values()) == list(MATRIX) for batch in result.batches)
    assert all(as_lists(batch.outputs) == {"0": [0.0, 2.0]} for batch in result.batches)


@pytest.mark.parametrize(
    "case",
    [
        "kserve/v1_iris_bad_json", "kserve/v1_iris_bad_shape", "kserve/v1_nomodel", "mlflow/iris_bad_json",
        "mlflow/iris_bad_schema", "torchserve/bad_json", "torchserve/nomodel",
    ],
)  # fmt: skip
def test_calls_that_the_server_refused_have_no_values(case: str) -> None:
    result = Decoder().decode([captured(case)])
    assert result.unobserved == {"status": 1}
    assert not result.batches
    assert not result.undecoded


@pytest.mark.parametrize(
    ("case", "route"),
    [
        ("kserve/v1_models", "/v1/models"),
        ("kserve/v1_iris_status", "/v1/models/{model}"),
        ("mlflow/ping", "/ping"),
        ("mlflow/version", "/version"),
        ("torchserve/ping", "/ping"),
        ("torchserve/management_models", "/models"),
        ("torchserve/predictions_iris_version", "/predictions/{model}/{version}"),
    ],
)
def test_routes(case: str, route: str) -> None:
    assert Decoder().decode([captured(case)]).routes == [route]
