from __future__ import annotations

import numpy as np
import pytest

from agent.errors import OutriderError
from agent.joint.association import CELLS, Associations, cells_of


def tables_of(cells: list[list[int]], answers: list[int]) -> Associations:
    tables = Associations(len(cells))
    tables.update(np.array(cells, dtype=np.int64), np.array(answers, dtype=np.int64))
    return tables


def test_cells_begin_at_their_edges() -> None:
    cells = cells_of([("x", 0, [1.0, 2.0])])
    values = np.array([-np.inf, 0.999, 1.0, 1.5, 2.0, np.inf, np.nan])
    assert cells.place([values], 7).tolist() == [[0, 0, 1, 1, 2, 2, -1]]


def test_categories_beyond_the_listed_ones_share_a_cell() -> None:
    cells = cells_of([("few", 0, 2), ("many", 1, 300)])
    found = cells.place([np.array([0, 1, 2, 9, -1]), np.array([10, 11, 12, 300, -1])], 5)
    assert found.tolist() == [[0, 1, 2, 2, -1], [10, 11, 11, 11, -1]]


def test_numbers_stand_before_categories() -> None:
    cells = cells_of([("colour", 0, 3), ("age", 2, [5.0]), ("shape", 1, 2)])
    assert cells.names == ("age", "colour", "shape")
    assert cells.place([np.array([1]), np.array([0]), np.array([7.0])], 1).tolist() == [[1], [1], [0]]


def test_column_that_is_not_there_is_missing() -> None:
    cells = cells_of([("age", 0, [5.0]), ("shape", 1, 2)])
    assert cells.place([None, None], 3).tolist() == [[-1] * 3, [-1] * 3]


@pytest.mark.parametrize("edges", [11, 12, 30, 59])
def test_many_edges_are_thinned_evenly(edges: int) -> None:
    cells = cells_of([("x", 0, [float(edge) for edge in range(edges)])])
    found = cells.place([np.arange(-0.5, edges)], edges + 1)[0]
    assert found.max() < CELLS
    widths = np.bincount(found)
    assert widths[:-1].max() == widths[:-1].min()


def test_column_without_edges_has_one_cell() -> None:
    assert cells_of([("x", 0, [])]).place([np.array([3.0, np.nan])], 2).tolist() == [[0, -1]]


def test_rows_are_counted_in_every_feature_table() -> None:
    generator = np.random.default_rng(5)
    cells, answers = generator.integers(-1, CELLS, (4, 500)), generator.integers(-1, CELLS, 500)
    tables = Associations(4)
    tables.update(cells, answers)
    expected = np.zeros((4, CELLS, CELLS), dtype=np.int64)
    for feature in range(4):
        for cell, answer in zip(cells[feature], answers, strict=True):
            if cell >= 0 and answer >= 0:
                expected[feature, cell, answer] += 1
    np.testing.assert_array_equal(tables.result(), expected)


def test_merging_parts_is_seeing_all_also_through_bytes() -> None:
    generator = np.random.default_rng(6)
    cells, answers = generator.integers(-1, CELLS, (3, 900)), generator.integers(-1, CELLS, 900)
    whole, merged = Associations(3), Associations(3)
    whole.update(cells, answers)
    for rows in (slice(0, 1), slice(1, 600), slice(600, None)):
        part = Associations(3)
        part.update(cells[:, rows], answers[rows])
        merged.merge(Associations.from_bytes(part.to_bytes(), 3))
    np.testing.assert_array_equal(merged.result(), whole.result())


def test_large_counts_survive_the_bytes() -> None:
    tables = tables_of([[1]], [2])
    for _ in range(17):
        tables.merge(Associations.from_bytes(tables.to_bytes(), 1))
    assert Associations.from_bytes(tables.to_bytes(), 1).result()[0, 1, 2] == 1 << 17


def test_result_is_a_copy() -> None:
    tables = tables_of([[0]], [0])
    tables.result()[:] = 7
    assert tables.result().sum() == 1


def test_other_bytes_and_other_features_are_refused() -> None:
    with pytest.raises(OutriderError, match="association"):
        Associations.from_bytes(tables_of([[0]], [0]).to_bytes(), 2)
    with pytest.raises(OutriderError, match="different features"):
        Associations(1).merge(Associations(2))
