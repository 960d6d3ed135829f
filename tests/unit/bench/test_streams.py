from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.bench.detect.changes import CHANGES, COLUMNS, changed, stationary
from tests.bench.detect.columns import Block, made
from tests.bench.detect.streams import (
    BURSTY,
    DAILY,
    HOUR_ROWS,
    HOURS,
    KINDS,
    PLAIN,
    TRAINING_ROWS,
    burst_lengths,
    leaning_ranks,
    ordered,
    training,
    windows,
)
from tests.bench.detect.wire import Column

LINE = Block("line", (Column("place"), Column("twice")), np.array([np.arange(1_000.0), 2 * np.arange(1_000.0)]))
A, B, C, D, E, F = range(6)


def first(kind: str, rows: int, count: int = 1) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return list(islice(windows([LINE], kind, 1, rows), count))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 7, 500])
def test_windows_have_their_rows_and_rows_stay_whole(kind: str, rows: int) -> None:
    for window in first(kind, rows, 3):
        assert window.shape == (2, rows)
        np.testing.assert_array_equal(window[1], 2 * window[0])


def test_the_same_seed_gives_the_same_stream_and_windows_differ() -> None:
    one, other = first(PLAIN, 50, 2), first(PLAIN, 50, 2)
    np.testing.assert_array_equal(one, other)
    assert (one[0] != one[1]).any()


def test_bursts_repeat_rows_next_to_each_other() -> None:
    (window,) = first(BURSTY, 20_000)
    (plain,) = first(PLAIN, 20_000)
    assert (np.diff(window[0]) == 0).mean() > 0.5
    assert (np.diff(plain[0]) == 0).mean() < 0.01


def test_burst_lengths_fill_the_rows_and_are_bounded() -> None:
    lengths = burst_lengths(np.random.default_rng(1), 5_000)
    assert lengths.sum() == 5_000
    assert lengths.min() >= 1
    assert lengths.max() <= 50


def test_the_day_leans_one_way_at_midnight_and_the_other_at_noon() -> None:
    hours = [window[0].mean() for window in first(DAILY, 20_000, HOURS)]
    # The mean of the density 1 + a (2u - 1) is 1/2 + a/6.
    assert hours[0] == pytest.approx(1_000 * (0.5 + 0.1), abs=10)
    assert hours[12] == pytest.approx(1_000 * (0.5 - 0.1), abs=10)
    assert np.mean(hours) == pytest.approx(500, abs=5)


def test_leaning_ranks_have_their_distribution_function() -> None:
    ranks = leaning_ranks(np.random.default_rng(2), 100_000, 0.0)
    for at in (0.1, 0.5, 0.9):
        assert (ranks < at).mean() == pytest.approx(0.4 * at + 0.6 * at**2, abs=0.006)


@pytest.mark.parametrize("kind", KINDS)
def test_training_has_the_margins_of_the_pool(kind: str) -> None:
    rows = training([LINE], kind, 1)
    assert rows.shape == (2, 14 * HOURS * HOUR_ROWS if kind == DAILY else TRAINING_ROWS)
    assert rows[0].mean() == pytest.approx(499.5, abs=10)
    assert rows[0].std() == pytest.approx(LINE.pool[0].std(), abs=6)


def test_ordering_keeps_rows_whole_and_sorts_them_along_their_common_direction() -> None:
    source = np.random.default_rng(3)
    shuffled = source.permutation(1_000)
    result = ordered(Block("line", LINE.columns, LINE.pool[:, shuffled]))
    np.testing.assert_array_equal(result.pool[1], 2 * result.pool[0])
    assert abs(np.corrcoef(result.pool[0], np.arange(1_000))[0, 1]) > 0.999


def test_made_columns_are_what_their_names_say() -> None:
    block = made()
    values = dict(zip([column.name for column in block.columns], block.pool, strict=True))
    assert values["constant"].std() == 0
    assert 0 < values["flag"].mean() < 0.003
    assert (values["mostly_zero"] == 0).mean() == pytest.approx(0.9, abs=0.01)
    assert np.unique(values["rounded"]).size < 110
    assert np.abs(values["student"]).max() > 50 * np.median(np.abs(values["student"]))
    assert set(np.unique(values["town"])) <= set(range(200))


@pytest.mark.parametrize(
    ("change", "column", "figure", "expected"),
    [
        ("mean +0.5 σ", C, np.mean, 0.5),
        ("scale x1.5", C, np.std, 1.5),
        ("nulls 0 to 2 %", F, lambda values: np.isnan(values).mean(), 0.02),
        ("one of 5 categories lost", E, lambda values: (values == 2).mean(), 0.0),
        ("unit x1000", D, np.median, 1_000.0),
    ],
)
def test_a_change_begins_where_it_should_and_touches_one_column(
    change: str, column: int, figure: object, expected: float
) -> None:
    assert callable(figure)
    rows = changed(CHANGES[change], np.random.default_rng(4), 1_000, 50_000)
    same = stationary(np.random.default_rng(4), 1_000)
    np.testing.assert_array_equal(rows[:, :1_000], same)
    assert figure(rows[column, 1_000:]) == pytest.approx(expected, rel=0.05, abs=0.01)
    others = [at for at in (A, B, C, F) if at != column]
    assert np.abs(rows[others, 1_000:].mean(axis=1)).max() < 0.02
    assert np.abs(rows[others, 1_000:].std(axis=1) - 1).max() < 0.02


def test_the_correlation_turns_and_its_margins_stay() -> None:
    rows = changed(CHANGES["correlation 0.8 to -0.8"], np.random.default_rng(5), 20_000, 20_000)
    before, after = rows[:, :20_000], rows[:, 20_000:]
    assert np.corrcoef(before[A], before[B])[0, 1] == pytest.approx(0.8, abs=0.02)
    assert np.corrcoef(after[A], after[B])[0, 1] == pytest.approx(-0.8, abs=0.02)
    assert after[B].mean() == pytest.approx(0, abs=0.03)
    assert after[B].std() == pytest.approx(1, abs=0.02)
    assert len(COLUMNS) == len(rows)
