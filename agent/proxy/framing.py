"""Where a body ends: three small readers that look at bytes on their way and change nothing (RFC 9112 §6 and §7).

Each has ``feed(data, start) -> int``: the offset in `data` just past the body's last byte, or `MORE` when the body goes on
after `data`.
"""

from __future__ import annotations

from agent.proxy.heads import Framing, RefusedError

MORE = -1


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    def feed(self, data: bytes, start: int) -> int:
        """Count bytes; see the module."""
        end = start + self._left
        if end <= len(data):
            return end
        self._left = end - len(data)
        return MORE


class UntilCloseBody:
    """A body that ends with the connection."""

    __slots__ = ()

    def feed(self, data: bytes, start: int) -> int:  # noqa: ARG002 - the readers share one signature
        """Never ends by itself."""
        return MORE


_SIZE, _DATA, _DATA_END, _TRAILER = range(4)
_MAX_LINE = 16384
"""A chunk extension or trailer line longer than this is refused."""


class ChunkedBody:
    """A body in the chunked transfer coding, trailers included.

    Sizes are plain hexadecimal digits, lines end with CR LF: what a lenient reader would let pass is refused, since the model
    server might read it otherwise.
    """

    __slots__ = ("_left", "_line", "_state")

    def __init__(self) -> None:
        self._state = _SIZE
        self._left = 0
        self._line = b""

    def feed(self, data: bytes, start: int) -> int:
        """Follow the chunks; see the module.

        Raises
        ------
        RefusedError
            The chunks are malformed.
        """
        position = start
        while position < len(data):
            if self._state == _DATA:
                step = min(self._left, len(data) - position)
                position += step
                self._left -= step
                if not self._left:
                    self._state = _DATA_END
                continue
            end = data.find(b"\n", position)
            if end < 0:
                self._keep(data[position:])
                return MORE
            self._keep(data[position : end + 1])
            position = end + 1
            line, self._line = self._line, b""
            if self._take_line(line):
                return position
        return MORE

    def _keep(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > _MAX_LINE:
            raise RefusedError("a chunk's line is too long")

    def _take_line(self, line: bytes) -> bool:
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise RefusedError("a chunk's line does not end with CR LF")
        if self._state == _SIZE:
            digits, extends, _ = line[:-2].partition(b";")
            if extends:
                digits = digits.rstrip(b" \t")  # only there blanks may follow (RFC 9112 §7.1.1)
            if not digits or len(digits) > 15 or not all(byte in _HEX for byte in digits):
                raise RefusedError("a chunk's size is no hexadecimal number")
            self._left = int(digits, 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _DATA_END:
            if line != b"\r\n":
                raise RefusedError("a chunk is longer than its size says")
            self._state = _SIZE
        else:
            return line == b"\r\n"
        return False


_HEX = frozenset(b"0123456789abcdefABCDEF")

Body = LengthBody | ChunkedBody | UntilCloseBody


def body_of(framing: Framing, length: int) -> Body | None:
    """Give the reader for a framing, or ``None`` where there is no body."""
    match framing:
        case Framing.LENGTH:
            return LengthBody(length)
        case Framing.CHUNKED:
            return ChunkedBody()
        case Framing.UNTIL_CLOSE:
            return UntilCloseBody()
    return None
