"""Write what the model was trained on, with its own answers: ``python train.py FILE``."""

import csv
import random
import sys
from pathlib import Path


def main(path: str) -> None:
    """Write 5,000 houses."""
    houses = random.Random(1)  # noqa: S311 - not for secrets
    with Path(path).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["area_m2", "age_years", "price"])
        for _ in range(5000):
            area, age = round(houses.lognormvariate(4.6, 0.4), 1), houses.randint(0, 80)
            rows.writerow([area, age, 40 + 2.5 * area - 0.6 * age])


if __name__ == "__main__":
    main(sys.argv[1])
