"""alibi-detect: ``TabularDrift`` on windows, and its online detectors, which look at each row.

The online detectors keep all pairs of a window and of their reference: they get the newest part of training and windows of at
most 100 rows. Numbers are standardised by training; missing ones count as the mean, which the detectors need.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.wire import CATEGORY, Column
from tests.bench.detect.worker import Flags, Matrix, Method, serve

ONLINE_REFERENCE = 1_000
CVM_REFERENCE = 300
LONGEST = 100
RUN_TIME = 200.0
"""Expected rows until a false alarm: nothing depends on it here, its statistic is what is calibrated; longer ones take more
simulation at the start."""


class Windows(Method):
    """``TabularDrift``: Kolmogorov-Smirnov and chi-square at p = 0.05 over the columns, Bonferroni: one answer for all."""

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        self.version = str(importlib.import_module("alibi_detect").__version__)
        detectors = importlib.import_module("alibi_detect.cd")
        kinds = {at: None for at, one in enumerate(columns) if one.kind == CATEGORY}
        self.outputs = ("any column",)
        self._middle = np.nan_to_num(np.nanmedian(reference, axis=1))
        self._detector = detectors.TabularDrift(self._filled(reference), p_val=0.05, categories_per_feature=kinds)

    def flags(self, rows: Matrix, window: int) -> Flags:
        starts = range(0, rows.shape[1] - window + 1, window)
        found = [self._detector.predict(self._filled(rows[:, at : at + window]))["data"]["is_drift"] for at in starts]
        return np.array(found, dtype=bool)[:, None]

    def _filled(self, rows: Matrix) -> Matrix:
        return np.where(np.isnan(rows), self._middle[:, None], rows).T


class Online(Method):
    """``CVMDriftOnline`` per numeric column, or ``MMDDriftOnline`` over all."""

    def __init__(self, detector: str) -> None:
        self._name = detector

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        self.version = str(importlib.import_module("alibi_detect").__version__)
        window = int(options["window"])
        if window > LONGEST:
            raise ValueError(f"windows of {window} rows take too long per row")
        self._columns = columns
        self._middle, self._spread = np.nanmean(reference, axis=1), np.nanstd(reference, axis=1)
        rows = self._features(reference)
        detectors = importlib.import_module("alibi_detect.cd")
        if self._name == "cvm":
            self.outputs = tuple(one.name for one in columns if one.kind != CATEGORY)
            self._detector = detectors.CVMDriftOnline(
                rows[-CVM_REFERENCE:], RUN_TIME, [window], n_bootstraps=3_000, n_features=rows.shape[1], verbose=False
            )
        else:
            self.outputs = ("all columns",)
            self._detector = detectors.MMDDriftOnline(
                rows[-ONLINE_REFERENCE:], RUN_TIME, window, backend="pytorch", n_bootstraps=1_000, verbose=False
            )

    def flags(self, rows: Matrix, window: int) -> Flags:
        raise ValueError("its online detectors have no default settings: the rate of false alarms is an argument")

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        self._detector.reset_state()
        looks: list[NDArray[np.float64]] = []
        for row in self._features(rows):
            looks.append(np.atleast_1d(np.asarray(self._detector.score(row), dtype=np.float64)).reshape(-1))
            if stop is not None and bool((looks[-1] > stop).any()):
                break
        return np.array(looks)

    def looks_at(self, window: int) -> int:
        return 1

    def _features(self, rows: Matrix) -> Matrix:
        scaled = np.nan_to_num((rows - self._middle[:, None]) / self._spread[:, None])
        parts = [scaled[[at for at, one in enumerate(self._columns) if one.kind != CATEGORY]]]
        if self._name != "cvm":
            for at, one in enumerate(self._columns):
                if one.kind == CATEGORY:
                    parts.append((rows[at][None, :] == np.arange(len(one.labels))[:, None]).astype(np.float64))
        return np.ascontiguousarray(np.concatenate(parts).T, dtype=np.float32)


class Chosen(Method):
    """Whichever the options ask for: ``tabular``, ``cvm`` or ``mmd``."""

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        name = str(options.get("detector", "tabular"))
        self._method: Method = Windows() if name == "tabular" else Online(name)
        self._method.fit(columns, reference, options)
        self.outputs, self.version = self._method.outputs, self._method.version

    def flags(self, rows: Matrix, window: int) -> Flags:
        return self._method.flags(rows, window)

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        return self._method.statistics(rows, window, stop, unseen)

    def looks_at(self, window: int) -> int:
        return self._method.looks_at(window)


if __name__ == "__main__":
    serve(Chosen())
