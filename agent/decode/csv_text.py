"""CSV bodies: ``text/csv`` to MLflow (with a header) and to SageMaker (without one) on the same path.

Nothing in the message says which of the two it is, so the first line decides: if every field of it is a number, it is a row and
the columns have no names; else it is the header. A SageMaker row that starts with text is therefore taken for a header.

A column is numeric if every field in it is a number or missing, boolean if every field is ``true``, ``false`` or missing,
text otherwise. Missing is what pandas takes for missing, as MLflow's server reads these bodies with it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from agent.decode.block import MAX_COLUMNS, Block, NotObserved, Scalar, block_of
from agent.errors import DecodeError

MISSING = frozenset(
    {
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
        "NaN", "None", "n/a", "nan", "null",
    }
)  # fmt: skip
"""The fields that `pandas.read_csv` takes for missing by default."""

_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def read_csv(body: bytes) -> Block:
    """Read a CSV body (RFC 4180, quoted fields included).

    Raises
    ------
    NotObserved
        ``no_rows``
    DecodeError
        ``charset`` where it is not UTF-8, ``csv``, ``ragged``, ``duplicate_names``, ``too_many_columns``.
    """
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except UnicodeDecodeError:
        raise DecodeError("csv", "charset") from None
    except csv.Error:
        raise DecodeError("csv", "csv") from None
    if not lines:
        raise NotObserved("csv", "no_rows")
    width = len(lines[0])
    if width > MAX_COLUMNS:
        raise DecodeError("csv", "too_many_columns")
    if any(len(line) != width for line in lines):
        raise DecodeError("csv", "ragged")
    names: int | tuple[str, ...] = width
    if not all(map(_is_number, lines[0])):
        names = tuple(lines.pop(0))
        if not lines:
            raise NotObserved("csv", "no_rows")
    columns = [_column(fields) for fields in zip(*lines, strict=True)]
    return block_of(names, list(zip(*columns, strict=True)))


def _is_number(field: str) -> bool:
    # float() also reads "1_000", which no CSV writer means as a number.
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _column(fields: Sequence[str]) -> Sequence[Scalar]:
    present = [None if field in MISSING else field for field in fields]
    try:
        numbers = [None if field is None else float(field) for field in present]
    except ValueError:
        pass
    else:
        if not any("_" in field for field in fields):
            return numbers
    if all(field is None or field in _BOOLEANS for field in present):
        return [None if field is None else _BOOLEANS[field] for field in present]
    return present
