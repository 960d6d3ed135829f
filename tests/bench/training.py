"""The training profile of the rows that the benches send."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from agent.profile.build import build
from agent.profile.format import Profile
from agent.profile.write import write
from tests.bench.rows import FEATURES, rows


def training_profile(columns: int = FEATURES, count: int = 5_000) -> Profile:
    """Build the profile of `columns` numeric features and a prediction."""
    values = np.asarray(rows(count, columns, seed=11))
    data = {f"f{at}": values[:, at] for at in range(columns)}
    data["score"] = 1.0 / (1.0 + np.exp(-values.mean(axis=1)))
    return build(data, prediction="score", model_name="demo")


def write_training_profile(path: Path) -> Path:
    """Write it to a file; give the path."""
    write(training_profile(), path)
    return path
