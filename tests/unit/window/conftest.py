from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from agent.batch import Checked
from agent.profile.schema import ColumnSchema, Schema

Batches = Callable[..., Checked]


@pytest.fixture
def schema() -> Schema:
    """A number, a category, a text that is not compared, and a prediction."""
    edges, coarse = np.linspace(-2, 2, 9), np.array([0, 3, 6])
    features = (
        ColumnSchema("x", "feature", "float", False, -5.0, 5.0, edges, coarse, None, None),
        ColumnSchema("colour", "feature", "category", False, None, None, None, None, ("red", "green"), None),
        ColumnSchema("note", "feature", "text", True, None, None, None, None, None, None),
    )
    outputs = (ColumnSchema("y", "prediction", "float", False, 0.0, 1.0, np.array([0.5]), np.array([0, 1]), None, None),)
    return Schema("m", "1", features, outputs)


@pytest.fixture
def batch() -> Batches:
    """Checked batches of `schema`: as many rows as asked for, the same for the same seed."""

    def make(rows: int, seed: int = 0) -> Checked:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=rows)
        x[::5] = np.nan
        colour = rng.choice(np.array(["red", "green", "blue", None], dtype=object), size=rows)
        return Checked(rows, (x, colour, np.full(rows, "text", dtype=object), rng.random(size=rows)), {})

    return make
