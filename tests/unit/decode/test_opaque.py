"""Bytes that stand where a value should be."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decode.opaque import begins_as_image, value_of, value_of_base64, without_base64


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"", ""),
        (b"a\tb\r\n", "a\tb\r\n"),
        ("grün 😀".encode(), "grün 😀"),
        (b"\xff\xd8\xff\xe0", 4),
        (b"\x0a\x03abc", 5),
        (b"\x89PNG", 4),
        (b"a\x00", 2),
        (b"\x7f", 1),
        (b"\xed\xa0\x80", 3),
    ],
)
def test_text_is_itself_and_the_rest_its_size(raw: bytes, value: str | int) -> None:
    assert value_of(raw) == value


@given(st.binary(max_size=50))
def test_base64_of_any_alphabet(raw: bytes) -> None:
    wanted = raw.decode("latin-1") if begins_as_image(raw) else value_of(raw)
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw), base64.b64encode(raw).rstrip(b"=")):
        assert value_of_base64(text.decode()) == wanted


@pytest.mark.parametrize("text", ["a", "%%%%", "grün", "YQ==YQ=="])
def test_what_is_no_base64_is_text(text: str) -> None:
    assert value_of_base64(text) == text


def test_only_objects_of_that_one_key_are_bytes() -> None:
    assert without_base64([{"b64": "YQ=="}, {"x": {"b64": "/w=="}}]) == ["a", {"x": 1}]
    for value in ({"b64": 1}, {"b64": "YQ==", "x": 1}, "b64", None):
        assert without_base64(value) == value


def test_deep_json_is_left_alone() -> None:
    deep: Any = {"b64": "YQ=="}
    for _ in range(900):
        deep = [deep]
    assert without_base64(deep) == deep
