"""Train the classifier that MLServer serves, in MLServer's environment: ``python mlserver_iris.py FILE``."""

from __future__ import annotations

import importlib
import sys


def main(path: str) -> None:
    features, labels = importlib.import_module("sklearn.datasets").load_iris(return_X_y=True)
    classifier = importlib.import_module("sklearn.linear_model").LogisticRegression(max_iter=500)
    importlib.import_module("joblib").dump(classifier.fit(features, labels), path)


if __name__ == "__main__":
    main(sys.argv[1])
