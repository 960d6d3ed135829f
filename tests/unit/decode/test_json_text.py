"""The three attempts at JSON."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from agent.decode.json_text import JSON_FAULTS, JsonText, lenient
from agent.errors import DecodeError


class Numbers(msgspec.Struct):
    x: list[float]


class Anything(msgspec.Struct):
    x: Any


TEXT = JsonText(Numbers, Anything)


def read(body: bytes) -> Any:
    try:
        return TEXT.exact(body).x
    except JSON_FAULTS as error:
        return TEXT.loose(body, error).x


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"x": [1, 2.5]}', [1.0, 2.5]),
        (b'{"x": ["1", true, null]}', ["1", True, None]),
        (b'{"x": [1e999, "a"]}', [math.inf, "a"]),
        (b'{"x": [Infinity, -Infinity]}', [math.inf, -math.inf]),
        (b'{"x": ["a", Infinity, "\\u00e9"]}', ["a", math.inf, "é"]),
    ],
)
def test_what_servers_accept_is_read(body: bytes, value: Any) -> None:
    assert read(body) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json"),
        (b'{"x": [1]', "json"),
        (b'{"x": ["a", NaN}', "json"),
        (b'{"x": ["\\ud800", NaN]}', "json"),
        (b'{"x": ["a", ' + b"1" * 5000 + b"]}", "json"),
        (b'{"x": ["\xff"]}', "json"),
        (b'{"x": {"\xff": 1}}', "json"),
        (b'{"skipped": ' + b"[" * 100_000, "json"),
        (b'{"x": ["\xff", NaN]}', "json"),
        (b'{"x": ["a", NaN' + b",[" * 100_000, "json"),
        (b'{"y": [1]}', "fields"),
        (b'{"y": [NaN]}', "fields"),
        (b"3", "fields"),
    ],
)
def test_the_rest_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read(body)
    assert error.value.reason == reason


def test_lenient_parsing_keeps_whole_numbers_whole() -> None:
    assert lenient(b"[12345678901234567890, NaN]")[0] == 12345678901234567890
