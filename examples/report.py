"""Waits for a decision and prints the report: ``python report.py``. With a column's name it waits until that has drifted."""

import json
import sys
import time
import urllib.request
from typing import Any

URL = "http://127.0.0.1:9464/api/report"
PATIENCE_S = 60


def ask() -> dict[str, Any]:
    """Fetch the report."""
    with urllib.request.urlopen(URL, timeout=5) as answer:
        report: dict[str, Any] = json.load(answer)
    return report


def is_awaited(report: dict[str, Any], name: str) -> bool:
    """Tell whether the report says what is waited for."""
    if name:
        return any(column["name"] == name and column["decision"] == "drifted" for column in report["columns"])
    return report["decision"] not in {"no_reference", "insufficient"}


def main() -> None:
    """Wait, then print; a minute is enough."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    end = time.monotonic() + PATIENCE_S
    while not is_awaited(report := ask(), name) and time.monotonic() < end:
        time.sleep(0.2)
    print(f"\n{report['decision']}: {report['rows']} rows in the window")
    for column in report["columns"]:
        print(f"  {column['name']:24} {column['decision']:12} {column['reason']}")
    sys.exit(not is_awaited(report, name))


if __name__ == "__main__":
    main()
