"""Content codings: whole, cut, damaged, and bombs."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decode import codings
from agent.decode.codings import decompress
from agent.errors import DecodeError


def _raw_deflate(text: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(text) + stream.flush()


def _zstd_stream(text: bytes) -> bytes:
    """Without its content's size, with a checksum, as a server writes that does not know the length."""
    stream = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    return stream.compress(text) + stream.flush()


CODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", _raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("zstd", _zstd_stream),
]
coded = pytest.mark.parametrize(("coding", "code"), CODERS, ids=[f"{index} {name}" for index, (name, _) in enumerate(CODERS)])


def reason_of(body: bytes, coding: str) -> str:
    with pytest.raises(DecodeError) as error:
        decompress(body, coding)
    return error.value.reason


@coded
@settings(max_examples=30, deadline=None)
@given(text=st.binary(max_size=5000))
def test_what_was_coded_comes_back(coding: str, code: Callable[[bytes], bytes], text: bytes) -> None:
    assert decompress(code(text), coding) == text


@coded
def test_a_bomb_does_not_go_off(monkeypatch: pytest.MonkeyPatch, coding: str, code: Callable[[bytes], bytes]) -> None:
    monkeypatch.setattr(codings, "MAX_DECOMPRESSED", 1000)
    assert decompress(code(bytes(1000)), coding) == bytes(1000)
    assert reason_of(code(bytes(1001)), coding) == "too_large"
    assert reason_of(code(bytes(50_000_000)), coding) == "too_large"


@coded
def test_a_body_cut_anywhere_is_incomplete_or_damaged(coding: str, code: Callable[[bytes], bytes]) -> None:
    body = code(b"some text, long enough to be cut; " * 20)
    assert reason_of(body[:-1], coding) == "incomplete"
    for end in range(len(body)):
        assert reason_of(body[:end], coding) in ("incomplete", "compression")


@coded
def test_of_a_body_that_was_cut_its_beginning_is_given(
    monkeypatch: pytest.MonkeyPatch, coding: str, code: Callable[[bytes], bytes]
) -> None:
    text = b"some text, long enough to be cut; " * 20
    body = code(text)
    for end in range(len(body)):
        assert text.startswith(decompress(body[:end], coding, cut=True))
    assert decompress(body, coding, cut=True) == text
    monkeypatch.setattr(codings, "MAX_DECOMPRESSED", 100)
    assert decompress(body, coding, cut=True) == text[:100]


def _flushed(coding: str, pieces: Sequence[bytes]) -> bytes:
    """As servers write streams: what each piece comes to is flushed."""
    if coding == "br":
        brotlis = brotli.Compressor()
        return b"".join(brotlis.process(piece) + brotlis.flush() for piece in pieces)
    if coding == "zstd":
        frames = zstandard.ZstdCompressor().compressobj()
        return b"".join(frames.compress(piece) + frames.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces)
    stream = zlib.compressobj(wbits={"gzip": 31, "deflate": 15}[coding])
    return b"".join(stream.compress(piece) + stream.flush(zlib.Z_SYNC_FLUSH) for piece in pieces)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_of_a_stream_that_was_cut_all_that_was_flushed_is_given(coding: str) -> None:
    pieces = [b"data: one\n\n", b"data: two\n\n"]
    assert decompress(_flushed(coding, pieces), coding, cut=True) == b"".join(pieces)
    assert reason_of(_flushed(coding, pieces), coding) == "incomplete"


@coded
@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_gives_text_or_a_reason(coding: str, code: Callable[[bytes], bytes], places: list[tuple[int, int]]) -> None:
    body = bytearray(code(bytes(range(256)) * 20))
    for place, value in places:
        body[place % len(body)] = value
    try:
        assert len(decompress(bytes(body), coding)) <= codings.MAX_DECOMPRESSED
    except DecodeError as error:
        assert error.reason in ("incomplete", "compression", "too_large")  # noqa: PT017 - either outcome is right


@given(body=st.binary(max_size=200), coding=st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_any_bytes_give_text_or_a_reason(body: bytes, coding: str) -> None:
    try:
        decompress(body, coding)
    except DecodeError as error:
        assert error.reason in ("incomplete", "compression", "too_large")  # noqa: PT017 - either outcome is right


def test_zstd_may_have_several_frames_and_frames_to_skip() -> None:
    one = zstandard.ZstdCompressor().compress(b"one ")
    skipped = bytes.fromhex("502a4d18") + (3).to_bytes(4, "little") + b"abc"
    assert decompress(one + skipped + _zstd_stream(b"two"), "zstd") == b"one two"
    assert reason_of(one + skipped[:-1], "zstd") == "incomplete"


@pytest.mark.parametrize("coding", ["compress", "gzip, gzip", "snappy"])
def test_another_coding_is_refused(coding: str) -> None:
    assert reason_of(b"x", coding) == "content_encoding"
