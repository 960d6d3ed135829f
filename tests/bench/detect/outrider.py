"""Outrider as a method of this bench: the only file here that knows its interfaces.

Rows go in pane by pane as the decoder hands them over, and each pane's end is an evaluation, as in the monitor.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from agent import spelling
from agent.batch import NOTHING, OUT_OF_RANGE, Batch, Side
from agent.config import SETTINGS, load
from agent.evaluate.rule import RELATIONS
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of
from tests.bench.detect.wire import CATEGORY, Column
from tests.bench.detect.worker import Flags, Matrix, Method, objects, serve

PANE_NS = 60_000_000_000
PANES = 60
SCHEMA = "schema"
"""The output for rows that broke the schema."""


REDUNDANT = ("PSI", "JS", "HELLINGER", "TOTAL_VARIATION", "CRAMER_VON_MISES", "WASSERSTEIN", "ASSOCIATION")
"""What says once more what another statistic says: whoever wants to be quick switches it off, so that fewer share the error."""


def scaled_tolerances(scale: float, off: tuple[str, ...] = ()) -> dict[str, str]:
    """Give the settings of all tolerances, so many times their defaults, or ``off``."""
    tolerances = {setting.name: setting.default for setting in SETTINGS if setting.parse is spelling.tolerance}
    scaled = {name: repr(float(default) * scale) for name, default in tolerances.items()}
    return {**scaled, **{f"OUTRIDER_{name}": "off" for name in off}}


class Agent:
    """A pipeline between the decoder and the report.

    Parameters
    ----------
    columns, schema
        What the rows are made of.
    environ
        Settings.
    """

    def __init__(self, columns: tuple[Column, ...], schema: Schema, environ: dict[str, str]) -> None:
        self._columns = columns
        self._names = tuple(column.name for column in columns)
        self._pipeline = Pipeline(load(environ), schema, learns=False)
        self._now_ns = 1_700_000_000 * 1_000_000_000 // PANE_NS * PANE_NS
        self.outputs = (*(column.name for column in schema.columns), *RELATIONS)

    def feed(self, rows: Matrix) -> None:
        """Take in rows of one pane."""
        values = tuple(objects(column, one) for column, one in zip(self._columns, rows, strict=True))
        side = Side(self._names, values, rows.shape[1])
        self._pipeline._take_batch(Batch("bench", "", "", side, NOTHING), self._now_ns)

    def close(self) -> None:
        """End the pane without looking at it; `evaluate` does both."""
        ring = self._pipeline._ring
        if ring is not None:
            ring.rotate(self._now_ns + PANE_NS)

    def evaluate(self) -> list[bool]:
        """End the pane; tell of each of `outputs` whether it is drifted, of a kind of relations whether any is."""
        self._now_ns += PANE_NS
        report = self._pipeline.tick(self._now_ns)
        faults = self._pipeline.activity.faults
        if report is None or faults:
            raise RuntimeError(f"no report: {dict(faults)}")
        moved = {relation.kind for relation in report.relations if relation.decision == "drifted"}
        return [*(column.decision == "drifted" for column in report.columns), *(kind in moved for kind in RELATIONS)]

    def breaks_schema(self) -> bool:
        """Tell whether rows broke the schema in a way that no row of training did; numbers beyond its range come by chance."""
        report = self._pipeline.report
        return report is not None and any(set(column.violations) - {OUT_OF_RANGE} for column in report.columns)

    def end_pane(self) -> None:
        """End the pane without a look."""
        self._now_ns += PANE_NS
        if self._pipeline._ring is not None:
            self._pipeline._ring.rotate(self._now_ns)

    def rows(self) -> int:
        """Rows in the window, as the newest report has them."""
        report = self._pipeline.report
        return report.rows if report is not None else 0


class Outrider(Method):
    """Every pane is judged; the window slides by pane.

    Options: `environ` (settings), `pane_rows` (panes of so many rows; else a window's sixtieth) and `chunk` (rows of an hour
    of training, for tolerances learned from chunks: ``outrider profile --chunk``).
    """

    def fit(self, columns: tuple[Column, ...], reference: Matrix, options: dict[str, Any]) -> None:
        logging.getLogger("outrider.monitor").setLevel(logging.CRITICAL)
        self._columns = columns
        self._options = options
        data = {column.name: objects(column, values) for column, values in zip(columns, reference, strict=True)}
        categorical = [column.name for column in columns if column.kind == CATEGORY]
        numeric = [column.name for column in columns if column.kind != CATEGORY]
        profile = build(data, categorical=categorical, numeric=numeric, chunk=str(options.get("chunk", "")))
        self._schema = schema_of(profile)
        self._agent = self._new(PANES)
        self.outputs = (*self._agent.outputs, SCHEMA)

    def flags(self, rows: Matrix, window: int) -> Flags:
        looks = []
        for start in range(0, rows.shape[1] - window + 1, window):
            for pane in np.array_split(rows[:, start : start + window], PANES, axis=1):
                self._agent.feed(pane)
                looks.append([*self._agent.evaluate(), False])  # what breaks the schema is counted, and pages nobody
        return np.array(looks, dtype=bool)

    def statistics(self, rows: Matrix, window: int, stop: Matrix | None = None, unseen: int = 0) -> Matrix:
        """Give 1.0 where it calls an output drifted, or the schema is broken, and 0.0 elsewhere: its own word is calibrated."""
        pane = self.looks_at(window)
        agent = self._new(max(1, window // pane))
        looks = []
        for start in range(0, rows.shape[1] - pane + 1, pane):
            agent.feed(rows[:, start : start + pane])
            if start + pane <= unseen:
                agent.end_pane()
                looks.append([False] * len(self.outputs))
                continue
            looks.append([*agent.evaluate(), agent.breaks_schema()])
            if stop is not None and any(looks[-1]):
                break
        return np.array(looks, dtype=np.float64)

    def looks_at(self, window: int) -> int:
        return int(self._options.get("pane_rows", 25))

    def _new(self, panes: int) -> Agent:
        environ = {"OUTRIDER_PANE": "60s", "OUTRIDER_WINDOW": f"{60 * panes}s", **self._options.get("environ", {})}
        return Agent(self._columns, self._schema, environ)


if __name__ == "__main__":
    serve(Outrider())
