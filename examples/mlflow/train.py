"""Train a model of house prices: ``python train.py FOLDER`` saves it there, and what it was trained on with its own answers."""

import sys
from pathlib import Path

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

EXTRA = {"north": 0, "south": 25, "west": -10}


def main(folder: Path) -> None:
    """Train on 5,000 houses."""
    chance = np.random.default_rng(1)
    houses = pd.DataFrame(
        {
            "area_m2": chance.lognormal(4.6, 0.4, 5000).round(1),
            "age_years": chance.integers(0, 81, 5000),
            "district": chance.choice(list(EXTRA), 5000, p=[0.5, 0.3, 0.2]),
        }
    )
    paid = 40 + 2.5 * houses.area_m2 - 0.6 * houses.age_years + houses.district.map(EXTRA) + chance.normal(0, 8, 5000)
    columns = make_column_transformer((OneHotEncoder(), ["district"]), remainder="passthrough")
    model = make_pipeline(columns, LinearRegression()).fit(houses, paid)
    found = model.predict(houses)
    # cloudpickle: the other format, skops, refuses some of scikit-learn's own types.
    mlflow.sklearn.save_model(
        model, folder / "model", signature=infer_signature(houses, found), serialization_format="cloudpickle"
    )
    houses.assign(price=found).to_csv(folder / "training.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
