"""Tables for tests of comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np

from agent.compare.compare import compare
from agent.compare.comparison import Comparison
from agent.config import Settings, load
from agent.evaluate.report import ColumnReport
from agent.profile.build import build
from agent.profile.format import Profile

DEFAULTS: Settings = load({})

Table = dict[str, Any]


def houses(seed: int, rows: int) -> Table:
    """Numbers, a category, missing values, a switch, a prediction."""
    rng = np.random.default_rng(seed)
    area = rng.normal(100, 20, rows)
    return {
        "area": area,
        "rooms": rng.poisson(4, rows),
        "region": np.array(["north", "south", "west"], dtype=object)[rng.choice(3, rows, p=[0.5, 0.3, 0.2])],
        "age": np.where(rng.random(rows) < 0.05, np.nan, rng.exponential(20, rows)),
        "garden": rng.random(rows) < 0.3,
        "price": 3 * area + rng.normal(0, 10, rows),
    }


def profile_of(table: Table, **options: Any) -> Profile:
    return build(table, **options)


def compared(profile: Profile, data: object, **options: Any) -> Comparison:
    return compare(profile, data, settings=DEFAULTS, **options)


def column(comparison: Comparison, name: str) -> ColumnReport:
    (found,) = (column for column in comparison.columns if column.name == name)
    return found
