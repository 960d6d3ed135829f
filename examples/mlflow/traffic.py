"""Calls the model through Outrider: ``python traffic.py [--feet]``. With ``--feet`` areas come in square feet: drift."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import requests

URL = "http://127.0.0.1:8000/invocations"
CALLS = 30


def houses(chance: np.random.Generator, unit: float) -> pd.DataFrame:
    """Make ten houses up."""
    return pd.DataFrame(
        {
            "area_m2": (chance.lognormal(4.6, 0.4, 10) * unit).round(1),
            "age_years": chance.integers(0, 81, 10),
            "district": chance.choice(["north", "south", "west"], 10, p=[0.5, 0.3, 0.2]),
        }
    )


def bodies(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Write the same rows in all ways that the server takes."""
    return [
        {"json": {"dataframe_split": table.to_dict("split")}},
        {"json": {"dataframe_records": table.to_dict("records")}},
        {"json": {"instances": table.to_dict("records")}},
        {"json": {"inputs": table.to_dict("list")}},
        {"data": table.to_csv(index=False), "headers": {"Content-Type": "text/csv"}},
    ]


def main() -> None:
    """Send each call in the next way."""
    feet = "--feet" in sys.argv
    chance, unit = np.random.default_rng(3 if feet else 2), 10.764 if feet else 1.0
    with requests.Session() as session:
        for _ in range(CALLS):
            for way in range(5):
                session.post(URL, timeout=30, **bodies(houses(chance, unit))[way]).raise_for_status()


if __name__ == "__main__":
    main()
