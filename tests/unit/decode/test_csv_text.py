"""CSV bodies."""

from __future__ import annotations

from typing import Any

import pytest

from agent.decode.csv_text import read_csv
from agent.decode.gather import side
from agent.errors import DecodeError
from tests.exchanges import as_lists


def columns(body: bytes) -> dict[str, list[Any]]:
    block = read_csv(body)
    return as_lists(side(block.names, block.numeric, [block.values]))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"a,b\n1,2\n3,4\n", {"a": [1.0, 3.0], "b": [2.0, 4.0]}),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", {"a": [1.0], "b": [2.0]}),
        (b"a,b\r1,2\r", {"a": [1.0], "b": [2.0]}),
        (b"1,2\n3,4", {"0": [1.0, 3.0], "1": [2.0, 4.0]}),
        (b"-1.5e3\n", {"0": [-1500.0]}),
        (b"a,b\n1,\n,NA\n", {"a": [1.0, None], "b": [None, None]}),
        (b'a,b\n1,"x, ""y"""\n2,\n', {"a": [1.0, 2.0], "b": ['x, "y"', None]}),
        (b"a\ntrue\nFALSE\n\n", {"a": [True, False]}),
        (b"a\ntrue\n1\n", {"a": ["true", "1"]}),
        (b"a\n1_000\n", {"a": ["1_000"]}),
        (b"a,b\n1_000,x\n,\n", {"a": ["1_000", None], "b": ["x", None]}),
        (b"a,b\nnan,1\n2,null\n", {"a": [None, 2.0], "b": [1.0, None]}),
        (b"a\ninf\n", {"a": [float("inf")]}),
        (b",a\n0,1\n", {"": [0.0], "a": [1.0]}),
        (b"region,2019\nEU,1\nUS,2\n", {"0": ["region", "EU", "US"], "1": [2019.0, 1.0, 2.0]}),
        (b"age,2019\n30,1\n", {"age": [30.0], "2019": [1.0]}),
        (b"male,3,Bern\nfemale,4,Rome\n", {"0": ["male", "female"], "1": [3.0, 4.0], "2": ["Bern", "Rome"]}),
        (b"a,b\n", {"0": ["a"], "1": ["b"]}),
        (b"1,,3\n", {"0": [1.0], "1": [None], "2": [3.0]}),
        (b"1,NA,3\n4,5,6\n", {"0": [1.0, 4.0], "1": [None, 5.0], "2": [3.0, 6.0]}),
        (b"yes,yes\nno,no\n", {"0": ["yes", "no"], "1": ["yes", "no"]}),
        (b"a,b\n,\n", {"a": [None], "b": [None]}),
        (b"a\nx\ny\n", {"a": ["x", "y"]}),
    ],
)
def test_columns_are_what_their_fields_are(body: bytes, expected: dict[str, list[Any]]) -> None:
    assert columns(body) == expected


@pytest.mark.parametrize("body", [b"yes\nno\n", b'yes\n"no"\n'])
def test_texts_alone_are_rows_where_a_header_is_unlikely(body: bytes) -> None:
    block = read_csv(body, header_in_doubt=False)
    assert as_lists(side(block.names, block.numeric, [block.values])) == {"0": ["yes", "no"]}
    assert read_csv(b"p\n0.5\n", header_in_doubt=False).names == ("p",)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no_rows"),
        (b"a,b\n1\n", "ragged"),
        (b"a\n1],[2\n", "ragged"),
        (b"a,a\n1,2\n", "duplicate_names"),
        (b"," * 20_000, "too_many_columns"),
        (b'a\n"1', "csv"),
        (b'a\n"1"x\n', "csv"),
        (b"a\n\xff\n", "charset"),
        (b'a\n"' + b"x" * 200_000 + b'"', "csv"),
    ],
)
def test_what_is_no_table_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        read_csv(body)
    assert error.value.reason == reason
