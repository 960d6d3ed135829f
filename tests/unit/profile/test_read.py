"""Reading profiles: golden files forever, and every fault told with file, place and remedy."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.read import MAX_BYTES, read, read_bytes
from agent.profile.schema import schema_of
from agent.profile.write import to_bytes, write

GOLDEN = Path(__file__).parents[2] / "golden" / "profile"


def sample() -> Profile:
    spec = importlib.util.spec_from_file_location("build_sample", GOLDEN / "build_sample.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.sample()
    assert isinstance(made, Profile)
    return made


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    profile = build({"x": rng.normal(size=500), "c": ["a", "b", "b", None, "b"] * 100, "z": rng.normal(size=500)})
    document: dict[str, Any] = json.loads(to_bytes(profile))
    return document


@pytest.mark.parametrize("name", ["profile_1.json", "profile_1.json.gz"])
def test_golden_files_still_read(name: str) -> None:
    profile = read(GOLDEN / name)
    assert profile.format == "outrider-profile/1"
    assert profile.model.name == "sample"
    assert [column.type for column in profile.columns] == [
        "integer", "float", "float", "float", "category", "category", "boolean", "text", "datetime", "text", "category", "float",
        "category", "category",
    ]  # fmt: skip
    assert profile.performance[0].value == 0.95
    schema = schema_of(profile)
    assert [column.name for column in schema.outputs] == ["score", "answer"]


def test_golden_file_is_what_is_built_today() -> None:
    today, golden = json.loads(to_bytes(sample())), json.loads((GOLDEN / "profile_1.json").read_bytes())
    # The last bit of a product of matrices is the processor's choice.
    bits = [np.frombuffer(base64.b64decode(document["joint"].pop("correlation")), dtype="<f4") for document in (today, golden)]
    np.testing.assert_allclose(bits[0], bits[1], rtol=1e-6)
    for column in today["columns"]:  # a field that came later
        column.get("numeric", {}).pop("bin_sums", None)
    del today["segments"]  # came later, as test_segments.py has it
    del today["structure"]  # came later too; its columns' own tests are in test_structure.py
    assert today == golden


@pytest.mark.parametrize("name", ["p.json", "p.json.gz"])
def test_what_is_written_reads_back(name: str, tmp_path: Path) -> None:
    profile = sample()
    assert write(profile, tmp_path / name) == (tmp_path / name).stat().st_size
    assert read(tmp_path / name) == profile


def column(place: int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["columns"][place].update(changes)


def numeric(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["columns"][0]["numeric"].update(changes)


def category(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["columns"][1]["categories"].update(changes)


FAULTS: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (lambda d: d.update(format="outrider-profile/9"), r"\$\.format is 'outrider-profile/9', and this version reads"),
    (lambda d: d.pop("rows"), r"missing required field `rows`"),
    (lambda d: d.update(rows="many"), r"Expected `int`, got `str` - at `\$\.rows`"),
    (lambda d: d.update(extra=1), r"unknown field `extra`"),
    (lambda d: d.update(rows=499), r"\$\.columns\[0\]\.rows is 500, but \$\.rows is 499"),
    (lambda d: d.update(columns=[]), r"\$\.columns is empty"),
    (lambda d: d["model"].update(task="guess"), r"\$\.model\.task is 'guess'"),
    (column(0, role="input"), r"\$\.columns\[0\]\.role is 'input', none of feature,"),
    (column(0, type="double"), r"\$\.columns\[0\]\.type is 'double', none of float,"),
    (column(0, type="category"), r"\$\.columns\[0\]\.numeric does not go with the type 'category'"),
    (column(1, type="text"), r"\$\.columns\[1\]\.categories does not go with"),
    (column(1, name="x"), r"\$\.columns\[1\]\.name repeats 'x' of \$\.columns\[0\]"),
    (column(0, missing=501), r"\$\.columns\[0\]\.missing is 501, of 500 rows"),
    (column(0, missing=1), r"numeric\.count and infinite make 500, but 499"),
    (numeric(bin_counts=[500]), r"\$\.columns\[0\]\.numeric\.bin_counts has 1 entries for 59 edges"),
    (lambda d: d["columns"][0]["numeric"]["edges"].reverse(), r"\$\.columns\[0\]\.numeric\.edges is not ascending"),
    (lambda d: d["columns"][0]["numeric"]["bin_counts"].__setitem__(0, 9999), r"numeric\.bin_counts sums to"),
    (numeric(coarse=[]), r"numeric\.coarse is not ascending from 0 within 60 bins"),
    (numeric(coarse=[0, 60]), r"numeric\.coarse is not ascending"),
    (numeric(coarse=[1, 2]), r"numeric\.coarse is not ascending"),
    (numeric(minimum=None), r"numeric\.minimum and maximum do not go with 500 values"),
    (numeric(minimum=99.0), r"numeric\.minimum is above maximum"),
    (numeric(variance=-1.0), r"numeric\.variance is negative"),
    (numeric(kll="?"), r"numeric\.kll is no quantile sketch"),
    (numeric(kll=base64.b64encode(b"\5\1\x0f" * 40).decode()), r"numeric\.kll is no quantile sketch \(no KLL sketch\)"),
    (numeric(mean="NaN"), r"Expected `float \| null`, got `str` - at `\$\.columns\[0\]\.numeric\.mean`"),
    (category(counts=[300]), r"categories\.counts has 1 entries for 2 values"),
    (category(values=["a", "a"]), r"categories\.values repeats a category"),
    (category(other=-1), r"counts or other is negative"),
    (category(other=7), r"categories\.counts and other sum to 407, but 400 rows have a value"),
    (category(distinct=1), r"categories\.distinct is 1, but 2 are listed"),
    (lambda d: d["joint"].update(columns=["x", "y"]), r"\$\.joint\.columns\[1\] names 'y', which is no column"),
    (lambda d: d["joint"].update(correlation="AA=="), r"\$\.joint\.correlation has 1 bytes, but 2 columns have 1 pairs"),
    (lambda d: d["joint"].update(correlation="?"), r"\$\.joint\.correlation is not base64"),
    (
        lambda d: d.update(association=[{"feature": "q", "measure": "pearson_r", "value": 1}]),
        r"\$\.association\[0\]\.feature names 'q'",
    ),
]


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_faults_are_told_with_their_place(change: Any, message: str, plain: dict[str, Any]) -> None:
    document = json.loads(json.dumps(plain))
    change(document)
    with pytest.raises(ProfileError, match=message) as caught:
        read_bytes(json.dumps(document).encode(), name="model.json")
    assert str(caught.value).startswith("model.json: ")
    assert str(caught.value).endswith("build it again with `outrider profile build`")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is not JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "Expected `object`|is not JSON"),
        (b'{"format":NaN}', "is not JSON"),
        (b"\x1f\x8bnothing", "is not valid gzip"),
        (gzip.compress(b"{}" * 1000)[:-12], "the gzip data is cut off"),
        (gzip.compress(b" " * (MAX_BYTES + 1), 1), "is larger than 64 MiB unpacked"),
    ],
)
def test_rubbish_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        read_bytes(data)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.json: can't be read: No such file"):
        read(tmp_path / "none.json")
    with pytest.raises(ProfileError, match="can't be read: Is a directory"):
        read(tmp_path)


def test_writing_where_nothing_can_be_written(tmp_path: Path, plain: dict[str, Any]) -> None:
    with pytest.raises(ProfileError, match="can't be written: No such file"):
        write(sample(), tmp_path / "none" / "p.json")


def test_writing_replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "p.json"
    target.write_text("old")
    write(sample(), target)
    assert [file.name for file in tmp_path.iterdir()] == ["p.json"]
    assert target.stat().st_mode & 0o444
