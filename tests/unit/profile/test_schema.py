"""The bins' sums of a profile, read or reckoned from an older profile's sketch."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from agent.profile.build import build
from agent.profile.format import ColumnProfile
from agent.profile.schema import reference_of
from agent.sketch.bins import origin_of
from agent.sketch.summary import NumericSummary


def column_of(values: NDArray[np.float64]) -> ColumnProfile:
    return build({"x": values}, numeric=["x"]).columns[0]


def reference(column: ColumnProfile) -> NumericSummary:
    found = reference_of(column)
    assert isinstance(found, NumericSummary)
    return found


def before_sums(column: ColumnProfile) -> ColumnProfile:
    assert column.numeric is not None
    return msgspec.structs.replace(column, numeric=msgspec.structs.replace(column.numeric, bin_sums=""))


def exact_sums(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    finite = values[np.isfinite(values)]
    places = np.searchsorted(edges, finite, side="right")
    sums: NDArray[np.float64] = np.bincount(places, finite - origin_of(edges), edges.size + 1).astype(np.float64)
    return sums


def make(kind: str) -> NDArray[np.float64]:
    rng = np.random.default_rng(4)
    values = {
        "normal": rng.normal(size=20_000), "far": 1e9 + rng.normal(size=20_000), "skewed": rng.lognormal(0, 2, size=20_000),
        "few": np.round(rng.normal(size=5000)), "constant": np.full(50, 2.5),
    }[kind]  # fmt: skip
    values[::10] = np.nan
    return values


@pytest.mark.parametrize("kind", ["normal", "far", "skewed", "few", "constant"])
def test_sums_are_those_of_the_data(kind: str) -> None:
    values = make(kind)
    summary = reference(column_of(values))
    expected = exact_sums(values, summary.edges)
    moved = np.abs(summary.bin_sums - expected).sum() / summary.count
    assert moved <= 1e-6 * max(np.sqrt(summary.variance), 1e-300)


@pytest.mark.parametrize("kind", ["normal", "far", "skewed", "few", "constant"])
def test_sums_of_an_older_profile_come_from_its_sketch(kind: str) -> None:
    values = make(kind)
    summary = reference(before_sums(column_of(values)))
    expected = exact_sums(values, summary.edges)
    assert np.abs(summary.bin_sums - expected).sum() / summary.count <= 0.05 * np.sqrt(summary.variance)


def test_infinities_are_in_no_sum() -> None:
    values = np.append(np.random.default_rng(2).normal(size=5000), np.full(400, np.inf))
    column = column_of(values)
    for found in (reference(column), reference(before_sums(column))):
        expected = exact_sums(values, found.edges)
        assert found.bin_counts[-1] >= 400
        assert found.bin_sums[-1] == pytest.approx(expected[-1], rel=0.25)


@pytest.mark.parametrize("values", [[np.nan, np.nan], [np.inf, np.nan]])
def test_without_values_the_sums_are_zero(values: list[float]) -> None:
    column = column_of(np.array(values))
    assert not reference(column).bin_sums.any()
    assert not reference(before_sums(column)).bin_sums.any()


def test_sums_beyond_a_float_are_left_out() -> None:
    column = column_of(np.append(np.linspace(0.0, 1.0, 3000), [-1.7e308] * 900))
    assert column.numeric is not None
    assert not column.numeric.bin_sums
    assert not np.isfinite(reference(column).bin_sums).all()
