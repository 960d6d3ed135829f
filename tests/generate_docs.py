"""The README's tables, written from the code: ``python -m tests.generate_docs``; with ``--check`` nothing is written.

Each table stands between two comment lines, ``<!-- settings -->`` and ``<!-- /settings -->``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from agent.cli import settings_table
from agent.export import metrics

README = Path(__file__).resolve().parents[1] / "README.md"


TABLES: dict[str, Callable[[], str]] = {"settings": settings_table, "metrics": metrics.markdown}


def with_tables(text: str) -> str:
    """Give the text with each table as the code has it now.

    Raises
    ------
    ValueError
        A table's markers are not there exactly once.
    """
    for name, table in TABLES.items():
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if len(between.findall(text)) != 1:
            raise ValueError(f"the markers of the table {name!r} must be there exactly once")
        body = table().strip()
        text = between.sub(lambda match, body=body: f"{match[1]}\n{body}\n\n{match[2]}", text)  # type: ignore[misc]  # mypy can't infer a lambda with a default
    return text


def main() -> int:
    """Write the README, or say whether it is as the code has it."""
    text = README.read_text()
    wanted = with_tables(text)
    if sys.argv[1:] == ["--check"]:
        if text != wanted:
            print("README.md is out of date: run `python -m tests.generate_docs`", file=sys.stderr)
        return int(text != wanted)
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
