"""NannyML: univariate drift, PCA reconstruction error, missing values; thresholds from the chunks of training."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tests.bench.detect.wire import Column
from tests.bench.detect.worker import Flags, Matrix, Method, frame, serve

RECONSTRUCTION = "reconstruction error"
FEWEST_CHUNKS = 6
"""NannyML itself warns below this."""
SOME_ROWS = 3_000


class Calculators(Method):
    """Its calculators at their default settings, with chunks of as many rows as a window has."""

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        nannyml = importlib.import_module("nannyml")
        self.version = str(nannyml.__version__)
        chunk = int(options["window"])
        if reference.shape[1] < FEWEST_CHUNKS * chunk:
            raise ValueError(f"training has fewer than {FEWEST_CHUNKS} chunks of {chunk} rows to learn thresholds from")
        self._columns = columns
        names = [one.name for one in columns]
        self._names = names
        data = frame(columns, reference)
        # A constant column can't be taken apart; NannyML would divide by its spread.
        varied = [one.name for one, values in zip(columns, reference, strict=True) if np.nanstd(values) > 0]
        self._univariate = nannyml.UnivariateDriftCalculator(column_names=names, chunk_size=chunk).fit(data)
        self._joint = nannyml.DataReconstructionDriftCalculator(column_names=varied, chunk_size=chunk).fit(data)
        self._missing = nannyml.MissingValuesCalculator(column_names=names, chunk_size=chunk).fit(data)
        self.outputs = (*names, RECONSTRUCTION, *(f"missing {name}" for name in names))

    def flags(self, rows: Matrix, window: int) -> Flags:
        return self._table(rows, "alert") > 0

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        chunks = rows.shape[1] // window
        # Many chunks in a call cost little more than one; but most changes are seen in the first few.
        at_once = chunks if stop is None else max(1, SOME_ROWS // window)
        found: list[Matrix] = []
        done = 0
        while done < chunks:
            some = min(at_once, chunks - done)
            found.append(self._values(rows[:, done * window : (done + some) * window]))
            done, at_once = done + some, 4 * at_once
            if stop is not None and bool((found[-1] > stop).any()):
                break
        return np.concatenate(found)

    def _values(self, rows: Matrix) -> Matrix:
        found = self._table(rows, "value")
        joint = len(self._names)
        # A reconstruction error that falls is drift as well.
        found[:, joint] = np.abs(found[:, joint] - self._joint_middle())
        return found

    def _joint_middle(self) -> float:
        reference = self._joint.result.filter(period="reference").to_df(multilevel=False)
        return float(reference["reconstruction_error_value"].mean())

    def _table(self, rows: Matrix, what: str) -> Matrix:
        data = frame(self._columns, rows)
        univariate = self._of(self._univariate, data)
        joint, missing = self._of(self._joint, data), self._of(self._missing, data)
        columns = [univariate[f"{name}_jensen_shannon_{what}"] for name in self._names]
        columns.append(joint[f"reconstruction_error_{what}"])
        columns += [missing[f"{name}_{what}"] for name in self._names]
        return np.array([column.to_numpy(dtype=np.float64) for column in columns]).T

    def _of(self, calculator: Any, data: Any) -> Any:
        return calculator.calculate(data).filter(period="analysis").to_df(multilevel=False)


if __name__ == "__main__":
    serve(Calculators())
