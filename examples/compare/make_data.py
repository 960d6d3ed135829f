"""Houses for the example: what a model was trained on, a month like it, and a month in which three things went wrong."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

Table = dict[str, Any]


def houses(rng: np.random.Generator, rows: int) -> Table:
    """Draw houses as they always were."""
    area = rng.normal(100, 25, rows).clip(20).round(1)
    return {
        "area_m2": area,
        "rooms": (area / 25 + rng.normal(size=rows)).round().clip(1).astype(int),
        "age_years": rng.exponential(30, rows).round(1),
        "region": rng.choice(["north", "south", "west", "east"], rows, p=[0.4, 0.3, 0.2, 0.1]),
    }


def write(path: str, table: Table) -> None:
    """Write houses with what the model says of them; missing values as empty cells."""
    price = 3 * table["area_m2"] + 10 * table["rooms"] - 0.8 * np.nan_to_num(table["age_years"], nan=30.0)
    columns = [*table.values(), price.round(1)]
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*table, "predicted_price"])
        for row in zip(*(column.tolist() for column in columns), strict=True):
            writer.writerow(["" if value != value else value for value in row])  # noqa: PLR0124 - NaN


rng = np.random.default_rng(1)
write("training.csv", houses(rng, 5000))
write("april.csv", houses(rng, 2000))

may = houses(rng, 2000)
may["area_m2"] = (may["area_m2"] * 10.764).round(1)  # somebody switched to square feet
may["age_years"][rng.random(2000) < 0.08] = np.nan  # a join that finds less than it did
may["region"] = np.where(rng.random(2000) < 0.15, "centre", may["region"])  # a region that is new
write("may.csv", may)
