"""Train a classifier of flowers, and write what it was trained on with its own answers: ``python train.py MODEL TRAINING``."""

import csv
import sys
from pathlib import Path

import joblib  # type: ignore[import-untyped]
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

COLUMNS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def main(model: str, training: str) -> None:
    """Write the model for MLServer, and the table for Outrider."""
    flowers, species = load_iris(return_X_y=True)
    classifier = LogisticRegression(max_iter=500).fit(flowers, species)
    joblib.dump(classifier, model)
    with Path(training).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*COLUMNS, "species"])
        rows.writerows([*flower, answer] for flower, answer in zip(flowers, classifier.predict(flowers), strict=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
