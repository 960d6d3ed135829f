"""Calls as MLflow's own client writes them come out as they went in, and as MLflow's own server would have read them."""

from __future__ import annotations

import io
import json
import math
import os
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.batch import Side
from agent.decode.decoder import Decoder
from tests.exchanges import as_lists, exchange, request_bytes, response_bytes

requests: Any = pytest.importorskip("requests", reason="part missing: requests, which MLflow's client sends with")
pandas: Any = pytest.importorskip("pandas", reason="part missing: pandas")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # else it tells its makers of its use
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own type hints
    server: Any = pytest.importorskip("mlflow.pyfunc.scoring_server", reason="part missing: mlflow-skinny, MLflow's own client")
    client: Any = pytest.importorskip("mlflow.pyfunc.scoring_server.client", reason="part missing: mlflow-skinny")

SMALL = settings(max_examples=60, deadline=None)
numbers = st.floats(allow_nan=True, allow_infinity=True)
integers = st.integers(-(2**53), 2**53)
# Line ends, which pandas writes as they are and the csv module turns, are of CSV alone; texts for missing are pandas' own.
words = st.sampled_from(["x", "größer", 'a "b", c', "[1]", "{}", "two words"])
kinds = [numbers, integers, words, st.booleans(), st.none() | words, st.none() | st.booleans()]
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@st.composite
def frames(draw: st.DrawFn, named: st.SearchStrategy[str] = names, cells: Any = kinds) -> Any:
    """A table of pandas, each column of a kind of its own."""
    count = draw(st.integers(1, 5))
    columns = draw(st.lists(named, min_size=1, max_size=4, unique=True))
    values = [draw(st.lists(draw(st.sampled_from(cells)), min_size=count, max_size=count)) for _ in columns]
    return pandas.DataFrame(dict(zip(columns, values, strict=True)), columns=columns)


def sent(data: Any, params: Any = None) -> bytes:
    """The bytes that MLflow's client would send."""
    kept: list[Any] = []

    def keep(_adapter: Any, request: Any, **_how: Any) -> Any:
        kept.append(request)
        answer = requests.Response()
        answer.status_code, answer.raw = 200, io.BytesIO(b'{"predictions": [0]}')
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", keep)
        client.ScoringServerClient("127.0.0.1", 1).invoke(data, params)
    (request,) = kept
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    body = request.body.encode() if isinstance(request.body, str) else request.body
    return f"{request.method} {request.path_url} HTTP/1.1\r\n{fields}\r\n".encode() + body


def answered(predictions: Any, metadata: Any = None) -> bytes:
    """The body that MLflow's server would answer."""
    text = io.StringIO()
    server.predictions_to_json(predictions, text, metadata)
    return text.getvalue().encode()


def sides(request: bytes, answer: bytes) -> tuple[Side, Side]:
    result = Decoder().decode([exchange(request, response_bytes(answer))])
    assert not result.undecoded | result.unobserved
    (batch,) = result.batches
    assert batch.format == "invocations"
    return batch.inputs, batch.outputs


def plain(value: Any) -> Any:
    """A cell as it must come out: numbers are float64, NaN is missing, booleans stay themselves."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | float | np.number):
        return None if math.isnan(value) else float(value)
    return None if value is pandas.NaT else value


def cells(frame: Any) -> dict[str, list[Any]]:
    return {str(name): [plain(value) for value in frame[name].tolist()] for name in frame.columns}


def check(found: Side, frame: Any) -> None:
    expected = cells(frame)
    assert found.rows == len(frame)
    assert repr(as_lists(found)) == repr(expected)  # as text, so that True is no 1.0


@SMALL
@given(frames(), st.none() | st.dictionaries(names, numbers, max_size=2))
def test_tables_of_pandas(frame: Any, params: Any) -> None:
    inputs, _ = sides(sent(frame, params), answered(np.zeros(len(frame))))
    check(inputs, frame)


@SMALL
@given(st.integers(1, 5), st.integers(1, 4), st.data(), st.booleans())
def test_arrays(rows: int, width: int, data: st.DataObject, as_list: bool) -> None:
    kind = data.draw(st.sampled_from([numbers, integers, st.booleans(), words]))
    row = st.lists(kind, min_size=width, max_size=width)
    array = np.array(data.draw(st.lists(row, min_size=rows, max_size=rows)))
    inputs, outputs = sides(sent(array.tolist() if as_list else array), answered(array))
    for found in (inputs, outputs):
        assert found.positional
        check(found, pandas.DataFrame(array))


@SMALL
@given(frames(), st.sampled_from(["dataframe_split", "dataframe_records", "inputs", "instances"]))
def test_what_its_server_reads_of_each_shape(frame: Any, shape: str) -> None:
    """`infer_and_parse_data` is what the server gives its model."""
    orient = {"dataframe_split": "split", "inputs": "list"}.get(shape, "records")
    asked = {shape: frame.to_dict(orient=orient)}
    theirs = server.infer_and_parse_data(json.loads(json.dumps(asked)))
    read = pandas.DataFrame({name: np.ravel(values) for name, values in theirs.items()}) if type(theirs) is dict else theirs
    inputs, _ = sides(request_bytes("/invocations", json.dumps(asked).encode()), answered([0] * len(frame)))
    assert inputs.names == tuple(map(str, read.columns))
    check(inputs, frame)


# A name that is a number or a word for missing would be a row: without a header CSV looks the same.
csv_names = st.sampled_from(["age", "größe", 'a "b", c', "two words", "x-1", "[y]"])


@SMALL
@given(frames(csv_names, [numbers.filter(math.isfinite), integers, words, st.booleans()]))
def test_csv_as_pandas_writes_it_and_its_server_reads_it(frame: Any) -> None:
    text = frame.to_csv(index=False)
    theirs = server.parse_csv_input(io.StringIO(text))
    answer = answered([0] * len(frame))
    inputs, _ = sides(request_bytes("/invocations", text.encode(), "text/csv"), answer)
    check(inputs, theirs)
    check(inputs, frame)


@SMALL
@given(frames(), st.sampled_from(["frame", "series", "values", "flat", "list"]), st.booleans())
def test_answers_as_its_client_reads_them(frame: Any, form: str, traced: bool) -> None:
    first = frame[frame.columns[0]]
    made = {
        "frame": frame, "series": first, "values": frame.to_numpy(), "flat": first.to_numpy(), "list": first.tolist(),
    }[form]  # fmt: skip
    answer = answered(made, {"databricks_output": {"trace": None}} if traced else None)
    _, outputs = sides(sent(np.zeros((len(frame), 1))), answer)
    theirs = client.PredictionsResponse.from_json(answer.decode()).get_predictions()
    check(outputs, theirs)
