"""Stationary traffic over the blocks: plain, bursty, or with a daily cycle that training contains.

- ``plain``: every row for itself.
- ``bursty``: each drawn row comes a Zipf number of times in a row (exponent 2, at most 50), so that a window of n rows has the
  information of about a tenth as many. Training has every row once.
- ``daily``: what is drawn leans to one end of each block's first principal component and back once in 24 windows: the density
  over its ranks u is ``1 + 0.6 cos(2 pi hour / 24) (2 u - 1)``. Training is fourteen such days, so its margins are the pool's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.columns import Block
from tests.bench.detect.wire import Column

Matrix = NDArray[np.float64]
PLAIN, BURSTY, DAILY = "plain", "bursty", "daily"
KINDS = (PLAIN, BURSTY, DAILY)
HOURS = 24
TRAINING_DAYS = 14
TRAINING_ROWS = 20_000
HOUR_ROWS = 120
"""Of a daily training."""
LEAN = 0.6
LONGEST_BURST = 50


def columns(blocks: Sequence[Block]) -> tuple[Column, ...]:
    """Give all columns in the order of the rows."""
    return tuple(column for block in blocks for column in block.columns)


def training(blocks: Sequence[Block], kind: str, seed: int) -> Matrix:
    """Draw the training data, in the order of time: shape ``(columns, rows)``."""
    source = np.random.default_rng([seed, 0])
    if kind != DAILY:
        return _rows(blocks, source, TRAINING_ROWS, math.nan)
    hours = [_rows(blocks, source, HOUR_ROWS, hour) for _ in range(TRAINING_DAYS) for hour in range(HOURS)]
    return np.concatenate(hours, axis=1)


def windows(blocks: Sequence[Block], kind: str, seed: int, rows: int) -> Iterator[Matrix]:
    """Draw one window of an hour after another, for ever: each of shape ``(columns, rows)``."""
    source = np.random.default_rng([seed, 1, rows])
    hour = 0
    while True:
        if kind == BURSTY:
            lengths = burst_lengths(source, rows)
            some = _rows(blocks, source, lengths.size, math.nan)
            yield np.repeat(some, lengths, axis=1)
        else:
            yield _rows(blocks, source, rows, hour if kind == DAILY else math.nan)
        hour += 1


def burst_lengths(source: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Draw how often each row comes, so many rows in all."""
    lengths = np.minimum(source.zipf(2.0, rows), LONGEST_BURST)
    ends = np.cumsum(lengths)
    last = int(np.searchsorted(ends, rows))
    lengths[last] -= ends[last] - rows
    return lengths[: last + 1].astype(np.int64)


def leaning_ranks(source: np.random.Generator, rows: int, hour: float) -> Matrix:
    """Draw from the density ``1 + lean (2 u - 1)`` on [0, 1), the lean being that of the hour; uniform where it is NaN."""
    uniform = source.random(rows)
    lean = 0.0 if math.isnan(hour) else LEAN * math.cos(2.0 * math.pi * hour / HOURS)
    if abs(lean) < 1e-9:
        return uniform
    # The distribution function is (1 - lean) u + lean u^2.
    root = np.sqrt((1.0 - lean) ** 2 + 4.0 * lean * uniform)
    return np.minimum((root - (1.0 - lean)) / (2.0 * lean), np.nextafter(1.0, 0.0))


def ordered(block: Block) -> Block:
    """Order a pool's rows along its first principal component; missing values count as the mean."""
    middle, spread = np.nanmean(block.pool, axis=1), np.nanstd(block.pool, axis=1)
    scores = np.nan_to_num((block.pool - middle[:, None]) / np.where(spread > 0, spread, 1.0)[:, None])
    _, axes = np.linalg.eigh(scores @ scores.T)
    return Block(block.name, block.columns, np.ascontiguousarray(block.pool[:, np.argsort(axes[:, -1] @ scores, kind="stable")]))


def _rows(blocks: Sequence[Block], source: np.random.Generator, rows: int, hour: float) -> Matrix:
    parts = []
    for block in blocks:
        ranks = leaning_ranks(source, rows, hour)
        places = (ranks * block.pool.shape[1]).astype(np.int64)
        parts.append(np.take(block.pool, places, axis=1))
    return np.concatenate(parts)
