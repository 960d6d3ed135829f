"""The stored sketch: the library reads what is packed, and never sees what is broken."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasketches import kll_doubles_sketch

from agent.profile.kll import MIN_STORED, check_kll, kll_bytes

SIZES = (1, 2, 50, 191, 192, 193, 256, 1000, 4096, 65_536, 1_000_003)


def packed(size: int) -> tuple[bytes, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    values = np.sort(np.random.default_rng(size).normal(size=size))
    return kll_bytes(values, np.ones(size, dtype=np.int64)), values


@pytest.mark.parametrize("size", SIZES)
def test_library_reads_it_and_writes_the_same_bytes(size: int) -> None:
    data, values = packed(size)
    sketch = kll_doubles_sketch.deserialize(data)
    assert (sketch.n, sketch.get_min_value(), sketch.get_max_value()) == (size, values[0], values[-1])
    assert sum(weight for _, weight in sketch) == size
    assert sketch.serialize() == data


@pytest.mark.parametrize("size", SIZES)
def test_rank_error_is_half_a_point(size: int) -> None:
    data, values = packed(size)
    pairs = sorted(kll_doubles_sketch.deserialize(data))
    ranks = np.cumsum([weight for _, weight in pairs])
    true = np.searchsorted(values, [value for value, _ in pairs], side="right")
    # Each point stands in the middle of its span: half of the heaviest weight to either side.
    assert np.abs(ranks - true).max() <= size / MIN_STORED / 2 + 1


@pytest.mark.parametrize("size", SIZES)
def test_it_is_small(size: int) -> None:
    assert len(packed(size)[0]) < 2000


def test_library_can_go_on_with_it() -> None:
    sketch = kll_doubles_sketch.deserialize(packed(1_000_003)[0])
    sketch.update(np.arange(5000.0))
    other = kll_doubles_sketch(200)
    other.update(np.arange(777.0))
    sketch.merge(other)
    assert sketch.n == 1_000_003 + 5000 + 777


@pytest.mark.parametrize("k", [8, 100, 200, 1024])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 100, 12_345])
def test_sketches_of_the_library_are_accepted(k: int, size: int) -> None:
    sketch = kll_doubles_sketch(k)
    sketch.update(np.arange(float(size)))
    assert check_kll(sketch.serialize()) == size


def test_mutated_bytes_are_refused_or_harmless() -> None:
    rng = random.Random(5)
    accepted = 0
    for original in (packed(5000)[0], packed(50)[0], packed(1)[0]):
        for _ in range(1500):
            data = bytearray(original)
            for _ in range(rng.randint(1, 3)):
                data[rng.randrange(min(60, len(data)))] = rng.randrange(256)
            if rng.random() < 0.2:
                del data[rng.randrange(len(data)) :]
            try:
                count = check_kll(bytes(data))
            except ValueError:
                continue
            sketch = kll_doubles_sketch.deserialize(bytes(data))
            assert sketch.n == count
            assert sum(weight for _, weight in sketch) == count
            accepted += 1
    assert accepted


@pytest.mark.parametrize("data", [b"", b"\0", b"\5\1\x0f\0\xc8\0\x08\0", b"x" * 100])
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"too short|no KLL"):
        check_kll(data)
