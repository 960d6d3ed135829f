from __future__ import annotations

import base64
import re
import zlib
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.joint.correlation import correlation_of
from agent.joint.moments import CrossMoments
from agent.joint.reference import JointReference
from agent.profile.build import build
from agent.profile.format import Interplay, Profile
from agent.profile.interplay import interplay_faults
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of
from agent.profile.write import to_bytes


def data(rows: int = 3000) -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(1)
    x = generator.standard_normal((rows, 3))
    x[:, 1] += x[:, 0]
    colour = np.array(["red", "green", "blue"])[generator.integers(0, 3, rows)]
    odds = 1 / (1 + np.exp(-3 * x[:, 2]))
    answer = np.where(generator.random(rows) < odds, "yes", "no")
    return {"a": x[:, 0], "answer": answer, "colour": colour, "b": x[:, 1], "odds": odds, "c": x[:, 2]}


@cache
def profile() -> Profile:
    return build(data(), prediction="answer", probability=["odds"])


def interplay(of: Profile) -> Interplay:
    assert of.structure is not None
    assert of.structure.interplay is not None
    return of.structure.interplay


def reference(of: Profile) -> JointReference:
    found = schema_of(of).relations
    assert found is not None
    return found


def test_correlations_of_the_design_come_back() -> None:
    schema = schema_of(profile())
    assert schema.row_model is not None
    values = data()
    codes = np.array([profile().columns[2].categories.values.index(text) for text in values["colour"]])  # type: ignore[union-attr]
    encoded = [{"colour": codes}.get(name, values[name]) for name in schema.row_model.names]
    moments = CrossMoments(schema.row_model.design.width)
    moments.update(schema.row_model.design.matrix(encoded, 3000))
    expected = correlation_of(moments.result())
    found = reference(profile()).correlation
    off = ~np.eye(moments.size, dtype=bool)
    np.testing.assert_allclose(found.r[off], expected.r[off], atol=1e-6)
    np.testing.assert_allclose(found.variance[off], expected.variance[off], rtol=1e-3, atol=1e-3)
    assert found.rows == 3000
    assert (found.tail[off] > 0).all()


def test_indicators_of_one_category_are_not_compared() -> None:
    found = reference(profile())
    colours = [place for place, name in enumerate(found.names) if name.startswith("colour=")]
    assert len(colours) == 2
    assert not found.correlation.compared[np.ix_(colours, colours)].any()
    assert found.correlation.compared[colours[0], 0]


def test_prediction_comes_before_the_probability() -> None:
    assert interplay(profile()).prediction == "answer"
    only = {name: column for name, column in data().items() if name != "answer"}
    assert interplay(build(only, probability=["odds"])).prediction == "odds"


def test_relevance_of_features_is_that_of_their_tables() -> None:
    found = reference(profile())
    relevance = dict(zip(found.features.names, found.relevance.value.tolist(), strict=True))
    assert relevance["c"] > 0.3
    assert max(relevance["a"], relevance["b"], relevance["colour"]) < 0.02
    assert found.relevance.rows.tolist() == [3000] * 4


def test_cells_find_the_columns_of_the_schema() -> None:
    schema = schema_of(profile())
    found = reference(profile())
    names = [column.name for column in schema.columns]
    assert tuple(names[place] for place in found.features.places) == found.features.names
    assert [names[place] for place in found.answers.places] == ["answer"]


def test_without_a_prediction_there_are_no_tables() -> None:
    made = build({name: column for name, column in data().items() if name in "abc"})
    assert (interplay(made).prediction, interplay(made).counts) == ("", "")
    assert reference(made).relevance.value.size == 0


def test_file_is_read_as_it_was_written() -> None:
    again = read_bytes(to_bytes(profile()))
    assert interplay(again) == interplay(profile())


def test_profile_without_interplay_has_no_relations() -> None:
    structure = msgspec.structs.replace(profile().structure, interplay=None)  # type: ignore[type-var]
    old = msgspec.structs.replace(profile(), structure=structure)
    schema = schema_of(read_bytes(to_bytes(old)))
    assert schema.relations is None
    assert schema.row_model is not None


def packed(values: list[float], kind: str = "<f4") -> str:
    return base64.b64encode(np.array(values, dtype=kind).tobytes()).decode()


PAIRS = 10
SPOILED: list[tuple[dict[str, Any], str]] = [
    ({"rows": 99}, r"\.rows is 99"),
    ({"rows": 70_000}, r"\.rows is 70000"),
    ({"r": packed([0.0] * (PAIRS - 1))}, r"\.r is not 10 float32"),
    ({"r": packed([1.5] * PAIRS)}, r"\.r is not 10"),
    ({"r": "?"}, r"\.r is not 10"),
    ({"variances": packed([-1.0] * PAIRS, "<f2")}, r"\.variances is not 10 float16"),
    ({"tails": packed([np.nan] * PAIRS, "<f2")}, r"\.tails is not 10"),
    ({"means": packed([2.0] * 128)}, r"\.means is not 128"),
    ({"means": packed([np.nan] * 128)}, r"\.means is not 128"),
    ({"bandwidth": 0.0}, r"\.bandwidth is not positive"),
    ({"squares": 3.0}, r"\.squares or largest"),
    ({"largest": -0.1}, r"\.squares or largest"),
    ({"prediction": "colour"}, r"\.prediction names 'colour'"),
    ({"prediction": "nobody"}, r"\.prediction names 'nobody'"),
    ({"prediction": ""}, r"\.counts is not 0 tables"),
    ({"counts": ""}, r"\.counts is not 4 tables"),
    ({"counts": "AAAA"}, r"\.counts is not 4 tables"),
    ({"counts": base64.b64encode(zlib.compress(bytes(1 << 20))).decode()}, r"\.counts is not 4 tables: 1153 bytes"),
    ({"counts": base64.b64encode(zlib.compress(b"\xff" * 1152)).decode()}, r"\.counts has a table of more than 3000 rows"),
]


@pytest.mark.parametrize(("change", "message"), SPOILED, ids=lambda case: case if isinstance(case, str) else "")
def test_faults_are_told(change: dict[str, Any], message: str) -> None:
    spoiled = msgspec.structs.replace(interplay(profile()), **change)
    names = ["a", "b", "c", "colour"]
    of_name = {column.name: column for column in profile().columns}
    found = list(interplay_faults(spoiled, 5, names, of_name, "$"))
    assert len(found) == (2 if change == {"rows": 99} else 1)  # the tables have more rows then
    assert re.search(message, found[0])


def test_sound_interplay_has_no_faults() -> None:
    of_name = {column.name: column for column in profile().columns}
    assert list(interplay_faults(interplay(profile()), 5, ["a", "b", "c", "colour"], of_name, "$")) == []


def cyclic(rows: int) -> dict[str, NDArray[Any]]:
    """Give 48 hours of traffic: `a`, `b` and the answer's odds follow the time of day, `c` and `d` go together within it."""
    generator = np.random.default_rng(3)
    day = np.repeat(np.sin(2 * np.pi * np.arange(48) / 24), rows // 48)
    x = generator.standard_normal((day.size, 4))
    x[:, :2] += 2 * day[:, None]
    x[:, 3] += x[:, 2]
    answer = np.where(generator.random(day.size) < 0.5 + 0.45 * day, "yes", "no")
    return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "d": x[:, 3], "answer": answer}


@cache
def cut(rows: int = 14_400) -> Profile:
    return build(cyclic(rows), prediction="answer", chunk=str(rows // 48))


def test_what_chunks_differ_by_comes_back() -> None:
    found = reference(read_bytes(to_bytes(cut())))
    usual = found.usual
    a, b, c, d = (found.names.index(name) for name in "abcd")
    assert usual.correlation[a, b] == usual.correlation[b, a] > 0.5
    assert usual.correlation[c, d] < 0.2
    assert usual.correlation[a, c] < 0.2
    features = dict(zip(found.features.names, usual.association, strict=True))
    assert features["c"] < 0.1
    assert usual.discrepancy > found.tolerance


def test_without_chunks_nothing_is_usual() -> None:
    usual = reference(profile()).usual
    assert not usual.correlation.any()
    assert not usual.association.any()
    assert usual.discrepancy == 0
    assert b"usual" not in to_bytes(profile())


def test_a_profile_of_an_earlier_version_has_nothing_usual() -> None:
    structure = cut().structure
    assert structure is not None
    older = msgspec.structs.replace(interplay(cut()), usual_r="", usual_associations="", usual_discrepancy=0.0)
    before = msgspec.structs.replace(cut(), structure=msgspec.structs.replace(structure, interplay=older))
    assert not reference(read_bytes(to_bytes(before))).usual.correlation.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"usual_r": interplay(cut()).usual_r[:-4]}, r"usual_r is not 6 float16"),
        ({"usual_r": base64.b64encode(np.full(6, np.nan, dtype="<f2").tobytes()).decode()}, r"usual_r is not 6 float16"),
        ({"usual_r": base64.b64encode(np.full(6, 2.5, dtype="<f2").tobytes()).decode()}, r"usual_r is not 6 float16"),
        ({"usual_r": ""}, r"usual_r is missing"),
        ({"usual_associations": ""}, r"usual_associations is not 4 float16"),
        ({"usual_discrepancy": -1.0}, r"usual_discrepancy is not within"),
        ({"usual_discrepancy": float("nan")}, r"usual_discrepancy is not within"),
    ],
)
def test_faults_of_what_is_usual_are_told(change: dict[str, Any], message: str) -> None:
    spoiled = msgspec.structs.replace(interplay(cut()), **change)
    of_name = {column.name: column for column in cut().columns}
    found = list(interplay_faults(spoiled, 4, list("abcd"), of_name, "$"))
    assert len(found) == 1
    assert re.search(message, found[0])


def test_chunks_of_more_rows_than_the_sample_takes_are_sampled_evenly() -> None:
    few, many = reference(cut(14_400)).usual, reference(cut(144_000)).usual
    np.testing.assert_allclose(few.correlation, many.correlation, atol=0.15)
    chunks = schema_of(cut(144_000)).chunks
    assert chunks is not None
    held = chunks.columns["row.anomaly"].counts.sum(axis=1)
    assert set(chunks.rows.tolist()) == {3000}
    assert held.tolist() == [1000] * 48  # every third, and none of them is in the sample that the model was learned from
