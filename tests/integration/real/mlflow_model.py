"""Save a model of scikit-learn as MLflow does: ``python -m tests.integration.real.mlflow_model FOLDER``."""

from __future__ import annotations

import sys

import mlflow.sklearn  # type: ignore[import-not-found,unused-ignore]
import pandas as pd
from mlflow.models import infer_signature  # type: ignore[import-not-found,unused-ignore]

from tests.integration.real.houses import TRAINING_SEED, houses, trained_model

if __name__ == "__main__":
    table = pd.DataFrame(houses(20, TRAINING_SEED))
    model = trained_model()
    # MLflow takes only those params that the signature has; a model of scikit-learn gets on without them.
    signature = infer_signature(table, model.predict(table), params={"currency": "EUR"})
    # The other format, skops, refuses some of scikit-learn's own types.
    mlflow.sklearn.save_model(model, sys.argv[1], signature=signature, serialization_format="cloudpickle")
