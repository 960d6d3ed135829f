from __future__ import annotations

import msgspec
import numpy as np
import pytest

from agent.demo import model
from agent.demo.server import rows_of_v1, rows_of_v2
from agent.demo.traffic import v1_request, v2_request

ROWS = np.random.default_rng(1).uniform(1, 200, (3, len(model.FEATURES))).round(2)
ROWS[:, model.FEATURES.index("sex")] = [1, 2, 0]
ROWS[1, model.FEATURES.index("bmi")] = np.nan


def test_what_the_client_writes_as_v1_the_server_reads() -> None:
    request = v1_request(ROWS)
    assert request.path == "/v1/models/diabetes:predict"
    np.testing.assert_array_equal(rows_of_v1(request.body), ROWS)


def test_what_the_client_writes_as_v2_the_server_reads() -> None:
    request = v2_request(ROWS, "7-1")
    assert request.path == "/v2/models/diabetes/infer"
    id_, rows = rows_of_v2(request.body)
    assert id_ == "7-1"
    np.testing.assert_array_equal(rows, ROWS)


def test_codes_travel_as_integers_and_missing_values_as_null() -> None:
    v1 = msgspec.json.decode(v1_request(ROWS).body)
    assert v1["instances"][0][1] == 1
    assert isinstance(v1["instances"][0][1], int)
    assert v1["instances"][1][2] is None
    v2 = {tensor["name"]: tensor for tensor in msgspec.json.decode(v2_request(ROWS, "").body)["inputs"]}
    assert v2["sex"] == {"name": "sex", "shape": [3], "datatype": "INT64", "data": [1, 2, 0]}
    assert v2["bmi"]["datatype"] == "FP64"
    assert v2["bmi"]["data"][1] is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"instances":[]}', b'{"instances":[[1,2]]}', b'{"instances":[[1],[1,2]]}'])
def test_bad_v1_bodies_are_refused(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        rows_of_v1(body)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"inputs":[]}', b'{"inputs":[{"name":"age","shape":[1],"datatype":"FP64","data":[1]}]}']
)
def test_bad_v2_bodies_are_refused(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        rows_of_v2(body)
