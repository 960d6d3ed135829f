"""What the naive user writes: Kolmogorov-Smirnov per numeric column, chi-square per category, alarm at p < 0.05."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import stats

from tests.bench.detect.wire import CATEGORY, Column
from tests.bench.detect.worker import Matrix, WindowMethod, serve


class NaiveTests(WindowMethod):
    """Each window against all of training, each column for itself, missing values dropped."""

    version = scipy.__version__

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, object]) -> None:
        self.outputs = tuple(one.name for one in columns)
        self._columns = columns
        self._reference = [np.sort(values[~np.isnan(values)]) for values in reference]

    def flag(self, rows: Matrix) -> list[bool]:
        return [p < 0.05 for p in self._p_values(rows)]

    def statistic(self, rows: Matrix) -> list[float]:
        return [-np.log(max(p, 1e-300)) for p in self._p_values(rows)]

    def _p_values(self, rows: Matrix) -> list[float]:
        pairs = zip(self._columns, rows, self._reference, strict=True)
        return [_p_value(column, values[~np.isnan(values)], before) for column, values, before in pairs]


def _p_value(column: Column, values: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    if not values.size:
        return 1.0
    if column.kind != CATEGORY:
        return float(stats.ks_2samp(before, values, method="asymp").pvalue)
    kinds = len(column.labels)
    counts = np.array([np.bincount(part.astype(np.int64), minlength=kinds) for part in (before, values)])
    counts = counts[:, counts.sum(axis=0) > 0]
    return float(stats.chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


if __name__ == "__main__":
    serve(NaiveTests())
