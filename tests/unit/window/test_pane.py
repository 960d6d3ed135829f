from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from agent.batch import Checked
from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.sketch.categorical import CategorySketch
from agent.sketch.numeric import NumericSketch
from agent.window.pane import Pane

Batches = Callable[..., Checked]


def test_each_column_gets_the_sketch_of_its_type(schema: Schema) -> None:
    assert [type(sketch) for sketch in Pane(schema).sketches] == [NumericSketch, CategorySketch, type(None), NumericSketch]


def test_sees_what_the_batch_has(schema: Schema, batch: Batches) -> None:
    pane = Pane(schema, 0, 60)
    pane.update(batch(100))
    pane.update(replace(batch(50), values=(None, None, None, np.zeros(50))))
    x, colour, note, y = pane.sketches
    assert isinstance(x, NumericSketch)
    assert isinstance(colour, CategorySketch)
    assert isinstance(y, NumericSketch)
    assert (pane.rows, x.result().rows, colour.result().rows, note, y.result().rows) == (150, 100, 100, None, 150)
    assert x.result().missing == 20


def test_merging_adds_rows_and_stretches_time(schema: Schema, batch: Batches) -> None:
    early, late = Pane(schema, 0, 60), Pane(schema, 120, 180)
    early.update(batch(10))
    late.update(batch(20))
    late.merge(early)
    assert (late.rows, late.start_ns, late.end_ns) == (30, 0, 180)


def test_bytes_bring_back_the_same(schema: Schema, batch: Batches) -> None:
    pane = Pane(schema, 60, 120)
    pane.update(batch(5000))
    back = Pane.from_bytes(pane.to_bytes(), schema)
    assert (back.rows, back.start_ns, back.end_ns) == (5000, 60, 120)
    assert back.to_bytes() == pane.to_bytes()


def test_a_compact_column_takes_less_than_3_kilobytes(schema: Schema) -> None:
    edges = np.linspace(-3, 3, 59)
    columns = tuple(replace(schema.features[0], name=f"x{index}", edges=edges) for index in range(10))
    pane = Pane(Schema("m", "1", columns, ()))
    rng = np.random.default_rng(1)
    for _ in range(60):
        pane.update(Checked(1000, tuple(rng.normal(size=1000) for _ in columns), {}))
    before = len(pane.to_bytes())
    pane.compact()
    assert len(pane.to_bytes()) < 3000 * len(columns) < before


def test_panes_of_other_schemas_do_not_add_up(schema: Schema, batch: Batches) -> None:
    fewer = Schema("m", "1", schema.features, ())
    swapped = Schema("m", "1", (schema.features[1], schema.features[0], schema.features[2]), schema.outputs)
    for other in (fewer, swapped):
        with pytest.raises(OutriderError, match="different schemas"):
            Pane(schema).merge(Pane(other))
        with pytest.raises(OutriderError):
            Pane.from_bytes(Pane(schema).to_bytes(), other)
