"""A whole profile: exact counts, roles, categories, what columns have to do with each other, limits of size and memory."""

from __future__ import annotations

import base64
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent.errors import ProfileError
from agent.profile.build import build
from agent.profile.format import Categories, ColumnProfile, Numeric, Profile
from agent.profile.read import read_bytes
from agent.profile.schema import schema_of
from agent.profile.write import to_bytes
from agent.sketch.summary import NumericSummary


def numeric(column: ColumnProfile) -> Numeric:
    assert column.numeric is not None
    return column.numeric


def categories(column: ColumnProfile) -> Categories:
    assert column.categories is not None
    return column.categories


def test_numeric_column_is_counted_exactly() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(10, 3, size=200_000)
    values[:500] = np.nan
    values[500:503] = [np.inf, -np.inf, np.inf]
    column = build({"x": values}).columns[0]
    found, finite = numeric(column), values[np.isfinite(values)]
    assert (column.rows, column.missing, found.infinite, found.count) == (200_000, 500, 3, len(finite))
    assert found.mean == pytest.approx(finite.mean(), rel=1e-13)
    assert found.variance == pytest.approx(finite.var(), rel=1e-12)
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    present = values[~np.isnan(values)]
    exact = np.bincount(np.searchsorted(found.edges, present, side="right"), minlength=60)
    assert found.bin_counts == exact.tolist()
    assert np.add.reduceat(found.bin_counts, found.coarse) == pytest.approx(len(present) / 10, rel=0.02)


def test_reference_from_the_profile_has_its_quantiles() -> None:
    values = np.random.default_rng(2).exponential(size=300_000)
    summary = schema_of(build({"x": values})).features[0].reference
    assert isinstance(summary, NumericSummary)
    ranks = np.cumsum(summary.weights) / summary.weights.sum()
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        point = summary.points[np.searchsorted(ranks, share)]
        assert (values <= point).mean() == pytest.approx(share, abs=0.012)


def test_mean_far_from_zero_keeps_its_variance() -> None:
    values = 1e9 + np.random.default_rng(3).normal(size=200_000)
    assert numeric(build({"x": values}).columns[0]).variance == pytest.approx(values.var(), rel=1e-9)


def test_numbers_beyond_squares_give_null_not_infinity() -> None:
    column = build({"x": [1.5e308, -1.5e308, 1.7e308, 1e300]}).columns[0]
    assert numeric(column).variance is None
    assert read_bytes(to_bytes(build({"x": [1.5e308, -1.5e308]}))).columns[0].numeric is not None


def test_categories_are_ranked_and_the_rest_summed_up() -> None:
    values = [f"c{i:03}" for i in range(150) for _ in range(200 - i)]
    found = categories(build({"x": values}).columns[0])
    assert found.values == [f"c{i:03}" for i in range(100)]
    assert found.counts == [200 - i for i in range(100)]
    assert (found.other, found.distinct) == (sum(200 - i for i in range(100, 150)), 150)


def test_more_categories_than_memory_are_still_counted_exactly() -> None:
    rng = np.random.default_rng(4)
    rare = np.char.add("rare", rng.integers(0, 60_000, 100_000).astype(str))
    values = np.where(rng.random(100_000) < 0.2, "often", rare)
    found = categories(build({"x": values}, categorical="x").columns[0])
    assert (found.values[0], found.counts[0]) == ("often", (values == "often").sum())
    assert found.distinct == pytest.approx(len(np.unique(values)), rel=0.05)
    assert sum(found.counts) + found.other == 100_000


def test_numbers_as_categories_have_canonical_texts() -> None:
    found = categories(build({"x": np.repeat([3.0, -1.0, np.nan, 7.0], [50, 60, 5, 40])}).columns[0])
    assert (found.values, found.counts) == (["-1", "3", "7"], [60, 50, 40])
    assert categories(build({"x": [1.5, 2.0, -0.0]}, categorical="x").columns[0]).values == ["0", "1.5", "2"]


def test_roles_and_order() -> None:
    data = {name: [0.5, 1.5] for name in ("a", "id", "y", "p", "q0", "q1", "s", "t", "out", "b")}
    profile = build(
        data, label="y", prediction="p", probability=["q0", "q1"], id="id", segment="s", time="t", exclude=("out",)
    )  # fmt: skip
    assert [(c.name, c.role) for c in profile.columns] == [
        ("a", "feature"), ("id", "id"), ("y", "label"), ("p", "prediction"), ("q0", "probability"), ("q1", "probability"),
        ("s", "segment"), ("t", "time"), ("b", "feature"),
    ]  # fmt: skip
    assert profile.columns[6].type == "category"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "z"}, "label: there is no column 'z'; the columns are a, b"),
        ({"exclude": ["z", "a"], "label": "w"}, "label: there is no column 'w'.*\nexclude: there is no column 'z'"),
        ({"label": "a", "prediction": "a"}, "column 'a' can't be both label and prediction"),
        ({"label": "a", "exclude": "a"}, "column 'a' can't be both label and exclude"),
        ({"categorical": "a", "numeric": "a"}, "column 'a' can't be both categorical and numeric"),
        ({"exclude": ["a", "b"]}, "every column is excluded"),
        ({"task": "ranking"}, "task: 'ranking' is neither"),
    ],
)
def test_contradictions_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        build({"a": [1], "b": [2]}, **options)


def test_accuracy_of_classes_beyond_the_listed_ones() -> None:
    rng = np.random.default_rng(5)
    label = np.char.add("class ", rng.integers(0, 300, 20_000).astype(str)).astype(object)
    prediction = np.where(rng.random(20_000) < 0.7, label, "class 0")
    prediction[:100] = None
    profile = build({"y": label, "p": prediction}, label="y", prediction="p")
    right = (label == prediction)[100:]
    assert profile.model.task == "classification"
    assert profile.performance[0].measure == "accuracy"
    assert profile.performance[0].rows == 19_900
    assert profile.performance[0].value == pytest.approx(right.mean())


def test_task_and_model_are_kept() -> None:
    profile = build(
        {"y": [0.5], "p": [1.5]}, label="y", prediction="p", model_name="m", model_version="3", trained_at="2024-05-01"
    )
    assert profile.model.task == "regression"
    assert (profile.model.name, profile.model.version, profile.model.trained_at) == ("m", "3", "2024-05-01")
    assert build({"x": [1]}).model.task == ""


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    build({"x": np.arange(150_000)}, progress=lambda *how_far: told.append(how_far))
    assert told[0][1:] == (0, 150_000)
    assert [done for _, done, _ in told] == [0, 65_536, 131_072, 150_000] * 2
    assert len({stage for stage, _, _ in told}) == 2


def wide() -> Profile:
    """200 columns that leave nothing short: 17-digit values, a worst number of rows, names of 30 characters."""
    rng = np.random.default_rng(6)
    rows = 96 * 64 * 2 - 1
    data: dict[str, NDArray[Any]] = {f"a_rather_long_column_name_{i:04}": rng.normal(size=rows) * 1e6 for i in range(195)}
    data |= {f"city_{i}": np.char.add("some city ", rng.integers(0, 400, rows).astype(str)) for i in range(4)}
    return build(data | {"p": rng.normal(size=rows)}, prediction="p")


def test_two_hundred_columns_fit_into_a_config_map() -> None:
    profile = wide()
    assert len(profile.columns) == 200
    assert len(to_bytes(profile)) < 1 << 20


def test_correlations_are_packed_without_gaps() -> None:
    joint = wide().joint
    assert joint is not None
    assert len(base64.b64decode(joint.correlation)) == 4 * 195 * 194 // 2


def test_memory_does_not_grow_with_the_rows(tmp_path: Any) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    peaks = []
    for blocks in (3, 15):
        path = tmp_path / f"{blocks}.parquet"
        part = pa.table({f"x{i}": np.random.default_rng(i).normal(size=65_536) for i in range(4)})
        with pq.ParquetWriter(path, part.schema) as writer:
            for _ in range(blocks):
                writer.write_table(part)
        allocated: list[int] = []
        tracemalloc.start()
        assert build(path, progress=lambda *_, seen=allocated: seen.append(pa.total_allocated_bytes())).rows == blocks * 65_536
        peaks.append(tracemalloc.get_traced_memory()[1] + max(allocated) - allocated[0])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
