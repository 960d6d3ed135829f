"""Bodies as SageMaker's own SDK and its containers' toolkit write them come out as they went in.

There is no server to start: an endpoint is a container that gets such bodies on ``/invocations``. The SDK wants an older
protobuf than ours, so its packages are in an environment of their own.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.batch import Side
from agent.decode.decoder import Decoder
from tests.exchanges import as_lists, exchange, request_bytes, response_bytes
from tests.integration.real.children import answering
from tests.integration.real.environments import SAGEMAKER

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

Rows = list[list[Any]]
Write = Callable[[str, str, str, Rows], tuple[str, bytes, Any]]

PATH = "/invocations"
MANY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Write]:
    """Ask the packages for the content type and the bytes of one side, and for what the other side reads of them."""
    python, log = SAGEMAKER.require(), tmp_path_factory.mktemp("sagemaker") / "bodies.log"
    # As a script: one of the packages brings a package `tests` of its own, which would hide ours.
    with answering([str(python), str(Path(__file__).with_name("sagemaker_bodies.py"))], log) as ask:

        def written(side: str, kind: str, form: str, rows: Rows) -> tuple[str, bytes, Any]:
            media, body, read = ask({"side": side, "kind": kind, "form": form, "rows": rows})
            return media, base64.b64decode(body), read

        yield written


numbers = st.floats(allow_nan=False) | st.integers(-(2**53), 2**53)
words = st.sampled_from(["x", "größer", "two words", "[1]"])
quoted = words | st.sampled_from(['a "b", c', "two\nlines"])


@st.composite
def tables(draw: st.DrawFn, *kinds: st.SearchStrategy[Any], one_row: bool = False) -> Rows:
    """Rows whose first column is numbers, for a first line of nothing but texts could be a CSV's header."""
    count = 1 if one_row else draw(st.integers(1, 5))
    columns = [numbers, *draw(st.lists(st.sampled_from(kinds), max_size=4))]
    return [list(row) for row in zip(*[draw(st.lists(kind, min_size=count, max_size=count)) for kind in columns], strict=True)]


def sides(question: tuple[str, bytes], answer: tuple[str, bytes]) -> tuple[Side, Side]:
    result = Decoder().decode([exchange(request_bytes(PATH, question[1], question[0]), response_bytes(answer[1], answer[0]))])
    assert not result.undecoded | result.unobserved
    (batch,) = result.batches
    return batch.inputs, batch.outputs


def inputs(media: str, body: bytes, rows: int) -> Side:
    return sides((media, body), ("application/json", json.dumps([0] * rows).encode()))[0]


def outputs(media: str, body: bytes) -> Side:
    return sides(("application/json", b"[[1, 2]]"), (media, body))[1]


def check(found: Side, rows: Rows, *, names: bool = False) -> None:
    width = len(rows[0])
    assert found.positional is not names
    assert found.names == tuple(f"{'c' if names else ''}{at}" for at in range(width))
    assert list(as_lists(found).values()) == [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("form", ["list", "tuples", "array", "frame"])
@MANY
@given(data=st.data())
def test_csv(write: Write, form: str, data: st.DataObject) -> None:
    rows = data.draw(tables(numbers) if form == "array" else tables(numbers, quoted, st.none() | numbers))
    media, body, _ = write("asked", "csv", form, rows)
    check(inputs(media, body, len(rows)), rows)


@MANY
@given(rows=tables(numbers, quoted, one_row=True), kind=st.sampled_from(["csv", "json"]))
def test_one_row_need_not_be_a_list_of_rows(write: Write, rows: Rows, kind: str) -> None:
    media, body, _ = write("asked", kind, "flat", rows)
    check(inputs(media, body, 1), rows)


@pytest.mark.parametrize("form", ["list", "tuples", "objects", "features", "instances", "array"])
@MANY
@given(data=st.data())
def test_json(write: Write, form: str, data: st.DataObject) -> None:
    rows = data.draw(tables(numbers) if form == "array" else tables(numbers, quoted, st.booleans(), st.none() | numbers))
    media, body, _ = write("asked", "json", form, rows)
    check(inputs(media, body, len(rows)), rows, names=form == "objects")


@pytest.mark.parametrize("form", ["list", "objects", "features"])
@MANY
@given(rows=tables(numbers, quoted, st.booleans(), st.none() | numbers))
def test_json_lines(write: Write, form: str, rows: Rows) -> None:
    media, body, _ = write("asked", "lines", form, rows)
    check(inputs(media, body, len(rows)), rows, names=form == "objects")


@MANY
@given(rows=tables(numbers), form=st.sampled_from(["list", "array"]))
def test_arrays(write: Write, rows: Rows, form: str) -> None:
    media, body, read = write("asked", "npy", form, rows)
    assert np.array_equal(np.array(read, float), np.array(rows, float))
    check(inputs(media, body, len(rows)), rows)


@pytest.mark.parametrize("kind", ["csv", "json", "npy"])
@MANY
@given(rows=tables(numbers))
def test_answers_as_the_client_reads_them(write: Write, kind: str, rows: Rows) -> None:
    media, body, read = write("answered", kind, "array", rows)
    check(outputs(media, body), np.array(read, float).tolist())
    check(outputs(media, body), rows)


@pytest.mark.parametrize("kind", ["csv", "json", "npy"])
@MANY
@given(values=st.lists(numbers, min_size=2, max_size=5))
def test_a_prediction_for_each_row(write: Write, kind: str, values: list[float]) -> None:
    media, body, read = write("answered", kind, "flat", [values])
    check(outputs(media, body), [[float(value)] for value in np.array(read).ravel()])
    check(outputs(media, body), [[value] for value in values])
