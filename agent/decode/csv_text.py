"""CSV bodies: ``text/csv`` to MLflow (with a header) and to SageMaker (without one) on the same path.

Nothing in the message says which of the two it is, so the first line decides, together with what is below it:

- numbers and missing values alone are a row;
- a text above nothing but numbers is a name, so the line is the header;
- a single line is a row, since a header alone asks nothing;
- a line that has numbers beside texts (``male,3,Bern``) is a row: names are rarely numbers;
- else there are only texts in the first line and no numbers below them: *in doubt* it is the header of a request, and a row of
  an answer. Where a text comes twice it is no header.

A column is numeric if every field in it is a number or missing, boolean if every field is ``true``, ``false`` or missing,
text otherwise. Missing is what pandas takes for missing, as MLflow's server reads these bodies with it.

Sources: RFC 4180; MLflow "Local inference server specification"; SageMaker "Common data formats for inference".
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from agent.decode.block import MAX_COLUMNS, Block, NotObserved, block_of
from agent.errors import DecodeError

MISSING = frozenset(
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
        "NaN", "None", "n/a", "nan", "null",
    }
)  # fmt: skip
"""The fields that `pandas.read_csv` takes for missing by default."""

_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def read_csv(body: bytes, *, header_in_doubt: bool = True) -> Block:
    """Read a CSV body (RFC 4180, quoted fields included).

    Parameters
    ----------
    header_in_doubt
        What to take the first line for where nothing tells.

    Raises
    ------
    NotObserved
        ``no_rows``
    DecodeError
        ``charset`` where it is not UTF-8, ``csv``, ``ragged``, ``duplicate_names``, ``too_many_columns``.
    """
    try:
        text = body.decode().removeprefix("\ufeff")
        block = _numeric_table(text)
        if block is not None:
            return block
        lines = _lines(text)
    except UnicodeDecodeError:
        raise DecodeError("csv", "charset") from None
    except csv.Error:
        raise DecodeError("csv", "csv") from None
    if not lines:
        raise NotObserved("csv", "no_rows")
    width = len(lines[0])
    if width > MAX_COLUMNS:
        raise DecodeError("csv", "too_many_columns")
    if set(map(len, lines)) != {width}:
        raise DecodeError("csv", "ragged")
    columns = [_column(fields) for fields in zip(*lines[1:], strict=True)]
    if _is_header(lines[0], columns, header_in_doubt):
        names: int | tuple[str, ...] = tuple(lines[0])
    else:
        names = width
        columns = [_column(fields) for fields in zip(*lines, strict=True)]
    return block_of(names, list(zip(*columns, strict=True)))


def _is_header(first: Sequence[str], columns: Sequence[Sequence[Any]], in_doubt: bool) -> bool:
    """Tell whether the first line is a header, by the rule above. `columns` are those of the lines below."""
    texts = list(map(_is_text, first))
    if not columns or not any(texts):
        return False
    if any(is_text and _is_numeric(column) for is_text, column in zip(texts, columns, strict=True)):
        return True
    return all(texts) and in_doubt and len(set(first)) == len(first)


def _is_numeric(column: Sequence[Any]) -> bool:
    kinds = set(map(type, column))
    return float in kinds and kinds <= {float, type(None)}


def _numeric_table(text: str) -> Block | None:
    """Read a table of plain numbers as if it were JSON: 120 ns a value in all, 320 with `float` on each field.

    Gives ``None`` for all other tables, those with faults included. A bracket in the text could end a row early, so there
    must be none; words, and numbers that are none in JSON, are refused by the parser.
    """
    if '"' in text or "[" in text or "]" in text:
        return None
    text = text.replace("\r\n", "\n").strip("\n")
    items = _numeric_rows(text)
    if items is not None:
        return block_of(len(items[0]), items)
    first, _, rest = text.partition("\n")
    fields = first.split(",")
    texts = [at for at, field in enumerate(fields) if _is_text(field)]
    items = _numeric_rows(rest) if texts else None
    if items is None or len(items[0]) != len(fields) or all(item[at] is None for item in items for at in texts):
        return None  # also where nothing but missing values is below the texts: in doubt
    return block_of(tuple(fields), items)


def _numeric_rows(text: str) -> list[list[float | None]] | None:
    """Read lines of numbers and missing values, as many in each."""
    rows = "[[" + text.replace("\n", "],[") + "]]"
    if ",," in rows or "[," in rows or ",]" in rows:
        # Twice, since of ",,," the first pass only sees every other pair.
        rows = rows.replace(",,", ",null,").replace(",,", ",null,").replace("[,", "[null,").replace(",]", ",null]")
    try:
        items = _decode_rows(rows)
    except ValueError:
        return None
    widths = set(map(len, items))
    return items if len(widths) == 1 and widths != {0} else None


_decode_rows = msgspec.json.Decoder(list[list[float | None]]).decode


def _lines(text: str) -> list[list[str]]:
    return [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]


def _is_text(field: str) -> bool:
    return not (_is_number(field) or field in MISSING)


def _is_number(field: str) -> bool:
    # float() also reads "1_000", which no CSV writer means as a number.
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _column(fields: Sequence[str]) -> Sequence[Any]:
    try:
        numbers: list[float | None] = list(map(float, fields))
    except ValueError:
        present = [None if field in MISSING else field for field in fields]
        try:
            numbers = [None if field is None else float(field) for field in present]
        except ValueError:
            if all(field is None or field in _BOOLEANS for field in present):
                return [None if field is None else _BOOLEANS[field] for field in present]
            return present
    if any("_" in field for field in fields):
        return [None if field in MISSING else field for field in fields]
    return numbers
