"""Sides become sides with summaries: by tensor, by name, by position; what fits nothing is counted."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.batch import NOTHING, Batch, Side, TensorType
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from agent.summarise import embedding, image
from agent.validate.schema import Checker
from agent.validate.summaries import Summariser

WIDTH = 6
RNG = np.random.default_rng(8)
VECTORS = RNG.normal(1.0, 0.5, size=(200, WIDTH))
IMAGES = RNG.uniform(0, 255, size=(50, 5, 7, 3))
NAMES = ("vec.norm", "vec.mean", "vec.cosine")


def vectors(**more: object) -> Schema:
    return schema_of(build({"vec": VECTORS, **more}))


def side(table: NDArray[Any], *names: str, tensors: tuple[TensorType, ...] = ()) -> Side:
    """Columns of a table ``(rows, width)``; by position where no names are given."""
    given = names or tuple(map(str, range(table.shape[1])))
    return Side(given, tuple(np.ascontiguousarray(table.T)), len(table), not names, tensors)


def numbered(name: str, width: int = WIDTH) -> tuple[str, ...]:
    return tuple(f"{name}[{index}]" for index in range(width))


def summarised(schema: Schema, inputs: Side, outputs: Side = NOTHING) -> tuple[Batch, dict[tuple[str, str], int]]:
    return Summariser(schema).summarise(Batch("test", "", "", inputs, outputs))


def column(found: Side, name: str) -> NDArray[Any]:
    return found.columns[found.names.index(name)]


SPELLINGS = [
    side(VECTORS),
    side(VECTORS, *numbered("vec")),
    side(VECTORS, tensors=(TensorType("vec", "FP32", (WIDTH,)),)),
    side(VECTORS, tensors=(TensorType("input-0", "FP32", (WIDTH,)),)),
    side(VECTORS.astype(object), *numbered("vec")),
]


@pytest.mark.parametrize("inputs", SPELLINGS)
def test_spellings_of_a_vector(inputs: Side) -> None:
    batch, broken = summarised(vectors(), inputs)
    assert batch.inputs.names == NAMES
    assert not batch.inputs.positional
    assert broken == {}
    centroid = VECTORS.mean(axis=0)
    wanted = embedding.summarise(np.ascontiguousarray(VECTORS.T), centroid)
    for found, values in zip(batch.inputs.columns, wanted, strict=True):
        assert values is not None
        np.testing.assert_allclose(found, values, rtol=3e-4)


def test_training_rows_break_nothing() -> None:
    schema = vectors(age=np.arange(200.0))
    inputs = side(np.column_stack([VECTORS, np.arange(200.0)]))
    batch, broken = summarised(schema, inputs)
    checked = Checker(schema).check(batch)
    # A row of training lies closer to the centroid than the profile says of it, which leaves it out of its own centroid.
    assert broken == {}
    assert set(checked.violations) <= {("vec.cosine", "out_of_range")}
    assert all(values is not None and not np.isnan(values).any() for values in checked.values)


def test_other_columns_stay_beside_a_vector() -> None:
    schema = schema_of(build({"age": np.arange(200.0), "vec": VECTORS, "pay": np.arange(200.0) / 7}))
    table = np.column_stack([np.full(200, 3.0), VECTORS, np.full(200, 5.0)])
    for inputs in (side(table), side(table, "age", *numbered("vec"), "pay")):
        batch, _ = summarised(schema, inputs)
        assert set(column(batch.inputs, "age")) == {3.0}
        assert set(column(batch.inputs, "pay")) == {5.0}
        assert column(batch.inputs, "vec.norm")[0] == pytest.approx(np.linalg.norm(VECTORS[0]), rel=2e-4)


@pytest.mark.parametrize("inputs", [side(VECTORS[:, :4], *numbered("vec", 4)), side(VECTORS[:, :4]), side(VECTORS[:, :3])])
def test_another_width_breaks_the_shape_and_is_missing(inputs: Side) -> None:
    schema = vectors()
    batch, broken = summarised(schema, inputs)
    assert broken == {("vec", "shape"): 200}
    checked = Checker(schema).check(batch)
    assert checked.violations == {}
    assert checked.rows == 200
    assert all(values is not None and np.isnan(values).all() for values in checked.values)


def test_positions_that_fit_nothing_break_the_whole_shape() -> None:
    schema = vectors(age=np.arange(200.0))
    for width in (4, WIDTH):  # four columns are as many as the profile has
        batch, broken = summarised(schema, side(np.ones((9, width))))
        assert broken == {}
        assert Checker(schema).check(batch).violations == {("", "shape"): 9}


def test_a_vector_that_is_not_there_is_one_missing_column() -> None:
    schema = vectors(age=np.arange(200.0))
    batch, broken = summarised(schema, side(np.ones((9, 1)), "age"))
    assert broken == {("vec", "missing_column"): 9}
    checked = Checker(schema).check(batch)
    assert checked.violations == {}
    assert [values is not None and bool(np.isnan(values).all()) for values in checked.values] == [True, True, True, False]


def test_what_is_no_number_breaks_the_type() -> None:
    table = VECTORS[:5].astype(object)
    table[1, 2], table[1, 3], table[3, 0], table[4, 0] = "x", "y", True, None
    batch, broken = summarised(vectors(), side(table, *numbered("vec")))
    assert broken == {("vec", "type"): 2}
    assert np.isnan(column(batch.inputs, "vec.norm")).tolist() == [False, True, False, True, True]


def test_a_column_with_the_name_of_a_summary_is_not_the_summary() -> None:
    inputs = side(np.column_stack([VECTORS, np.full(200, 9.0)]), *numbered("vec"), "vec.norm")
    batch, _ = summarised(vectors(), inputs)
    assert batch.inputs.names == NAMES
    assert column(batch.inputs, "vec.norm")[0] == pytest.approx(np.linalg.norm(VECTORS[0]), rel=2e-4)


@pytest.mark.parametrize(
    "outputs",
    [side(VECTORS), side(VECTORS, *numbered("out")), side(VECTORS, *numbered("vec"))],
    ids=["position", "theirs", "ours"],
)
def test_vectors_come_back_as_predictions(outputs: Side) -> None:
    schema = schema_of(build({"x": np.arange(200.0), "vec": VECTORS}, prediction="vec"))
    batch, broken = summarised(schema, side(np.ones((200, 1)), "x"), outputs)
    assert broken == {}
    assert batch.outputs.names == NAMES
    assert batch.inputs.names == ("x",)


def test_outputs_of_another_width_break_the_shape() -> None:
    schema = schema_of(build({"x": np.arange(200.0), "vec": VECTORS}, prediction="vec"))
    batch, broken = summarised(schema, side(np.ones((4, 1)), "x"), side(np.ones((4, 3))))
    assert broken == {("vec", "shape"): 4}
    assert Checker(schema).check(batch).values[1:] == (None, None, None)


def test_a_score_beside_an_embedding_binds_as_ever() -> None:
    data = {"x": np.arange(200.0), "score": np.arange(200.0), "vec": VECTORS}
    schema = schema_of(build(data, prediction=("score", "vec")))
    batch, broken = summarised(schema, side(np.ones((4, 1)), "x"), side(np.full((4, 1), 7.0)))
    assert broken == {}
    checked = Checker(schema).check(batch)
    assert checked.values[1] is not None
    assert checked.values[1].tolist() == [7.0] * 4
    both, _ = summarised(schema, NOTHING, side(np.column_stack([np.full(200, 7.0), VECTORS])))
    assert column(both.outputs, "vec.norm")[0] == pytest.approx(np.linalg.norm(VECTORS[0]), rel=2e-4)


IMAGE_NAMES = tuple(f"img[{y}][{x}][{c}]" for y in range(5) for x in range(7) for c in range(3))


@pytest.mark.parametrize("names", [(), IMAGE_NAMES], ids=["position", "names"])
def test_images(names: tuple[str, ...]) -> None:
    flat = IMAGES.reshape(50, -1)
    batch, broken = summarised(schema_of(build({"img": IMAGES})), side(flat, *names))
    assert broken == {}
    wanted = image.summarise(np.ascontiguousarray(flat.T), (5, 7, 3))
    np.testing.assert_allclose(column(batch.inputs, "img.brightness"), wanted.brightness, rtol=3e-4)
    np.testing.assert_allclose(column(batch.inputs, "img.contrast"), wanted.contrast, rtol=3e-4)
    assert set(column(batch.inputs, "img.width")) == {7}
    assert set(column(batch.inputs, "img.height")) == {5}


def test_images_of_several_sizes_take_theirs_from_the_tensor() -> None:
    data = [np.ones((5, 7, 3)), np.ones((8, 9, 3))]
    schema = schema_of(build({"img": data}))
    tensor = TensorType("x", "UINT8", (3, 10, 20))
    batch, broken = summarised(schema, side(np.ones((4, 600)), tensors=(tensor,)))
    assert broken == {}
    assert set(column(batch.inputs, "img.width")) == {20}
    assert set(column(batch.inputs, "img.height")) == {10}


def test_an_image_of_another_size_breaks_the_shape_where_training_had_one() -> None:
    schema = schema_of(build({"img": IMAGES}))
    _, broken = summarised(schema, side(np.ones((4, 600)), tensors=(TensorType("img", "UINT8", (10, 20, 3)),)))
    assert broken == {("img", "shape"): 4}


PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.mark.parametrize("name", ["img", "img.b64", "b64"])
def test_image_files_in_base64(name: str) -> None:
    schema = schema_of(build({"img": [PIXEL] * 20}))
    values = np.array([base64.b64encode(PIXEL).decode(), None], dtype=object)
    batch, broken = summarised(schema, Side((name,), (values,), 2))
    assert broken == {}
    assert column(batch.inputs, "img.width").tolist()[0] == 1
    assert column(batch.inputs, "img.bytes").tolist()[0] == len(PIXEL)
    assert np.isnan(column(batch.inputs, "img.bytes")[1])


def test_texts_keep_their_column_beside_the_summaries() -> None:
    texts = [f"this is review number {i} of the product" for i in range(100)]
    schema = schema_of(build({"review": texts}))
    values = np.array(["один два", None, 5], dtype=object)
    for inputs in (Side(("review",), (values,), 3), Side(("0",), (values,), 3, True)):
        batch, broken = summarised(schema, inputs)
        assert broken == {}
        assert batch.inputs.names == ("review.length", "review.words", "review.script", "review")
        assert column(batch.inputs, "review.script").tolist() == ["cyrillic", None, None]
        np.testing.assert_array_equal(column(batch.inputs, "review.words"), [2, np.nan, np.nan])


def test_without_sources_a_batch_is_left_alone() -> None:
    schema = schema_of(build({"x": np.arange(200.0)}))
    batch = Batch("test", "", "", side(np.ones((4, 1)), "x"), NOTHING)
    assert Summariser(schema).summarise(batch)[0] is batch


def test_layouts_are_forgotten_when_there_are_too_many() -> None:
    summariser = Summariser(vectors())
    for width in range(1, 200):
        _, broken = summariser.summarise(Batch("test", "", "", side(np.ones((1, width))), NOTHING))
        assert bool(broken) == (width != WIDTH)
