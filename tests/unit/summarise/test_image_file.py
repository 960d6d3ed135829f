"""Images as files: sizes from headers without a library, pixels with Pillow, and nothing but NaN for what is broken."""

from __future__ import annotations

import base64
import io
import math
import warnings
from typing import Any

import numpy as np
import pytest

from agent.summarise import image_file
from agent.summarise.image_file import bytes_of, is_image, size_of, summarise

PIL = pytest.importorskip("PIL.Image")

FORMATS: list[tuple[str, dict[str, Any]]] = [
    ("PNG", {}),
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"exif": b"Exif\0\0" + bytes(3000)}),
    ("GIF", {}),
    ("BMP", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("WEBP", {"exif": b"Exif\0\0" + bytes(30)}),
]


def picture(format: str = "PNG", size: tuple[int, int] = (123, 45), level: int = 90, **options: Any) -> bytes:
    rng = np.random.default_rng(4)
    pixels = np.clip(rng.normal(level, 5, size=(size[1], size[0], 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    PIL.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(("format", "options"), FORMATS)
def test_size_is_read_from_the_header(format: str, options: dict[str, Any]) -> None:
    data = picture(format, **options)
    assert is_image(data)
    assert size_of(data) == (123, 45)


@pytest.mark.parametrize(("format", "options"), FORMATS)
def test_brightness_is_that_of_the_pixels(format: str, options: dict[str, Any]) -> None:
    found = summarise(picture(format, **options))
    assert found.brightness == pytest.approx(90, abs=2)
    assert 1 < found.contrast < 8


def test_without_pixels_the_header_is_all() -> None:
    data = picture()
    found = summarise(data, pixels=False)
    assert found[:3] == (123, 45, len(data))
    assert all(map(math.isnan, found[3:]))


def test_without_pillow_the_header_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "reads_pixels", lambda: False)
    assert math.isnan(summarise(picture()).brightness)


@pytest.mark.parametrize(
    "spelling",
    [
        bytes,
        lambda data: base64.b64encode(data).decode(),
        lambda data: base64.b64encode(data).decode().rstrip("="),
        lambda data: base64.urlsafe_b64encode(data).decode(),
        lambda data: base64.encodebytes(data).decode(),
        lambda data: "data:image/png;base64," + base64.b64encode(data).decode(),
        lambda data: data.decode("latin-1"),
    ],
)
def test_spellings_of_bytes(spelling: Any) -> None:
    data = picture()
    assert bytes_of(spelling(data)) == data


@pytest.mark.parametrize("value", [None, 5.0, True, "żółw", "a"])
def test_what_is_no_file(value: object) -> None:
    assert all(map(math.isnan, summarise(value)))


def test_bytes_of_no_known_format_have_only_a_size_in_bytes() -> None:
    found = summarise(b"BM, says the text, is no bitmap by itself")
    assert found.bytes == 41
    assert math.isnan(found.width)


@pytest.mark.parametrize(("format", "options"), FORMATS)
def test_files_cut_anywhere_are_read_as_far_as_they_go(format: str, options: dict[str, Any]) -> None:
    data = picture(format, size=(9, 7), **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for end in range(0, len(data), 7):
            found = summarise(data[:end])
            assert math.isnan(found.width) or found[:2] == (9, 7)


@pytest.mark.parametrize("seed", range(20))
def test_bytes_at_random_after_the_magic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for name, _ in FORMATS:
        head = picture(name, size=(9, 7))[:12]
        summarise(head + rng.integers(0, 256, 200, dtype=np.uint8).tobytes())


def test_a_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    PIL.new("1", (16_000, 16_000)).save(out, "PNG")
    found = summarise(out.getvalue())
    assert found[:2] == (16_000, 16_000)
    assert math.isnan(found.brightness)
