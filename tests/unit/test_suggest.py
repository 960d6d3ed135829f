"""`outrider routes suggest`: documents as servers print them, and samples of calls, to routes that read such calls."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.cli import main
from agent.decode.decoder import Decoder
from agent.errors import ConfigError
from agent.route_language import CustomRoute, parse
from agent.suggest.write import suggest
from tests.exchanges import as_lists, json_exchange


def as_text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def suggested(*texts: Any, path: str = "") -> tuple[tuple[CustomRoute, ...], str]:
    """The routes, read as a shell and the settings would read them, and the comments."""
    lines = suggest([as_text(text) for text in texts], path).split("\n")
    comments = [line for line in lines if line.startswith("# ")]
    settings = [line for line in lines if not line.startswith("# ")]
    if not settings:
        return (), "\n".join(comments)
    (setting,) = shlex.split("\n".join(settings))
    name, _, text = setting.partition("=")
    assert name == "OUTRIDER_ROUTES"
    return parse(text), "\n".join(comments)


def document(*operations: tuple[str, Any, Any], method: str = "post", **more: Any) -> dict[str, Any]:
    """An OpenAPI document: of each operation the path, and the schemas of request and response."""

    def content(schema: Any) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": schema}}}

    paths = {
        path: {method: {"requestBody": content(request), "responses": {"200": content(response)}}}
        for path, request, response in operations
    }
    return {"openapi": "3.1.0", "paths": paths} | more


def test_fastapi() -> None:
    """A real document; Ray Serve prints the same, because its HTTP ingress is a FastAPI application."""
    fastapi = pytest.importorskip("fastapi", reason="part missing: fastapi, which prints the document")
    pydantic = pytest.importorskip("pydantic")
    house: Any = pydantic.create_model("House", rooms=(int, ...), age=(float, ...), area=(str | None, None))
    houses = pydantic.create_model("Houses", request_id=(str, ...), rows=(list[house], ...))
    price: Any = pydantic.create_model("Price", price=(float, ...))
    prices = pydantic.create_model("Prices", model_version=(str, ...), predictions=(list[price], ...))
    app = fastapi.FastAPI()

    def routed(path: str, request: Any, response: Any) -> None:
        def call(body: Any) -> Any:
            return None

        call.__annotations__ = {"body": request, "return": response}
        app.post(path)(call)

    routed("/predict", houses, prices)
    routed("/one", house, float)
    routed("/models/{model_name}/score", list[float], dict[str, Any])
    routed("/untyped", dict[str, Any], None)
    app.get("/health")(lambda: None)
    routes, comments = suggested(app.openapi())
    assert routes == (
        CustomRoute("/predict", "$.rows", "$.predictions", version="$.model_version", id="$.request_id"),
        CustomRoute("/one", "$", "$"),
        CustomRoute("/models/{model}/score", "$", "$"),
        CustomRoute("/untyped", "$"),
    )
    assert "columns rooms, age, area" in comments
    assert "a sample of one would show what to read" in comments
    assert "/health" not in comments
    question = {"request_id": "7", "rows": [{"rooms": 3, "age": 5, "area": "x"}, {"rooms": 4, "age": 6, "area": None}]}
    answer = {"model_version": "2", "predictions": [{"price": 1.5}, {"price": 2.5}]}
    (batch,) = Decoder(routes).decode([json_exchange("/predict", question, answer)]).batches
    assert (batch.ids, batch.version) == (("7",), "2")
    assert as_lists(batch.inputs) == {"rooms": [3, 4], "age": [5, 6], "area": ["x", None]}
    assert as_lists(batch.outputs) == {"price": [1.5, 2.5]}


BENTOML = {
    "openapi": "3.0.2",
    "info": {"title": "iris_classifier", "version": "None"},
    "paths": {
        "/predict": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/predict__Input"}}}},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"items": {"type": "number"}, "type": "array"}}}},
                    "400": {"$ref": "#/components/responses/BadRequest"},
                },
                "operationId": "IrisClassifier__predict",
            }
        },
        "/table": {
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/table__Input"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}},
            }
        },
        "/look": {
            "post": {
                "requestBody": {"content": {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/look__Input"}}}},
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "string"}}}}},
            }
        },
    },
    "components": {
        "schemas": {
            "predict__Input": {
                "properties": {
                    "input_series": {"dtype": "float64", "format": "numpy-array", "title": "Input", "type": "tensor"}
                },
                "required": ["input_series"],
                "type": "object",
            },
            "table__Input": {
                "properties": {"df": {"columns": ["a", "b"], "orient": "records", "type": "dataframe"}}, "type": "object",
            },
            "look__Input": {"properties": {"image": {"format": "image", "type": "file"}}, "type": "object"},
        }
    },
}  # fmt: skip
"""As BentoML 1.4 prints it: each argument is a key of the body, and tensors and tables are types of its own."""


def test_bentoml() -> None:
    routes, comments = suggested(BENTOML)
    assert routes == (CustomRoute("/predict", "$.input_series", "$"), CustomRoute("/table", "$.df", "$"))
    assert "columns a, b" in comments
    assert "POST /look\n#   nothing is said of a JSON body" in comments


LITSERVE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "FastAPI", "version": "0.1.0"},
    "paths": {
        "/health": {"get": {"summary": "Health", "responses": {"200": {"content": {"application/json": {"schema": {}}}}}}},
        "/predict": {
            "post": {"summary": "Predict", "responses": {"200": {"content": {"application/json": {"schema": {}}}}}},
        },
    },
}
"""As LitServe prints it where `decode_request` has no type."""


def test_litserve_without_a_type_asks_for_a_sample() -> None:
    with pytest.raises(ConfigError) as caught:
        suggested(LITSERVE)
    assert caught.value.faults[0] == "there is no POST with a JSON body that could be read"
    assert "give a sample: outrider routes suggest request.json response.json --path /predict" in caught.value.faults[-1]


def test_litserve_with_a_sample() -> None:
    routes, comments = suggested({"input": 4.0}, {"output": 16.0}, path="/predict")
    assert routes == (CustomRoute("/predict", "$.input", "$.output"),)
    assert "this reads 1 row of 1 column (0), and 1 row of 1 column (0)" in comments


NUMBER = {"type": "number"}
TEXT = {"type": "string"}


def rows_of(**fields: Any) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": fields}}


def object_of(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields}


def array_of(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


@pytest.mark.parametrize(
    ("request_schema", "inputs"),
    [
        (object_of(a=NUMBER, b=TEXT), "$"),
        (object_of(a=NUMBER, b=NUMBER, metadata=object_of(x=TEXT)), "$.a,$.b"),
        (object_of(parameters=object_of(x=NUMBER), records=rows_of(a=NUMBER)), "$.records"),
        (object_of(things=rows_of(a=NUMBER), data=rows_of(b=NUMBER)), "$.data"),
        (object_of(a=array_of(NUMBER), b=array_of(NUMBER)), "$"),
        (object_of(features=array_of(NUMBER), user=TEXT), "$.features"),
        (object_of(**{"net income": NUMBER, "age": NUMBER, "extra": array_of(NUMBER)}), '$["net income"],$.age,$.extra'),
        (object_of(payload=object_of(data=array_of(array_of(NUMBER)))), "$.payload.data"),
        (array_of(array_of(NUMBER)), "$"),
        ({"anyOf": [{"type": "null"}, array_of(NUMBER)]}, "$"),
        ({"allOf": [object_of(a=NUMBER), object_of(b=NUMBER)]}, "$"),
        ({"type": ["integer", "null"]}, "$"),
        ({"enum": [1, 2]}, "$"),
        ({"const": "x"}, "$"),
        ({"type": "array", "prefixItems": [NUMBER, TEXT]}, "$"),
        ({}, "$"),
    ],
)
def test_inputs(request_schema: Any, inputs: str) -> None:
    routes, _ = suggested(document(("/x", request_schema, NUMBER)))
    assert routes == (CustomRoute("/x", inputs, "$"),)


@pytest.mark.parametrize(
    ("response_schema", "outputs"),
    [
        (object_of(score=NUMBER, latency_ms=NUMBER), "$.score"),
        (object_of(prediction=NUMBER, probability=NUMBER, status=TEXT), "$.prediction,$.probability"),
        (object_of(results=rows_of(score=NUMBER)), "$.results"),
        (object_of(predictions=array_of(NUMBER), message=TEXT), "$.predictions"),
        (object_of(a=NUMBER, b=NUMBER), "$"),
        ({}, ""),
    ],
)
def test_outputs(response_schema: Any, outputs: str) -> None:
    routes, _ = suggested(document(("/x", array_of(NUMBER), response_schema)))
    assert routes == (CustomRoute("/x", "$", outputs),)


@pytest.mark.parametrize(
    ("question", "answer", "name"),
    [
        ({"instances": [[1]]}, {"predictions": [1]}, "kserve-v1"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}, {"outputs": []}, "open-inference"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, {"predictions": [1]}, "invocations"),
        ({"messages": [{"role": "user", "content": "x"}]}, {"choices": []}, "openai-chat"),
        ({"prompt": "x", "max_tokens": 1}, {"choices": []}, "openai-completions"),
    ],
)
def test_formats_that_are_known_by_their_keys(question: Any, answer: Any, name: str) -> None:
    assert suggested(question, answer, path="/mine")[0] == (CustomRoute("/mine", format=name),)


def test_what_is_read_without_configuration_needs_none() -> None:
    routes, comments = suggested(document(("/v1/models/{name}:predict", object_of(instances=array_of(NUMBER)), {})))
    assert routes == ()
    assert "is read without configuration, as kserve-v1" in comments
    assert "No setting is needed." in comments
    own = object_of(a=NUMBER, b=NUMBER)
    assert suggested(document(("/v1/models/{model}:predict", own, {})))[0] == (CustomRoute("/v1/models/{model}:predict", "$"),)


def test_templates_and_bases() -> None:
    body = object_of(x=NUMBER)
    found = document(("/m/{model_name}/v/{model-version}/{path:path}", body, {}), servers=[{"url": "https://host/api/"}])
    assert suggested(found)[0] == (CustomRoute("/api/m/{model}/v/{model_version}/{path}", "$.x"),)
    assert suggested(document(("/x", body, {}), servers=[{"url": "https://{host}/api"}]))[0][0].path == "/x"


def test_other_methods() -> None:
    assert suggested(document(("/x", object_of(x=NUMBER), {}), method="put"))[0] == (CustomRoute("/x", "$.x", method="PUT"),)


def test_swagger_2() -> None:
    parameters = [{"in": "header", "name": "h"}, {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/In"}}]
    found = {
        "swagger": "2.0", "basePath": "/v9", "definitions": {"In": object_of(rows=array_of(array_of(NUMBER)))},
        "paths": {"/go": {"post": {"parameters": parameters, "responses": {"200": {"schema": object_of(y=array_of(NUMBER))}}}}},
    }  # fmt: skip
    assert suggested(found)[0] == (CustomRoute("/v9/go", "$.rows", "$.y"),)


def test_a_schema_that_holds_itself() -> None:
    node = object_of(
        value=NUMBER, children=array_of({"$ref": "#/components/schemas/Node"}), twin={"$ref": "#/components/schemas/Node"}
    )
    found = document(
        ("/x", {"$ref": "#/components/schemas/Node"}, {"$ref": "#/no/where"}), components={"schemas": {"Node": node}}
    )
    assert suggested(found)[0] == (CustomRoute("/x", "$.value,$.children,$.twin"),)


def raw(body: bytes, start: str, *fields: str, newline: str = "\r\n") -> bytes:
    return newline.join([start, "Host: model", *fields, "", ""]).encode() + body


def test_raw_http() -> None:
    question, answer = b'{"rows": [[1, 2], [3, 4]]}', b'{"scores": [5, 6]}'
    packed = gzip.compress(question)
    request = raw(packed, "POST /score/now?x=1 HTTP/1.1", f"Content-Length: {len(packed)}", "Content-Encoding: gzip")
    response = raw(b"12\r\n" + answer + b"\r\n0\r\n\r\n", "HTTP/1.1 200 OK", "Transfer-Encoding: chunked")
    routes, comments = suggested(request, response)
    assert routes == (CustomRoute("/score/now", "$.rows", "$.scores"),)
    assert "this reads 2 rows of 2 columns (0, 1), and 2 rows of 1 column (0)" in comments
    by_hand = raw(question + b"\n", "POST /score/now HTTP/1.1", "Content-Length: 3", newline="\n")
    assert suggested(by_hand)[0] == (CustomRoute("/score/now", "$.rows"),)
    assert suggested(by_hand, path="/v/{model}")[0] == (CustomRoute("/v/{model}", "$.rows"),)


@pytest.mark.parametrize(
    ("texts", "path", "about"),
    [
        ([b"not JSON"], "/x", "the first file is no JSON"),
        ([b"{}", b"openapi: 3.1.0"], "/x", "the second file is no JSON"),
        ([b'{"a": 1}'], "", "add --path"),
        ([b'{"a": 1}'], "score", "add --path"),
        ([as_text(LITSERVE), b"{}"], "", "give that file alone"),
        ([as_text({"openapi": "3.1.0", "paths": {}})], "", "give a sample of a call instead"),
        ([as_text({"openapi": "3.1.0", "paths": {"/x": {"get": {}}, "/y": None}})], "", "give a sample of a call instead"),
        ([raw(b"{}", "POST /x HTTP/1.1", "Content-Length: 9")], "", "can't be read (incomplete)"),
        ([b'{"\\n": 1}'], "/x", "holds nothing to read"),
    ],
)
def test_what_says_nothing_is_a_fault_that_says_what_to_give(texts: list[bytes], path: str, about: str) -> None:
    with pytest.raises(ConfigError) as caught:
        suggest(texts, path)
    assert about in str(caught.value)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, json_values)
def test_any_sample(question: Any, answer: Any) -> None:
    try:
        suggested(question, answer, path="/x")
    except ConfigError as error:
        assert error.faults  # noqa: PT017 - any may say something or nothing


schemas: st.SearchStrategy[Any] = st.recursive(
    st.one_of(json_values, st.sampled_from([NUMBER, TEXT, {}, {"$ref": "#/paths"}, {"type": "tensor"}, {"type": "object"}])),
    lambda inner: st.dictionaries(
        st.sampled_from(["type", "items", "properties", "anyOf", "allOf", "prefixItems", "enum", "$ref"]),
        inner | st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip


@given(schemas, schemas)
def test_any_schema(question: Any, answer: Any) -> None:
    try:
        suggested(document(("/x", question, answer)))
    except ConfigError as error:
        assert error.faults  # noqa: PT017 - any may say something or nothing


def test_a_document_can_not_break_out_of_a_comment() -> None:
    found = document(
        ("/x", object_of(**{"a\nrm -rf /": NUMBER, "b": NUMBER, "c'\"": NUMBER}), {}), ("/y\nrm", object_of(a=NUMBER), {})
    )
    found["paths"]["/x"]["post"]["summary"] = "title\r\nrm -rf /"
    routes, comments = suggested(found)
    assert routes == (CustomRoute("/x", "$.b"),)
    assert "left out: a?rm -rf /, c'\"" in comments


def call(*words: str | Path, given: str = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["routes", "suggest", *map(str, words)], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_command(tmp_path: Path) -> None:
    request, response = tmp_path / "request.json", tmp_path / "response.json"
    request.write_text('{"rows": [[1, 2]]}')
    response.write_text('{"scores": [3]}')
    code, out, err = call(request, response, "--path", "/score", "--method", "PUT")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "OUTRIDER_ROUTES='PUT /score inputs=$.rows outputs=$.scores'"
    assert call("-", "--path", "/score", given=request.read_text())[0] == 0
    code, out, err = call("-", given=json.dumps(LITSERVE))
    assert (code, out) == (2, "")
    assert err.startswith("outrider: there is no POST with a JSON body")
    assert call(request, request, request, "--path", "/x")[0] == 2
    assert call(tmp_path / "absent.json")[0] == 2
