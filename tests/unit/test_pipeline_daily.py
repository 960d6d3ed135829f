"""Traffic with the time of day in it, over days: what training's hours differed by is no drift, and what they did not is."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent import config
from agent.batch import NOTHING, Batch, Side
from agent.evaluate.report import Decision
from agent.pipeline import Pipeline
from agent.profile.build import build
from agent.profile.schema import Schema, schema_of

PANE_S = 600
PANE_NS = PANE_S * 1_000_000_000
DAY = 144
"""Panes."""

FIRST = 1_700_006_400 // PANE_S
TRAINING = 14 * DAY


def traffic(rng: np.random.Generator, start: int, panes: int, rows: int, flip: float = 1.0) -> dict[str, NDArray[Any]]:
    """Make rows of each pane: three columns follow the time of day; `width` and `height` go together at every time."""
    pane = np.repeat(np.arange(start, start + panes), rows)
    day, later = np.sin(2 * np.pi * pane / DAY), np.sin(2 * np.pi * pane / DAY + 0.5)
    width = rng.standard_normal(pane.size)
    load = 10 + 4 * day + 2 * rng.standard_normal(pane.size)
    return {
        "load": load,
        "users": 50 + 20 * later + 8 * rng.standard_normal(pane.size),
        "plan": np.where(rng.random(pane.size) < 0.5 - 0.4 * day, "batch", "live").astype(object),
        "width": width,
        "height": 0.7 * flip * width + np.sqrt(0.51) * rng.standard_normal(pane.size),
        "size": rng.lognormal(0, 1, pane.size),
        "prediction": load + width + rng.standard_normal(pane.size),
    }


@cache
def schema(chunk: str = "1h") -> Schema:
    data = traffic(np.random.default_rng(5), 0, TRAINING, 25)
    data["time"] = (FIRST + np.repeat(np.arange(TRAINING), 25)) * float(PANE_S)
    return schema_of(build(data, prediction="prediction", time="time", chunk=chunk))


def loud(known: Schema, panes: int, flip: float = 1.0) -> set[str]:
    """Say what is drifted at any time of a stream, windows of an hour long."""
    pipeline = Pipeline(config.load({"OUTRIDER_PANE": f"{PANE_S}s", "OUTRIDER_WINDOW": "1h"}), known, learns=False)
    rng = np.random.default_rng(6)
    found: set[str] = set()
    for pane in range(TRAINING, TRAINING + panes):
        columns = traffic(rng, pane, 1, 150, flip)
        batch = Batch("test", "", "", Side(tuple(columns), tuple(columns.values()), 150), NOTHING)
        pipeline._take_batch(batch, (FIRST + pane) * PANE_NS)
        report = pipeline.tick((FIRST + pane + 1) * PANE_NS)
        assert report is not None
        found |= {column.name for column in report.columns if column.decision == Decision.DRIFTED}
        found |= {" ~ ".join((each.kind, *each.columns)) for each in report.relations if each.decision == Decision.DRIFTED}
    return found


def test_three_days_like_those_of_training_are_calm() -> None:
    assert loud(schema(), 3 * DAY) == set()


def test_without_its_hours_the_same_traffic_is_not() -> None:
    found = loud(schema("30d"), DAY // 2)
    assert found >= {"load", "users", "discrepancy"}
    assert any(name.startswith("correlation ~ load") for name in found)


def test_columns_that_go_together_otherwise_within_the_hours_are_found() -> None:
    found = loud(schema(), 12, flip=-1.0)
    assert "correlation ~ width ~ height" in found
    assert "joint.mahalanobis" in found
    assert not found & {"load", "users", "plan", "width", "size", "correlation ~ load ~ users"}
