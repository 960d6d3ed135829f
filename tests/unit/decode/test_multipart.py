"""Forms with files."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import aiohttp
import aiohttp.abc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.decode.multipart import MAX_PARTS, Part, parts_of
from agent.errors import DecodeError

FORM = (
    b"skipped\r\n"
    b'--xx \r\nContent-Disposition: form-data; filename="name=no"; name="data"\r\nContent-Type: Text/CSV; charset=utf-8\r\n\r\n'
    b"1,2\r\n--x\r\n"
    b"\r\n--xx\r\ncontent-disposition: form-data; name=age\r\n\r\n3"
    b"\r\n--xx\r\n\r\nnameless"
    b"\r\n--xx--\r\nskipped too"
)


def test_parts() -> None:
    assert parts_of(FORM, "xx") == [Part("data", "text/csv", b"1,2\r\n--x\r\n"), Part("age", "", b"3"), Part("", "", b"nameless")]


def test_a_form_without_parts() -> None:
    assert parts_of(b"--xx--", "xx") == []


class Collector(aiohttp.abc.AbstractStreamWriter):
    """Keeps what aiohttp's client would send."""

    def __init__(self) -> None:
        self.sent = b""

    async def write(self, chunk: Any) -> None:
        self.sent += bytes(chunk)

    async def write_eof(self, chunk: bytes = b"") -> None: ...

    async def drain(self) -> None: ...

    def enable_compression(self, *args: Any, **kinds: Any) -> None: ...

    def enable_chunking(self) -> None: ...

    async def write_headers(self, *args: Any) -> None: ...


async def written(fields: list[tuple[str, bytes]]) -> tuple[bytes, str]:
    form = aiohttp.FormData()
    for name, content in fields:
        form.add_field(name, io.BytesIO(content), filename="x", content_type="application/octet-stream")
    payload, collector = form(), Collector()
    await payload.write(collector)
    assert isinstance(payload, aiohttp.MultipartWriter)
    return collector.sent, payload.boundary


field_names = st.text("abcäöü 0123", min_size=1, max_size=5)


@settings(deadline=None)
@given(st.lists(st.tuples(field_names, st.binary(max_size=30)), min_size=1, max_size=4))
def test_what_a_real_client_writes(fields: list[tuple[str, bytes]]) -> None:
    body, boundary = asyncio.run(written(fields))
    assert parts_of(body, boundary) == [Part(name, "application/octet-stream", content) for name, content in fields]


@pytest.mark.parametrize(
    ("body", "boundary", "reason"),
    [
        (b"", "xx", "multipart"),
        (FORM, "", "multipart"),
        (FORM, "x" * 71, "multipart"),
        (FORM, "ü", "multipart"),
        (FORM, "yy", "multipart"),
        (FORM[:-20], "xx", "incomplete"),
        (b"--xx\r\nname: x", "xx", "multipart"),
        (b"--xxy\r\n\r\n1\r\n--xx--", "xx", "multipart"),
        (b"--xx", "xx", "multipart"),
        (b"--xx\r\n\r\n" * (MAX_PARTS + 2), "xx", "multipart"),
    ],
)
def test_what_is_no_form_is_refused(body: bytes, boundary: str, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        parts_of(body, boundary)
    assert error.value.reason == reason


@given(st.binary(max_size=60), st.sampled_from([FORM, b"--xx\r\n\r\n\r\n--xx--"]), st.integers(0, 300))
def test_any_bytes(piece: bytes, form: bytes, at: int) -> None:
    try:
        parts_of(form[:at] + piece + form[at + len(piece) :], "xx")
    except DecodeError as error:
        assert error.reason in ("multipart", "incomplete")  # noqa: PT017 - it may pass as well
