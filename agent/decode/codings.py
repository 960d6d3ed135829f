"""Content codings undone on the copy, never beyond a cap: gzip and deflate (RFC 1950 to 1952), br (RFC 7932), zstd (RFC 8878)."""

from __future__ import annotations

import zlib

import brotli
import zstandard

from agent.errors import DecodeError

MAX_DECOMPRESSED = 4 << 20
"""Bytes that a compressed body may grow to: four times the default capture, as numbers in text shrink by two to four. As JSON
of single digits that is 110 MB of values for the moment of reading, so it should not be more."""

_ZSTD_WINDOW = 8 << 20
"""The largest window: what RFC 9659 allows for zstd over HTTP."""


def decompress(body: bytes, coding: str, *, cut: bool = False) -> bytes:
    """Undo one content coding: gzip, deflate in either of its two readings, br, zstd.

    Of a body that is `cut` it gives what can be undone, up to `MAX_DECOMPRESSED`; then nothing is ``incomplete`` or
    ``too_large``. Servers flush streams event by event, so little is lost.

    Raises
    ------
    DecodeError
        ``content_encoding`` for another coding, ``compression`` for bad bytes, ``incomplete`` where the end is missing,
        ``too_large`` beyond `MAX_DECOMPRESSED`: never more than that is unfolded.
    """
    if coding in ("gzip", "x-gzip"):
        return _within_cap(*_inflate(body, 16 + zlib.MAX_WBITS), cut=cut)
    if coding == "deflate":
        # Some send raw deflate, though RFC 9110 means zlib. A zlib header is a multiple of 31 with method 8.
        is_zlib = len(body) >= 2 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        return _within_cap(*_inflate(body, zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS), cut=cut)
    if coding == "br":
        return _within_cap(*_unfold_brotli(body), cut=cut)
    if coding == "zstd":
        return _within_cap(*_unfold_zstd(body, cut=cut), cut=cut)
    raise DecodeError("http", "content_encoding")


def _within_cap(plain: bytes, is_whole: bool, *, cut: bool) -> bytes:
    if cut:
        return plain[:MAX_DECOMPRESSED]
    if len(plain) > MAX_DECOMPRESSED:
        raise DecodeError("http", "too_large")
    if not is_whole:
        raise DecodeError("http", "incomplete")
    return plain


def _inflate(body: bytes, window: int) -> tuple[bytes, bool]:
    """Give at most a byte more than the cap, and whether the end was there; like the two below."""
    stream = zlib.decompressobj(window)
    try:
        plain = stream.decompress(body, MAX_DECOMPRESSED + 1)
    except zlib.error:
        raise DecodeError("http", "compression") from None
    return plain, stream.eof


def _unfold_brotli(body: bytes) -> tuple[bytes, bool]:
    stream = brotli.Decompressor()
    parts: list[bytes] = []
    room = MAX_DECOMPRESSED + 1
    try:
        while not stream.is_finished() and room > 0:
            part = stream.process(body, output_buffer_limit=room)
            body = b""
            if not part and stream.can_accept_more_data() and not stream.is_finished():
                break  # bytes are missing
            parts.append(part)
            room -= len(part)
    except brotli.error:
        raise DecodeError("http", "compression") from None
    return b"".join(parts), stream.is_finished()


def _unfold_zstd(body: bytes, *, cut: bool) -> tuple[bytes, bool]:
    """Undo zstd, of one frame or several. The library stops without a word where bytes are missing, so they are counted first."""
    at, size = 0, len(body)
    try:
        while at < size and not cut:
            at = _end_of_frame(body, at)
        with zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(body, read_across_frames=True) as reader:
            plain: bytes = reader.read(MAX_DECOMPRESSED + 1)
    except (zstandard.ZstdError, IndexError):
        raise DecodeError("http", "compression") from None
    return plain, size > 0


_SKIPPED = 0x184D2A50
_RLE, _RESERVED = 1, 3


def _end_of_frame(body: bytes, at: int) -> int:
    """Find the end of the frame that begins at `at`, by the lengths of its blocks (RFC 8878 section 3.1.1)."""
    if int.from_bytes(body[at : at + 4], "little") & 0xFFFFFFF0 == _SKIPPED:
        end = at + 8 + int.from_bytes(body[at + 4 : at + 8], "little")
        return _within(body, end)
    rest = body[at : at + 18]
    end = at + zstandard.frame_header_size(rest)
    has_checksum = zstandard.get_frame_parameters(rest).has_checksum
    is_last = False
    while not is_last:
        head = int.from_bytes(body[end : _within(body, end + 3)], "little")
        is_last, kind = bool(head & 1), head >> 1 & 3
        if kind == _RESERVED:
            raise DecodeError("http", "compression")
        end = _within(body, end + 3 + (1 if kind == _RLE else head >> 3))
    return _within(body, end + 4 if has_checksum else end)


def _within(body: bytes, end: int) -> int:
    if end > len(body):
        raise DecodeError("http", "incomplete", offset=len(body))
    return end
