"""Laws that every sum of agent.joint obeys: cut anywhere, merged in any order, written and read, it is what saw all rows.

Old bytes are read for good: `tests/golden/joint` has what each of them wrote first, and no file there is ever changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.errors import OutriderError
from agent.joint.association import CELLS, Associations
from agent.joint.fourier import FourierSums, frequencies
from agent.joint.moments import CrossMoments

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "joint"
COLUMNS = 3
ROWS = 60
WAVES = frequencies(COLUMNS, 2.0)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One sum: how to make it, feed it rows of numbers, read it, and see what it says as one array."""

    make: Callable[[], Any]
    feed: Callable[[Any, Matrix], None]
    read: Callable[[bytes], Any]
    says: Callable[[Any], Matrix]


def _associate(tables: Associations, matrix: Matrix) -> None:
    cells = np.floor(np.abs(matrix) * 3).astype(np.int64) % (CELLS + 1) - 1
    tables.update(cells.T, cells[:, 0])


def _moments(sums: CrossMoments) -> Matrix:
    found = sums.result()
    # Each power over its largest possible value.
    parts = (found.rows, found.mean / 4, found.products / 16, found.thirds / 64, found.squares / 256, found.cubes / 256)
    return np.concatenate([np.ravel(part) for part in parts])


CASES = {
    "CrossMoments": Case(
        lambda: CrossMoments(COLUMNS), CrossMoments.update, lambda data: CrossMoments.from_bytes(data, COLUMNS), _moments
    ),
    "FourierSums": Case(
        lambda: FourierSums(WAVES),
        FourierSums.update,
        lambda data: FourierSums.from_bytes(data, WAVES),
        lambda sums: np.append(sums.result().means, sums.result().rows),
    ),
    "Associations": Case(
        lambda: Associations(COLUMNS),
        _associate,
        lambda data: Associations.from_bytes(data, COLUMNS),
        lambda sums: sums.result().ravel().astype(np.float64),
    ),
}
by_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EXACT = 1e-5
WRITTEN = 2.0**-11
"""The moments that a variance comes from are written as float16."""


def assert_same(a: Matrix, b: Matrix, tolerance: float) -> None:
    np.testing.assert_allclose(a, b, rtol=EXACT, atol=tolerance)


def rows() -> Matrix:
    # Of a fixed formula, so that golden files do not hang on a generator.
    place = np.arange(ROWS * COLUMNS, dtype=np.float64).reshape(ROWS, COLUMNS)
    return np.asarray(4 * np.sin(place * place))


def fed(case: Case, *parts: Matrix) -> Any:
    sums = case.make()
    for part in parts:
        case.feed(sums, part)
    return sums


@by_case
@settings(max_examples=50, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=4).map(sorted), backwards=st.booleans(), written=st.booleans())
def test_merged_parts_are_the_whole(case: Case, cuts: list[int], *, backwards: bool, written: bool) -> None:
    merged = case.make()
    parts = np.split(rows(), cuts)
    for part in reversed(parts) if backwards else parts:
        sums = fed(case, part)
        merged.merge(case.read(sums.to_bytes()) if written else sums)
    assert_same(case.says(merged), case.says(fed(case, rows())), WRITTEN if written else EXACT)


@by_case
def test_batches_are_the_whole(case: Case) -> None:
    single = [rows()[place : place + 1] for place in range(ROWS)]
    assert_same(case.says(fed(case, *single)), case.says(fed(case, rows())), EXACT)


@by_case
def test_merging_leaves_the_other_alone(case: Case) -> None:
    mine, other = fed(case, rows()[:10]), fed(case, rows()[10:])
    before = other.to_bytes()
    mine.merge(other)
    case.feed(mine, rows())
    assert other.to_bytes() == before


@by_case
def test_written_and_read_bytes_are_the_same(case: Case) -> None:
    data = fed(case, rows()).to_bytes()
    assert case.read(data).to_bytes() == data


@by_case
@given(data=st.binary(max_size=200), cut=st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_other_bytes_are_an_error_of_ours(case: Case, data: bytes, cut: int) -> None:
    whole = fed(case, rows()).to_bytes()
    for wrong in (data, whole[: min(cut, len(whole) - 1)], whole + data if data else b""):
        with pytest.raises(OutriderError):
            case.read(wrong)


@pytest.mark.parametrize("name", CASES)
def test_first_bytes_ever_written_are_read(name: str) -> None:
    case = CASES[name]
    old = case.read((GOLDEN / f"{name}.1.bin").read_bytes())
    assert_same(case.says(old), case.says(fed(case, rows())), WRITTEN)
