"""What the models of KServe and MLflow learn: prices of houses from two numbers and a category. Needs numpy, no more.

The price is linear in all of it, so a linear model answers it exactly, on any version of scikit-learn.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Table = dict[str, list[Any]]
"""Columns by name."""

DISTRICTS = {"north": 0.0, "south": 25.0, "west": -10.0}
SQUARE_FEET = 10.764
"""In a square metre."""

TRAINING_SEED = 1
"""Of the houses that the models learn from."""


def houses(rows: int, seed: int, unit: float = 1.0) -> Table:
    """Make houses up, the same ones for the same seed, with areas in a unit of which `unit` make a square metre."""
    generator = np.random.default_rng(seed)
    return {
        "area_m2": (generator.lognormal(4.6, 0.4, rows) * unit).round(1).tolist(),
        "age_years": generator.integers(0, 81, rows).tolist(),
        "district": generator.choice(list(DISTRICTS), rows, p=[0.5, 0.3, 0.2]).tolist(),
    }


def prices(table: Table) -> list[float]:
    """Estimate the price of each, in thousands."""
    return [
        40 + 2.5 * area - 0.6 * age + DISTRICTS[district]
        for area, age, district in zip(table["area_m2"], table["age_years"], table["district"], strict=True)
    ]


def rows_of(table: Table) -> list[dict[str, Any]]:
    """Give the table row by row."""
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def batches(table: Table, size: int) -> list[Table]:
    """Cut the table into calls."""
    rows = len(next(iter(table.values())))
    return [{name: column[start : start + size] for name, column in table.items()} for start in range(0, rows, size)]


def trained_model() -> Any:
    """Train a pipeline of scikit-learn that takes a data frame; only in the environment of a server."""
    import pandas as pd  # noqa: PLC0415 - the tests' own environment needs neither
    from sklearn.compose import make_column_transformer  # noqa: PLC0415
    from sklearn.linear_model import LinearRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder  # noqa: PLC0415

    table = houses(2000, TRAINING_SEED)
    by_kind = make_column_transformer((OneHotEncoder(), ["district"]), remainder="passthrough")
    return make_pipeline(by_kind, LinearRegression()).fit(pd.DataFrame(table), prices(table))
