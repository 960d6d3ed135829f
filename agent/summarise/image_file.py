"""Images as files (PNG, JPEG, GIF, WebP, BMP), or in base64: size from the header, without a library; the pixels by Pillow.

Brightness and contrast are mean and standard deviation of the luma (ITU-R 601, 0 to 255), and only there where Pillow is
installed. Large pictures are read at a reduced size where their format allows that; more than `MAX_PIXELS` are not read.

Whatever is no such file has no width and no height; its size in bytes is known all the same.

Sources: PNG (third edition) 11.2.1; ITU-T T.81 B.2.2; GIF89a 18; RFC 9649 2.4 to 2.7; BITMAPINFOHEADER.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import warnings
from functools import cache
from struct import Struct
from typing import Any, NamedTuple

MEASURES = ("width", "height", "bytes", "brightness", "contrast")

PIXEL_MEASURES = ("brightness", "contrast")
"""Those that need Pillow."""

MAX_PIXELS = 16 << 20
"""Larger pictures are not unpacked: a small file can hold gigapixels of one colour."""

_DRAFT = (256, 256)
"""JPEG is unpacked at the smallest of its eighths that is at least so large: 64 times fewer pixels of a photograph."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_GIF = (b"GIF87a", b"GIF89a")
_BMP_HEADERS = tuple(bytes((length, 0, 0, 0)) for length in (12, 40, 52, 56, 64, 108, 124))
"""``BM`` alone begins many a text, so the length of the header behind it must be one that there is."""

_TWO_BIG = Struct(">II").unpack_from
_TWO_LITTLE = Struct("<HH").unpack_from
_TWO_SIGNED = Struct("<ii").unpack_from
_BIG = Struct(">H").unpack_from
_FRAME_SIZE = Struct(">HH").unpack_from


class FileSummary(NamedTuple):
    """What is known of one file; NaN for what is not."""

    width: float
    height: float
    bytes: float
    brightness: float
    contrast: float


def is_image(data: bytes) -> bool:
    """Whether the first bytes are those of a format known here."""
    return (
        data.startswith((_PNG, _JPEG, *_GIF))
        or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")
        or (data[:2] == b"BM" and data[6:10] == bytes(4) and data[14:18] in _BMP_HEADERS)
    )


def bytes_of(value: object) -> bytes | None:
    """Give the bytes of a file that came as such, as base64 (also as a data URL), or as text of one character a byte.

    ``None`` for anything else.
    """
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        return None
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        return None
    if is_image(raw):
        return raw
    try:
        # Some encoders leave the padding out, and some take the alphabet of URLs.
        standard = raw.translate(_STANDARD, b"\r\n").rstrip(b"=")
        return base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


_STANDARD = bytes.maketrans(b"-_", b"+/")


def size_of(data: bytes) -> tuple[int, int] | None:
    """Give width and height in pixels from a file's header; ``None`` where there is none that makes sense."""
    size: tuple[int, int] | None = None
    if data.startswith(_PNG) and len(data) >= 24:
        size = _TWO_BIG(data, 16)
    elif data.startswith(_JPEG):
        size = _jpeg_size(data)
    elif data.startswith(_GIF) and len(data) >= 10:
        size = _TWO_LITTLE(data, 6)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        size = _webp_size(data)
    elif data.startswith(b"BM") and is_image(data) and len(data) >= 26:
        # The oldest header, of 12 bytes, has sizes of 16 bits; a negative height says that rows go from the top.
        size = _TWO_LITTLE(data, 18) if data[14] == 12 else _TWO_SIGNED(data, 18)
    if size is None or not size[0] or not size[1]:
        return None
    return abs(size[0]), abs(size[1])


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Go from marker to marker to the frame header (SOF), which has the size; each marker segment bears its length."""
    at, end = 2, len(data)
    while at + 9 <= end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = _FRAME_SIZE(data, at + 5)
            return width, height
        elif marker in (0xD9, 0xDA):  # the end, or the beginning of the scan: too late for a frame header
            return None
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a length
            at += 2
        else:
            at += 2 + max(2, _BIG(data, at + 2)[0])
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = _TWO_LITTLE(data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


@cache
def reads_pixels() -> bool:
    """Whether Pillow is there."""
    try:
        import PIL.Image  # noqa: F401, PLC0415 - an extra that the sidecar runs without
    except ImportError:
        return False
    return True


def summarise(value: object, *, pixels: bool = True) -> FileSummary:
    """Summarise one file.

    Parameters
    ----------
    value
        As `bytes_of` takes it.
    pixels
        Whether to unpack the pixels; without Pillow they never are.

    Returns
    -------
    FileSummary
        All NaN where `value` holds no bytes. Cost: a microsecond for the header; with pixels some milliseconds.
    """
    data = bytes_of(value)
    if data is None:
        return FileSummary(math.nan, math.nan, math.nan, math.nan, math.nan)
    size = size_of(data)
    if size is None:
        return FileSummary(math.nan, math.nan, float(len(data)), math.nan, math.nan)
    luma = _luma(data) if pixels and size[0] * size[1] <= MAX_PIXELS and reads_pixels() else (math.nan, math.nan)
    return FileSummary(float(size[0]), float(size[1]), float(len(data)), *luma)


def _luma(data: bytes) -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415 - with Pillow, which is needed only here
    import PIL.Image  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata that is cut off, of many pixels
            with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "GIF", "WEBP", "BMP")) as image:
                picture: Any = image
                if picture.width * picture.height > MAX_PIXELS:  # the header that we read was another one
                    return math.nan, math.nan
                picture.draft("L", _DRAFT)
                luma = np.asarray(picture.convert("L"), dtype=np.float64)
    except Exception:  # noqa: BLE001 - Pillow raises a dozen kinds for broken files, struct.error and SyntaxError among them
        return math.nan, math.nan
    return float(luma.mean()), float(luma.std())
