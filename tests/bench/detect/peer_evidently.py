"""Evidently: the drift test that its preset chooses for each column, at the preset's threshold.

The tests are called without the report around them, which takes seconds for fifty columns and adds nothing to the decision.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from tests.bench.detect.wire import CATEGORY, Column
from tests.bench.detect.worker import Matrix, WindowMethod, frame, serve


class Preset(WindowMethod):
    """``DataDriftPreset``: above 1,000 rows of reference the normed Wasserstein and the Jensen-Shannon distance."""

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        self.version = str(importlib.import_module("evidently").__version__)
        self._choose = importlib.import_module("evidently.legacy.calculations.stattests").get_stattest
        types = importlib.import_module("evidently.legacy.core").ColumnType
        self.outputs = tuple(one.name for one in columns)
        self._columns = columns
        self._reference = {name: values.dropna() for name, values in frame(columns, reference).items()}
        # As its report does: few different numbers are a category.
        self._types = {
            one.name: types.Categorical if one.kind == CATEGORY or self._reference[one.name].nunique() <= 5 else types.Numerical
            for one in columns
        }

    def flag(self, rows: Matrix) -> list[bool]:
        return [drifted for _, drifted in self._results(rows)]

    def statistic(self, rows: Matrix) -> list[float]:
        return [score for score, _ in self._results(rows)]

    def _results(self, rows: Matrix) -> list[tuple[float, bool]]:
        return [self._result(str(name), values.dropna()) for name, values in frame(self._columns, rows).items()]

    def _result(self, name: str, values: Any) -> tuple[float, bool]:
        reference, kind = self._reference[name], self._types[name]
        if not len(values) or not len(reference):
            return np.nan, False
        test = self._choose(reference, values, kind, None)
        found = test(reference, values, kind, None)
        score = float(found.drift_score)
        rising = "distance" in test.display_name.lower() or "divergence" in test.display_name.lower()
        return (score if rising else -np.log(max(score, 1e-300))), bool(found.drifted)


if __name__ == "__main__":
    serve(Preset())
