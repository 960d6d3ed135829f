"""Messages as MLServer's own codecs write them come out as they went in: every content type, as JSON and over gRPC."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.batch import Side
from agent.decode.decoder import Decoder
from agent.exchange import Exchange
from tests.exchanges import as_lists, json_exchange
from tests.grpc_captures import grpc_exchange
from tests.integration.real.children import answering
from tests.integration.real.environments import MLSERVER

pytestmark = pytest.mark.timeout(1200)  # the first time, its environment is installed

Columns = dict[str, list[Any]]
Write = Callable[[str, Columns], dict[str, list[bytes]]]

MANY = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORMS = ("json", "typed", "raw")


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Write]:
    """Have the codecs write columns: request and answer in each form."""
    log = tmp_path_factory.mktemp("codecs") / "bodies.log"
    with answering([str(MLSERVER.require()), "-m", "tests.integration.real.mlserver_bodies"], log) as ask:

        def written(kind: str, columns: Columns) -> dict[str, list[bytes]]:
            found = ask({"kind": kind, "columns": columns})
            return {form: [base64.b64decode(body) for body in bodies] for form, bodies in found.items()}

        yield written


def call(form: str, bodies: list[bytes]) -> Exchange:
    if form == "json":
        return json_exchange("/v2/models/m/infer", *bodies)
    return grpc_exchange("ModelInfer", *[struct.pack(">BI", 0, len(body)) + body for body in bodies])


def sides(form: str, bodies: list[bytes]) -> list[Side]:
    result = Decoder().decode([call(form, bodies)])
    assert not result.undecoded | result.unobserved
    (batch,) = result.batches
    assert (batch.format, batch.model, batch.version, batch.ids) == ("open-inference", "m", "3", ("q-1",))
    return [batch.inputs, batch.outputs]


def check(found: list[Side], columns: Columns) -> None:
    for side in found:
        assert as_lists(side) == columns
        assert {tensor.name for tensor in side.tensors} >= set(columns) or side.positional


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53).map(float)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = st.lists(st.sampled_from(["age", "größe", "a b", "x"]), min_size=1, max_size=3, unique=True)


@st.composite
def tables(draw: st.DrawFn, *kinds: st.SearchStrategy[Any]) -> Columns:
    count = draw(st.integers(1, 4))
    return {name: draw(st.lists(draw(st.sampled_from(kinds)), min_size=count, max_size=count)) for name in draw(names)}


@pytest.mark.parametrize("form", FORMS)
@MANY
@given(columns=tables(numbers, words, st.booleans()))
def test_pandas(write: Write, form: str, columns: Columns) -> None:
    check(sides(form, write("pd", columns)[form]), columns)


@pytest.mark.parametrize("form", FORMS)
@MANY
@given(columns=tables(numbers))
def test_numpy(write: Write, form: str, columns: Columns) -> None:
    """One tensor has no names: positions, but for its own name where it is one column."""
    found = sides(form, write("np", columns)[form])
    for side in found:
        assert list(as_lists(side).values()) == list(columns.values())


@pytest.mark.parametrize("form", FORMS)
@MANY
@given(texts=st.lists(words, min_size=1, max_size=4))
def test_texts(write: Write, form: str, texts: list[str]) -> None:
    for side in sides(form, write("str", {"s": texts})[form]):
        assert list(as_lists(side).values()) == [texts]


@MANY
@given(columns=tables(words))
def test_base64(write: Write, columns: Columns) -> None:
    check(sides("json", write("base64", columns)["json"]), columns)


@pytest.mark.parametrize("form", FORMS)
@MANY
@given(columns=tables(st.datetimes().map(lambda when: when.isoformat())))
def test_dates(write: Write, form: str, columns: Columns) -> None:
    """As text in the form that they have on the wire."""
    check(sides(form, write("datetime", columns)[form]), columns)
