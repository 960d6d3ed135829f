"""The fifty columns of the stationary streams: real ones, and made ones with what real data sets of that size lack.

They come in blocks whose rows belong together. A block is a pool: training and traffic are rows drawn from it, so that both
are of one distribution by construction, whatever the data set is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from tests.bench.detect.environments import UnavailableError, data_set
from tests.bench.detect.wire import CATEGORY, Column

Matrix = NDArray[np.float64]
MADE_ROWS = 100_000
COLUMNS = 50


@dataclass(frozen=True)
class Block:
    """Rows that belong together: `pool` has shape ``(columns, rows)``, categories as places in their labels."""

    name: str
    columns: tuple[Column, ...]
    pool: Matrix


def blocks() -> tuple[list[Block], list[str]]:
    """Give the blocks, and why some are missing."""
    found = [_bundled("cancer", load_breast_cancer, 8), _bundled("wine", load_wine, 5), _bundled("diabetes", load_diabetes, 4)]
    missing = []
    try:
        found += [_files(name, file, columns) for name, file, columns in _FILES]
    except UnavailableError as reason:
        missing.append(f"no columns of nannyml's data sets: {reason}")
    return [*found, made()], missing


def _bundled(name: str, load: Callable[[], object], count: int) -> Block:
    data = load()
    values = np.asarray(data.data, dtype=np.float64).T[:count]  # type: ignore[attr-defined]  # a Bunch
    return Block(name, tuple(Column(f"{name}.{at}") for at in range(count)), values)


_FILES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "housing", "california_housing_reference.csv",
        ("MedInc", "HouseAge", "AveRooms", "AveBedrms", "Population", "AveOccup", "Latitude", "Longitude"),
    ),
    (
        "loan", "synthetic_car_loan_reference.csv",
        (
            "car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car",
            "size_of_downpayment", "driver_tenure", "y_pred_proba",
        ),
    ),
    (
        "card", "mc_reference.csv",
        ("acq_channel", "app_behavioral_score", "requested_credit_limit", "credit_bureau_score", "stated_income"),
    ),
    ("titanic", "titanic_reference.csv", ("Age", "Fare", "Sex", "Embarked")),
)  # fmt: skip


def _files(name: str, file: str, names: tuple[str, ...]) -> Block:
    table = data_set(file)
    columns, values = columns_of(table[list(names)], f"{name}.")
    return Block(name, columns, values)


def columns_of(table: object, prefix: str = "", like: tuple[Column, ...] = ()) -> tuple[tuple[Column, ...], Matrix]:
    """Take a DataFrame apart; labels that `like` has for the same column come first, in its order."""
    before = {column.name: column.labels for column in like}
    columns, values = [], []
    for name in table.columns:  # type: ignore[attr-defined]  # pandas has no types here
        series = table[name]  # type: ignore[index]
        if series.dtype.kind in "fiu":
            columns.append(Column(prefix + name))
            values.append(series.to_numpy(dtype=np.float64))
            continue
        texts = [None if text != text else str(text) for text in series.tolist()]  # noqa: PLR0124 - NaN is missing
        labels = list(before.get(prefix + name, ()))
        labels += sorted({text for text in texts if text is not None} - set(labels))
        place = {label: float(at) for at, label in enumerate(labels)}
        columns.append(Column(prefix + name, CATEGORY, tuple(labels)))
        values.append(np.array([np.nan if text is None else place[text] for text in texts]))
    return tuple(columns), np.array(values)


def made() -> Block:
    """Make what is heavy-tailed, tied, discrete, skewed, almost constant, constant, and of many categories."""
    source = np.random.default_rng(50)
    rows = MADE_ROWS
    shares = 1.0 / np.arange(1, 201) ** 1.2
    towns = source.choice(200, rows, p=shares / shares.sum()).astype(np.float64)
    kinds: dict[str, Matrix] = {
        "student": source.standard_t(2, rows),
        "lognormal": source.lognormal(0.0, 1.5, rows),
        "rounded": np.round(source.normal(0.0, 1.0, rows), 1),
        "zipf": np.minimum(source.zipf(2.0, rows), 1_000_000).astype(np.float64),
        "flag": (source.random(rows) < 0.001).astype(np.float64),
        "constant": np.full(rows, 7.0),
        "mostly_zero": np.where(source.random(rows) < 0.9, 0.0, source.exponential(1.0, rows)),
    }
    columns = (*map(Column, kinds), Column("town", CATEGORY, tuple(f"town {at}" for at in range(200))))
    return Block("made", columns, np.array([*kinds.values(), towns]))
