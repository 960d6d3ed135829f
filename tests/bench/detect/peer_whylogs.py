"""whylogs: drift scores between the profiles of a window and of training, as its report computes them."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tests.bench.detect.wire import Column
from tests.bench.detect.worker import Matrix, WindowMethod, frame, serve


class Profiles(WindowMethod):
    """Kolmogorov-Smirnov over quantile sketches, chi-square over frequent items; ``DRIFT`` below p = 0.05."""

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        whylogs = importlib.import_module("whylogs")
        self.version = str(whylogs.__version__)
        self._log = whylogs.log
        self._scores = importlib.import_module("whylogs.viz.drift.column_drift_algorithms").calculate_drift_scores
        self._columns = columns
        self.outputs = tuple(one.name for one in columns)
        self._reference = self._log(frame(columns, reference)).view()

    def flag(self, rows: Matrix) -> list[bool]:
        found = self._compared(rows)
        return [(found.get(name) or {}).get("drift_category") == "DRIFT" for name in self.outputs]

    def statistic(self, rows: Matrix) -> list[float]:
        found = self._compared(rows)
        values = [(found.get(name) or {}).get("pvalue") for name in self.outputs]
        return [np.nan if value is None else -np.log(max(float(value), 1e-300)) for value in values]

    def _compared(self, rows: Matrix) -> dict[str, Any]:
        view = self._log(frame(self._columns, rows)).view()
        found: dict[str, Any] = self._scores(target_view=view, reference_view=self._reference, with_thresholds=True)
        return found


if __name__ == "__main__":
    serve(Profiles())
