"""The language of OUTRIDER_ROUTES."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import load
from agent.decode.routes import FORMATS as READERS
from agent.route_language import (
    FORMATS,
    METHODS,
    WORDS,
    Column,
    CustomRoute,
    Step,
    column_text,
    columns,
    json_path,
    parse,
    path_text,
)
from agent.spelling import show

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "routes"),
    [
        ("", ()),
        (" ; ;", ()),
        ("/score inputs=$.rows", (CustomRoute("/score", "$.rows"),)),
        ("/score\n  inputs=$.rows\toutputs=$ ;", (CustomRoute("/score", "$.rows", "$"),)),
        ("/a inputs=$;/b inputs=$", (CustomRoute("/a", "$"), CustomRoute("/b", "$"))),
        ("put /a inputs=$; POST /a inputs=$", (CustomRoute("/a", "$", method="PUT"), CustomRoute("/a", "$"))),
        ("/a inputs=$.x,y:$.z,'a b':$['c d;']", (CustomRoute("/a", "$.x,y:$.z,'a b':$['c d;']"),)),
        (
            "/a version=3 id=$.id model='my model' outputs=$.y inputs=$.x",
            (CustomRoute("/a", "$.x", "$.y", "my model", "3", "$.id"),),
        ),
        ("/a model=$.model version=$['v'] inputs=$", (CustomRoute("/a", "$", model="$.model", version="$['v']"),)),
        ("/a/{model}/{x}:go format=kserve-v1", (CustomRoute("/a/{model}/{x}:go", format="kserve-v1"),)),
        ("'/a b' inputs=$", (CustomRoute("/a b", "$"),)),
    ],
)
def test_routes(text: str, routes: tuple[CustomRoute, ...]) -> None:
    assert parse(text) == routes
    assert parse(show("routes", routes)) == routes


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("score inputs=$", "'score inputs=$': write a path that begins with /"),
        ("GET /score inputs=$", "only POST, PUT, PATCH"),
        ("/score", "where are the inputs?"),
        ("/score outputs=$", "where are the inputs?"),
        ("/a inputs=$; /b input=$", "in '/b input=$': 'input=$' is not understood; write inputs=, outputs=,"),
        ("/a inputs=$.a, $.b", "write $.rows, or several"),
        ("/a inputs=$.a ,$.b", "no spaces beside commas"),
        ("/a inputs = $", "no spaces beside commas and ="),
        ("/a inputs=", "nothing is behind inputs=; write"),
        ("/a inputs=$ inputs=$", "inputs= is there twice"),
        ("/a inputs=rows", "'rows' is no JSON path; write $.rows"),
        ("/a inputs=$..x", "'..x' is not understood; write steps such as"),
        ("/a inputs=$.x[?(@.y)]", "is not understood"),
        ("/a inputs=$.x[1.5]", "is not understood"),
        ("/a inputs=$['x", "a quote is never closed behind"),
        ("/a inputs=$.x,$.y.x", "two columns are called 'x'; write names"),
        ("/a inputs=$.x,$[0]", "no key to name the column after; write a name before it, such as age:$[0]"),
        ("/a inputs=$ id=$[*].id", "write a JSON path without [*]"),
        ("/a inputs=$ id=request", "'request' is no JSON path"),
        ("/a inputs=$ model=''", "write a name that is not empty"),
        ("/a inputs=$ model='$x'", "doesn't begin with $"),
        ("/a/{model} inputs=$ model=x", "the path has {model} already; write either"),
        ("/a format=kserve", "there is no format 'kserve'; write one of kserve-v1,"),
        ("/a format=kserve-v1 inputs=$", "write either format= or"),
        ("/a format=kserve-v1 model=$.x", "write a name behind model="),
        ("/a/{model inputs=$", "the braces of the path don't match; write {model}"),
        ("/a/{my model} inputs=$", "the braces of the path don't match"),
        ("/a inputs=$; /a inputs=$.x", "POST /a is there twice; write it once"),
    ],
)
def test_faults_say_where_and_what_to_write(text: str, about: str) -> None:
    with pytest.raises(ValueError, match=re.escape(about)) as caught:
        parse(text)
    assert "write" in str(caught.value)


def test_columns() -> None:
    assert columns("$") == (Column("", ()),)
    assert columns("$.a.b") == (Column("", ("a", "b")),)
    assert columns("x:$.a.b") == (Column("x", ("a", "b")),)
    assert columns("$.a.age,$.rows[*].b[0][1],'a, b':$['c, d'][-1]") == (
        Column("age", ("a", "age")), Column("b[0][1]", ("rows", None, "b", 0, 1)), Column("a, b", ("c, d", -1)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.a-b.c_1", ("a-b", "c_1")),
        ("$.größe", ("größe",)),
        ("""$['a "b"']["it's"]['*']['0']""", ('a "b"', "it's", "*", "0")),
        ("$[0][-1][*]", (0, -1, None)),
    ],
)
def test_json_paths(text: str, steps: tuple[Step, ...]) -> None:
    assert json_path(text) == steps


keys = st.text(min_size=1, max_size=8).filter(lambda key: not ("'" in key and '"' in key))
steps = st.lists(st.one_of(keys, st.integers(-99, 99), st.none()), max_size=5).map(tuple)


@given(steps)
def test_paths_are_read_as_they_are_written(path: tuple[Step, ...]) -> None:
    assert json_path(path_text(path)) == path


@given(st.lists(st.builds(Column, keys, steps), min_size=1, max_size=4, unique_by=lambda column: column.name))
def test_columns_are_read_as_they_are_written(written: list[Column]) -> None:
    text = ",".join(map(column_text, written))
    assert columns(text) == tuple(written)
    (route,) = parse(f"/x inputs={text}; ")
    assert route.inputs == text


names = keys.filter(lambda name: not name.startswith("$"))


@given(
    st.builds(
        CustomRoute,
        path=names.map(lambda name: "/" + name.replace("{", "").replace("}", "")),
        inputs=st.just("$"),
        outputs=st.sampled_from(["", "a:$.x"]),
        model=st.one_of(st.just(""), names, steps.filter(lambda path: None not in path).map(path_text)),
        version=st.just("") | names,
        id=st.sampled_from(["", "$['a b']"]),
        format=st.just(""),
        method=st.sampled_from(METHODS),
    )
)
def test_routes_are_read_as_they_are_shown(route: CustomRoute) -> None:
    assert parse(f"{route}; {route._replace(path='/other')}") == (route, route._replace(path="/other"))


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([*WORDS, "=", "$", ".a", "[*]", "'", '"', ",", ":", " ", ";", "/"])).map("".join)
)
def test_any_text_is_routes_or_a_fault(text: str) -> None:
    try:
        routes = parse(text)
    except ValueError as error:
        assert "write" in str(error)  # noqa: PT017 - any text may be right or wrong
    else:
        assert parse(show("routes", routes)) == routes


def test_every_format_that_may_be_written_is_known() -> None:
    assert tuple(READERS) == FORMATS


def test_the_guide_names_every_format_and_its_example_can_be_read() -> None:
    (row,) = re.findall(r"^\| `format=` \|.*$", README, re.MULTILINE)
    assert [name for name in re.findall(r"`([^`]+)`", row) if name in FORMATS] == list(FORMATS)
    (example,) = re.findall(r"^OUTRIDER_ROUTES='([^']*/rank[^']*)'$", README, re.MULTILINE)
    assert [route.path for route in parse(example)] == ["/score/{model}", "/price", "/rank", "/iris"]


def test_the_configuration_prints_routes_as_they_can_be_read() -> None:
    text = "PUT /a inputs=$.x,y:$['a b'] outputs=$ id=$.id model=m; /b/{model} format=open-inference"
    routes = load({"OUTRIDER_ROUTES": text}).routes
    assert show("routes", routes) == text
