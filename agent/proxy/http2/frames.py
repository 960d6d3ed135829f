"""One direction of an HTTP/2 connection cut into frames, in whatever pieces it comes (RFC 9113 §4 and §6).

Nothing here holds bytes back or changes them: they have passed already. Only the start of a frame that is not whole yet is
kept, and of those only the kinds that mean something: the content of DATA is handed on piece by piece, everything else that
follows no rule of ours is skipped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from struct import Struct

DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, GOAWAY, CONTINUATION = 0, 1, 3, 4, 5, 7, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 0x1, 0x4, 0x8, 0x20

FRAME_HEAD = Struct(">HBBBI")
"""Length (24 bits, the upper two bytes and the lowest), type, flags, stream."""

_HEAD_BYTES = FRAME_HEAD.size
_HOW = END_HEADERS | PADDED | PRIORITY
"""The flags that say how a header block lies in its frame."""
_STREAM_BITS = 0x7FFFFFFF
_NOT_WHOLE = -1
_MEANINGFUL = frozenset((HEADERS, RST_STREAM, PUSH_PROMISE, GOAWAY, CONTINUATION))

MAX_BLOCK_BYTES = 1 << 18
"""A header block longer than this, CONTINUATION frames included, is not followed. Servers allow 8 to 64 KiB."""


class BrokenError(Exception):
    """The bytes break the protocol, or go beyond what is followed; the message says which.

    Attributes
    ----------
    unseen
        How many of the bytes that have passed were not followed.
    """

    unseen = 0


class Frames(ABC):
    """Cuts; a subclass says what the frames mean, by `content`, `headers`, `reset` and `goaway`.

    Parameters
    ----------
    skip
        Bytes before the first frame: the client's preface.
    """

    __slots__ = ("_block", "_block_frame", "_block_size", "_data", "_has_begun", "_rest", "_skip")

    def __init__(self, skip: int = 0) -> None:
        self._skip = skip
        self._rest = b""
        """The start of a frame that is not whole."""
        self._data: tuple[int, int, bool] | None = None
        """Of a DATA frame that is not whole: stream, content that is still to come, whether the stream ends with it."""
        self._block: list[bytes] | None = None
        """Of a header block that goes on in CONTINUATION frames: its parts so far."""
        self._block_frame = (0, 0, 0)
        """Its first frame: type, flags, stream."""
        self._block_size = 0
        self._has_begun = False

    @property
    def is_between_frames(self) -> bool:
        """Whether a frame of our own could be put in here."""
        return self._has_begun and not (self._skip or self._rest or self._data or self._block is not None)

    def cut(self, data: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        BrokenError
            They can't be followed; call it no more then.
        """
        if self._rest:
            data, self._rest = self._rest + data, b""
        at, size = 0, len(data)
        if self._data is not None:
            at = self._go_on_with_content(self._data, data)
        if self._skip and self._data is None:
            step = min(self._skip, size - at)
            self._skip -= step
            at += step
        at = self._cut_frames(data, at)
        if at < size:
            self._rest = data[at:]

    def _cut_frames(self, data: bytes, at: int) -> int:
        """Take whole frames, and DATA that is not whole, from `at` on; give where the first one begins that has to wait."""
        size = len(data)
        try:
            while size - at >= _HEAD_BYTES:
                high, low, kind, flags, stream = FRAME_HEAD.unpack_from(data, at)
                length = high << 8 | low
                stream &= _STREAM_BITS
                start = at + _HEAD_BYTES
                end = start + length
                if kind == DATA and self._block is None and self._has_begun:
                    end = self._take_data(flags, stream, data, start, length)
                elif flags & _HOW == END_HEADERS and end <= size and self._is_plain_head(kind, stream, length):
                    self.headers(stream, data[start:end], _HEAD_BYTES + length, last=bool(flags & END_STREAM))
                else:
                    end = self._take_other(kind, flags, stream, data, start, length)
                if end == _NOT_WHOLE:
                    return at
                at = end
        except BrokenError as error:
            error.unseen = size - at
            raise
        return at

    def _is_plain_head(self, kind: int, stream: int, length: int) -> bool:
        """Whether a frame is a header block of its own, as nearly all are. It saves five calls of `_take_other`, 0.5 µs."""
        return kind == HEADERS and stream > 0 and self._block is None and self._has_begun and length <= MAX_BLOCK_BYTES

    def _take_data(self, flags: int, stream: int, data: bytes, start: int, length: int) -> int:
        """Hand on the content of a DATA frame, as far as it is there; give where the next frame starts."""
        if not stream:
            raise BrokenError("DATA of no stream")
        size, end = len(data), start + length
        content_end = end
        if flags & PADDED and length:
            if start == size:
                return _NOT_WHOLE
            content_end -= data[start]
            start += 1
        if content_end < start:
            raise BrokenError("more padding than there is room")
        last = bool(flags & END_STREAM)
        if content_end <= size:
            self.content(stream, data, start, content_end, _HEAD_BYTES + length, last=last)
        else:
            self._data = (stream, content_end - size, last)
            self.content(stream, data, start, size, _HEAD_BYTES + length, last=False)
        if end <= size:
            return end
        self._skip = end - max(size, content_end)  # the padding that is still to come
        return size

    def _take_other(self, kind: int, flags: int, stream: int, data: bytes, start: int, length: int) -> int:
        """Take any other frame once it is whole, or skip it; give where the next frame starts."""
        size, end = len(data), start + length
        has_meaning = not self._has_begun or self._block is not None or kind in _MEANINGFUL
        if has_meaning and self._check(kind, stream, length):
            if end > size:
                return _NOT_WHOLE
            self._take(kind, flags, stream, data[start:end])
            return end
        if end > size:
            self._skip = end - size
            return size
        return end

    def _go_on_with_content(self, frame: tuple[int, int, bool], data: bytes) -> int:
        stream, left, last = frame
        size = len(data)
        if left > size:
            self._data = (stream, left - size, last)
            self.content(stream, data, 0, size, 0, last=False)
            return size
        self._data = None
        self.content(stream, data, 0, left, 0, last=last)
        return left

    def _check(self, kind: int, stream: int, length: int) -> bool:
        """Tell whether a frame means something here."""
        if not self._has_begun:
            if kind != SETTINGS or stream:
                raise BrokenError("what should be HTTP/2 does not begin with SETTINGS; does that port speak HTTP/2?")
            self._has_begun = True
            return False
        if self._block is not None and (kind != CONTINUATION or stream != self._block_frame[2]):
            raise BrokenError("a header block is interrupted")
        if self._block is None and kind == CONTINUATION:
            raise BrokenError("CONTINUATION of nothing")
        if bool(stream) == (kind == GOAWAY):
            raise BrokenError("a frame of the wrong stream")
        if length > MAX_BLOCK_BYTES:
            raise BrokenError("a header block is too long")
        return True

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        size = _HEAD_BYTES + len(payload)
        if kind in (HEADERS, PUSH_PROMISE):
            self._take_headers(kind, flags, stream, payload, size)
        elif kind == CONTINUATION:
            self._take_continuation(flags, payload, size)
        elif kind == RST_STREAM:
            self.reset(stream, size)
        elif len(payload) < 8:
            raise BrokenError("GOAWAY is too short")
        else:
            self.goaway(int.from_bytes(payload[:4], "big") & _STREAM_BITS)

    def _take_headers(self, kind: int, flags: int, stream: int, payload: bytes, size: int) -> None:
        start, end = 0, len(payload)
        if flags & PADDED:
            if not end:
                raise BrokenError("padding without its length")
            start, end = 1, end - payload[0]
        if kind == PUSH_PROMISE:
            start += 4
        elif flags & PRIORITY:
            start += 5
        if start > end:
            raise BrokenError("more padding than there is room")
        block = payload[start:end] if start or end < len(payload) else payload
        if flags & END_HEADERS:
            self._hand_on(kind, flags, stream, block, size)
            return
        self._block = [block]
        self._block_frame = (kind, flags, stream)
        self._block_size = size

    def _take_continuation(self, flags: int, payload: bytes, size: int) -> None:
        if self._block is None:
            raise BrokenError("CONTINUATION of nothing")
        self._block.append(payload)
        self._block_size += size
        if self._block_size > MAX_BLOCK_BYTES:
            raise BrokenError("a header block is too long")
        if flags & END_HEADERS:
            block, self._block = b"".join(self._block), None
            self._hand_on(*self._block_frame, block, self._block_size)

    def _hand_on(self, kind: int, flags: int, stream: int, block: bytes, size: int) -> None:
        if kind == PUSH_PROMISE:
            # Pushed responses are not followed, but the table of header fields has to learn this block too.
            self.headers(0, block, size, last=False)
        else:
            self.headers(stream, block, size, last=bool(flags & END_STREAM))

    # What the frames mean

    @abstractmethod
    def content(self, stream: int, data: bytes, start: int, end: int, size: int, *, last: bool) -> None:
        """Take the next piece of a stream's content.

        Parameters
        ----------
        data, start, end
            The piece is ``data[start:end]``.
        size
            The frame's, for its first piece; 0 for the others.
        last
            Whether the stream ends with this piece.
        """

    @abstractmethod
    def headers(self, stream: int, block: bytes, size: int, *, last: bool) -> None:
        """Take a whole header block; `size` is that of its frames. Stream 0 stands for a promise."""

    @abstractmethod
    def reset(self, stream: int, size: int) -> None:
        """Take the end of a stream by RST_STREAM."""

    @abstractmethod
    def goaway(self, last_stream: int) -> None:
        """Take a GOAWAY: streams above `last_stream` are not worked on."""
