"""The side of a method: takes the reference and windows from the bench, answers with flags or statistics.

Run by the interpreter of the method's own environment (`tests.bench.detect.methods.talk`). What the method prints
goes to standard error, so that only messages pass.
"""

from __future__ import annotations

import os
import sys
import warnings
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.detect.wire import CATEGORY, Column, columns_of_json, receive, send

Matrix = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Method(ABC):
    """One way to detect drift.

    `outputs` names what it says something of: the columns in their order, then whatever it watches besides.
    """

    outputs: tuple[str, ...] = ()
    version = ""

    @abstractmethod
    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        """Take the training data, shape ``(columns, rows)``; set `outputs`."""

    @abstractmethod
    def flags(self, rows: Matrix, window: int) -> Flags:
        """Judge, by its default rule, the windows of so many rows that `rows` consists of: shape ``(looks, outputs)``."""

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        """Give the statistic that it decides by, for each window of so many rows: shape ``(looks, outputs)``.

        The greater, the more of a drift; NaN where it is undefined. What has a memory forgets it first. With thresholds in
        `stop`, nobody needs the looks after the first that exceeds one, nor those that end within the first `unseen` rows.
        """
        raise ValueError(f"{type(self).__name__} gives no statistics")

    def looks_at(self, window: int) -> int:
        """After how many rows each look comes."""
        return window


class WindowMethod(Method):
    """A method that judges one window at a time."""

    @abstractmethod
    def flag(self, rows: Matrix) -> list[bool]:
        """Judge one window."""

    @abstractmethod
    def statistic(self, rows: Matrix) -> list[float]:
        """Give the statistics of one window."""

    def flags(self, rows: Matrix, window: int) -> Flags:
        return np.array([self.flag(part) for part in _windows(rows, window)], dtype=bool)

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        looks = []
        for part in _windows(rows, window):
            looks.append(self.statistic(part))
            if stop is not None and bool((np.array(looks[-1]) > stop).any()):
                break
        return np.array(looks, dtype=np.float64)


def _windows(rows: Matrix, window: int) -> list[Matrix]:
    return [rows[:, start : start + window] for start in range(0, rows.shape[1] - window + 1, window)]


def objects(column: Column, values: Matrix) -> NDArray[Any]:
    """Give the values as their sender has them: numbers, or text with ``None`` for missing."""
    if column.kind != CATEGORY:
        return values
    labels = np.array([*column.labels, None], dtype=object)
    return labels[np.where(np.isnan(values), len(column.labels), values).astype(np.int64)]


def frame(columns: tuple[Column, ...], rows: Matrix) -> Any:
    """Make a pandas DataFrame."""
    import pandas as pd  # noqa: PLC0415 - not every environment has it, nor the same one

    return pd.DataFrame({one.name: objects(one, values) for one, values in zip(columns, rows, strict=True)})


def serve(method: Method) -> None:
    """Answer messages until the bench has gone."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    while True:
        try:
            content, arrays = receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            _answer(method, out, content, arrays)
        except Exception as error:  # noqa: BLE001 - whatever a peer raises is told, not hidden
            send(out, {"error": f"{type(error).__name__}: {error}"[:500]})


def _answer(method: Method, out: Any, content: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    what, window = content["do"], content.get("window", 0)
    if what == "fit":
        method.fit(columns_of_json(content["columns"]), arrays["rows"], content["options"])
        send(out, {"outputs": list(method.outputs), "version": method.version})
    elif what == "flags":
        send(out, {}, flags=method.flags(arrays["rows"], window))
    else:
        found = method.statistics(arrays["rows"], window, arrays.get("stop"), content.get("unseen", 0))
        send(out, {"every": method.looks_at(window)}, statistics=found)
