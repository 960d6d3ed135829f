from __future__ import annotations

import base64
import tracemalloc
import zlib

import numpy as np
import pytest

from agent.errors import OutriderError
from agent.profile.packing import (
    Kind,
    deflate,
    floats_or_none,
    from_planes,
    inflate,
    pack_floats,
    to_planes,
    unpack_floats,
)

FAULT = "not what was written"


@pytest.mark.parametrize("data", [b"", b"x", bytes(1 << 16), np.random.default_rng(1).bytes(5000)])
def test_deflated_is_inflated_up_to_its_size(data: bytes) -> None:
    assert inflate(deflate(data), len(data), FAULT) == data


def test_deflated_is_zlib_at_its_highest_level() -> None:
    """Profiles are compared byte by byte: the level is a part of the format."""
    data = np.random.default_rng(2).integers(0, 4, 5000).astype(np.uint8).tobytes()
    assert base64.b64decode(deflate(data)) == zlib.compress(data, 9)


@pytest.mark.parametrize("most", [0, 1, 99])
def test_more_than_was_said_is_refused(most: int) -> None:
    message = f"^{FAULT}: {most + 1} bytes or more instead of {most} at most$"
    with pytest.raises(OutriderError, match=message):
        inflate(deflate(bytes(100)), most, FAULT)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = deflate(bytes(1 << 24))
    tracemalloc.start()
    try:
        with pytest.raises(OutriderError, match="1001 bytes or more"):
            inflate(bomb, 1000, FAULT)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut off"),
        (deflate(b"seven")[:8], "cut off"),
        ("*" + deflate(b"seven"), "base64|padding|characters"),
        ("é", "ASCII"),
        ("AAAA", "unknown compression method"),
        (base64.b64encode(zlib.compress(b"seven")[:-1] + b"\0").decode(), "incorrect data check"),
    ],
)
def test_what_is_damaged_is_refused(text: str, reason: str) -> None:
    with pytest.raises(OutriderError, match=f"^{FAULT}: .*({reason})"):
        inflate(text, 5, FAULT)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [0, 1, 7])
def test_planes_are_turned_back(width: int, count: int) -> None:
    integers = np.random.default_rng(3).bytes(width * count)
    planes = to_planes(integers, width)
    assert planes == b"".join(integers[plane::width] for plane in range(width))
    assert from_planes(planes, width) == integers


@pytest.mark.parametrize("turn", [to_planes, from_planes])
def test_no_whole_number_of_integers_is_refused(turn: type) -> None:
    with pytest.raises(OutriderError, match="5 bytes are no whole number of integers of 2 bytes"):
        turn(b"12345", 2)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_floats_come_back_as_their_kind_holds_them(kind: Kind) -> None:
    values = np.array([0.1, -2.5, 0.0, np.nan, np.inf, -np.inf, 1e-3])
    np.testing.assert_array_equal(unpack_floats(pack_floats(values, kind), kind), values.astype(kind).astype(np.float64))


def test_floats_are_written_row_by_row() -> None:
    values = np.arange(6.0).reshape(2, 3)
    assert unpack_floats(pack_floats(values.T, "<f4"), "<f4").tolist() == [0, 3, 1, 4, 2, 5]


def test_no_floats_are_no_text() -> None:
    assert pack_floats(np.empty(0), "<f4") == ""
    assert unpack_floats("", "<f4").shape == (0,)


@pytest.mark.parametrize("text", ["?", "é", "AAA", base64.b64encode(bytes(6)).decode()])
def test_what_is_no_floats_is_refused(text: str) -> None:
    with pytest.raises(OutriderError, match=r"^not floats in base64: "):
        unpack_floats(text, "<f4")
    assert floats_or_none(text, "<f4", 1) is None


def test_other_than_so_many_floats_are_none() -> None:
    text = pack_floats(np.array([1.0, 2.0]), "<f4")
    assert [floats_or_none(text, "<f4", size) is None for size in (1, 2, 3)] == [True, False, True]
