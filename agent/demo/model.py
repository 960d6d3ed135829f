"""The demo's data set and model.

The data are the 442 diabetes patients of Efron, Hastie, Johnstone and Tibshirani, "Least Angle Regression" (2004), which
scikit-learn ships with real units: age, sex, body mass index, blood pressure and six blood values, and how far the disease
had gone a year later. Real units are what makes a changed unit mean something.

Profile and replay use the same 442 rows: the replay draws from them with replacement, so that undisturbed traffic has
exactly the distribution of the profile. Replaying a held-out third instead would not be undisturbed: its 150 rows differ
from the other 292 by chance, and thousands of draws from them make that difference certain. A monitor that looks hard
enough would be right to report it.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor

from agent.profile.build import build
from agent.profile.write import write

NAME = "diabetes"
VERSION = "1"
LABEL = "progression_after_a_year"
PREDICTION = "progression"

FEATURES = (
    "age",
    "sex",
    "bmi",
    "blood_pressure",
    "total_cholesterol",
    "ldl",
    "hdl",
    "cholesterol_ratio",
    "log_triglycerides",
    "glucose",
)
"""In the order of the data set, which calls them age, sex, bmi, bp and s1 to s6."""

INTEGERS = ("sex",)
"""Features that travel as integers: sex is coded 1 and 2, as in ISO/IEC 5218."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model with the rows it learned from.

    Parameters
    ----------
    rows
        float64, shape ``(442, 10)``; columns as in `FEATURES`; no missing values.
    labels, predictions
        float64, shape ``(442,)``: a measure of disease progression, 25 to 346.
    estimator
        Takes rows of that shape, missing values (NaN) included, and gives one number for each.
    """

    rows: NDArray[np.float64]
    labels: NDArray[np.float64]
    predictions: NDArray[np.float64]
    estimator: Any

    def table(self) -> pa.Table:
        """Features, label and prediction as columns: what the profile is built from."""
        columns: dict[str, Any] = {name: self.rows[:, i] for i, name in enumerate(FEATURES)}
        columns |= {name: columns[name].astype(np.int64) for name in INTEGERS}
        return pa.table(columns | {LABEL: self.labels, PREDICTION: self.predictions})


def train() -> Trained:
    """Fit 40 small boosted trees, which take missing values as they are; well under a second, the same result each time."""
    rows, labels = load_diabetes(scaled=False, return_X_y=True)
    estimator = HistGradientBoostingRegressor(max_iter=40, learning_rate=0.08, min_samples_leaf=15, random_state=1)
    estimator.fit(rows, labels)
    return Trained(rows, labels, estimator.predict(rows), estimator)


def save(trained: Trained, path: Path) -> None:
    """Write the fitted estimator for `agent.demo.server`."""
    path.write_bytes(pickle.dumps(trained.estimator))


def write_profile(trained: Trained, path: Path) -> None:
    """Build the profile of the training rows, as ``outrider profile build`` does, and write it."""
    profile = build(
        trained.table(), label=LABEL, prediction=PREDICTION, model_name=NAME, model_version=VERSION, task="regression"
    )
    write(profile, path)


def load(path: Path) -> Any:
    """Read what `save` wrote; only for a file of one's own, since a pickle can run code."""
    return pickle.loads(path.read_bytes())  # noqa: S301 - written by the demo itself, in a folder that only its user can write
