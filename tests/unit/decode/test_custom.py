"""Configured routes."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decode.decoder import Decoder
from agent.route_language import parse
from agent.spelling import CustomRoute
from tests.exchanges import as_lists, json_exchange

ROUTE = CustomRoute("/score/{model}/now", "$.rows", "$.out[0].scores")


def decode(question: Any, answer: Any, route: CustomRoute = ROUTE) -> Any:
    return Decoder((route,)).decode([json_exchange("/score/m/now", question, answer)])


@pytest.mark.parametrize(
    ("value", "as_inputs", "as_outputs"),
    [
        ([[1, 2], [3, 4]], {"0": [1.0, 3.0], "1": [2.0, 4.0]}, {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        ([{"a": 1}, {"a": 2}], {"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}),
        ([1, 2], {"0": [1.0], "1": [2.0]}, {"0": [1.0, 2.0]}),
        (["x", None], {"0": ["x"], "1": [None]}, {"0": ["x", None]}),
        ({"a": [1, 2], "b": ["x", "y"]}, {"a": [1.0, 2.0], "b": ["x", "y"]}, {"a": [1.0, 2.0], "b": ["x", "y"]}),
        ({"a": 1, "b": "x"}, {"a": [1.0], "b": ["x"]}, {"a": [1.0], "b": ["x"]}),
        (0.5, {"0": [0.5]}, {"0": [0.5]}),
    ],
)
def test_what_a_path_finds_is_told_by_its_shape(value: Any, as_inputs: Any, as_outputs: Any) -> None:
    result = decode({"rows": value}, {"out": [{"scores": value}]})
    (batch,) = result.batches
    assert (batch.format, batch.model) == ("custom", "m")
    assert result.routes == ["/score/{model}/now"]
    assert as_lists(batch.inputs) == as_inputs
    assert as_lists(batch.outputs) == as_outputs


def test_the_whole_body() -> None:
    (batch,) = decode([[1, 2]], 5, CustomRoute("/score/m/now", "$", "$")).batches
    assert as_lists(batch.inputs) == {"0": [1.0], "1": [2.0]}
    assert as_lists(batch.outputs) == {"0": [5.0]}


def test_without_a_path_to_outputs_they_are_left_alone() -> None:
    result = decode([[1, 2]], "no JSON", CustomRoute("/score/m/now", "$", ""))
    assert result.batches[0].outputs.rows == 0
    assert not result.undecoded
    assert not result.unobserved


@pytest.mark.parametrize("question", [{}, 1, [], "a"])
def test_a_path_that_leads_nowhere_is_counted(question: Any) -> None:
    result = decode(question, {"out": [{"scores": [1]}]})
    assert result.undecoded == {("custom", "json" if question == "a" else "path"): 1}


def test_bare_nan() -> None:
    assert as_lists(decode('{"rows": [[NaN, 1]]}', {"out": [{"scores": [1]}]}).batches[0].inputs) == {"0": [None], "1": [1.0]}


def test_a_configured_route_wins_over_the_table() -> None:
    route = CustomRoute("/v1/models/{name}:predict", "$.x", "")
    result = Decoder((route,)).decode([json_exchange("/v1/models/a:predict", {"x": [1]}, {})])
    assert result.decoded == {"custom": 1}
    assert result.batches[0].model == ""


def sides(question: Any, answer: Any, inputs: str, outputs: str = "") -> Any:
    (batch,) = decode(question, answer, CustomRoute("/score/{model}/now", inputs, outputs)).batches
    return as_lists(batch.inputs), as_lists(batch.outputs)


def test_named_columns_are_one_row() -> None:
    question = {"user": {"age": 5, "name": "x"}, "net income": 7.5, "where": {"lat": 1, "lon": 2}, "last": [3, 4]}
    inputs, outputs = sides(
        question, {"score": 0.5, "labels": ["a"]},
        "$.user.age,name:$.user.name,'income':$['net income'],where:$.where,last:$.last", "score:$.score,$.labels[0]",
    )  # fmt: skip
    assert inputs == {
        "age": [5], "name": ["x"], "income": [7.5], "where.lat": [1], "where.lon": [2], "last[0]": [3], "last[1]": [4],
    }  # fmt: skip
    assert outputs == {"score": [0.5], "labels[0]": ["a"]}


def test_what_a_named_column_does_not_find_is_missing() -> None:
    assert sides({"a": 1}, {}, "$.a,$.b.c,d:$.d[3]")[0] == {"a": [1], "c": [None], "d": [None]}
    assert decode({"x": 1}, {}, CustomRoute("/score/m/now", "$.a,$.b")).undecoded == {("custom", "path"): 1}


def test_every_item_is_a_row() -> None:
    rows = [{"x": 1, "y": [2, 3]}, {"x": 4, "y": [5, 6]}]
    assert sides({"rows": rows}, [7, 8], "$.rows[*].y", "$[*]") == ({"0": [2, 5], "1": [3, 6]}, {"0": [7, 8]})
    assert sides({"rows": rows}, {}, "$.rows[*].x")[0] == {"0": [1, 4]}
    assert sides({"rows": rows}, {}, "$.rows[*]")[0] == {"x": [1, 4], "y[0]": [2, 5], "y[1]": [3, 6]}
    assert sides({"rows": rows}, {}, "$.rows[*].y[*]")[0] == {"0": [2, 3, 5, 6]}
    assert sides({"rows": rows}, {}, "$.rows[-1].y")[0] == {"0": [5], "1": [6]}


def test_columns_of_every_item_share_what_belongs_to_all() -> None:
    question = {"user": {"age": 5}, "items": [{"price": 1, "v": [7, 8]}, {"v": [9, 0]}]}
    inputs, _ = sides(question, {}, "$.user.age,$.items[*].price,$.items[*].v,who:$.who")
    assert inputs == {"age": [5, 5], "price": [1, None], "v[0]": [7, 9], "v[1]": [8, 0], "who": [None, None]}


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({"a": [], "b": []}, {"no_rows": 1}),
        ({"a": [{"x": 1}], "b": [{"y": 1}, {"y": 2}]}, ("table", "shape")),
        ({"a": [{"x": 1}], "c": [1, 2]}, ("table", "shape")),
        ({"a": [{"z": 1}], "b": [{"z": 1}]}, ("custom", "path")),
        ({"a": {"x": 1}}, ("custom", "path")),
    ],
)
def test_columns_that_make_no_table(question: Any, reason: Any) -> None:
    result = decode(question, {}, CustomRoute("/score/m/now", "$.a[*].x,$.b[*].y,$.c"))
    if isinstance(reason, dict):
        assert result.unobserved == reason
    else:
        assert result.undecoded == {("custom" if reason[0] == "table" else reason[0], reason[1]): 1}


def test_texts_are_no_lists_of_letters() -> None:
    assert decode({"a": "text"}, {}, CustomRoute("/score/m/now", "$.a[0]")).undecoded == {("custom", "path"): 1}


def test_id_model_and_version_are_said_by_either_side() -> None:
    route = CustomRoute("/score/m/now", "$.rows", "$.y", model="$.model", version="$.v", id="$.meta['id']")
    question = {"rows": [1], "model": "credit", "meta": {"id": 77}}
    (batch,) = decode(question, {"y": 1, "v": "3"}, route).batches
    assert (batch.model, batch.version, batch.ids) == ("credit", "3", ("77",))
    (batch,) = decode({"rows": [1], "model": ["x"], "meta": {"id": True}}, {"y": 1}, route).batches
    assert (batch.model, batch.version, batch.ids) == ("", "", ())
    (batch,) = decode({"rows": [1], "meta": {"id": "x" * 999}}, {"y": 1}, route).batches
    assert batch.ids == ("x" * 256,)


def test_each_route_has_its_own_model_and_method() -> None:
    routes = (
        CustomRoute("/a", "$", model="first", version="1"), CustomRoute("/b", "$", model="second"),
        CustomRoute("/a", "$.x", model="third", method="PUT"),
    )  # fmt: skip
    calls = [json_exchange("/a", [1], {}), json_exchange("/b", [1], {}), json_exchange("/a", {"x": [1]}, {}, method="PUT")]
    calls[2] = msgspec.structs.replace(calls[2], request=calls[2].request.replace(b"POST", b"PUT", 1))
    result = Decoder(routes).decode(calls)
    assert [(batch.model, batch.version) for batch in result.batches] == [("first", "1"), ("second", ""), ("third", "")]
    assert Decoder(routes).route("GET", "/a")[:2] == ("/a", None)


def test_a_known_format_on_a_path_of_ones_own() -> None:
    routes = parse("/my/{model} format=kserve-v1; /chat format=openai-chat model=llama")
    chat = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    calls = [
        json_exchange("/my/iris", {"instances": [[1, 2]]}, {"predictions": [0]}), json_exchange("/chat", chat, {"choices": []}),
    ]  # fmt: skip
    first, second = Decoder(routes).decode(calls).batches
    assert (first.format, first.model, as_lists(first.inputs)) == ("kserve-v1", "iris", {"0": [1], "1": [2]})
    assert (second.format, second.model) == ("openai", "llama")


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
paths = st.lists(st.sampled_from([".a", ".b", "[0]", "[-1]", "[*]"]), max_size=4).map(lambda steps: "$" + "".join(steps))


@given(json_values, json_values, paths, st.lists(paths, min_size=1, max_size=3), paths)
def test_any_path_on_any_json(question: Any, answer: Any, path: str, several: list[str], said: str) -> None:
    named = ",".join(f"{name}:{each}" for name, each in zip("xyz", several, strict=False))
    route = CustomRoute("/score/m/now", path, named, id=said.replace("[*]", ""), model=said.replace("[*]", ""))
    result = decode(json.dumps(question), json.dumps(answer), route)
    for batch in result.batches:
        for side in (batch.inputs, batch.outputs):
            assert all(column.shape == (side.rows,) for column in side.columns)
    assert {wire for wire, _ in result.undecoded} <= {"custom"}
