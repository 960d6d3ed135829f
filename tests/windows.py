"""Windows for tests: what a ring makes of panes of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.batch import OUT_OF_RANGE, Checked, Values
from agent.profile.schema import Schema
from agent.window.ring import Ring, Window

MINUTE_NS = 60 * 10**9


def window_of(schema: Schema, panes: Sequence[Mapping[str, Values]], beyond: Mapping[str, int] | None = None) -> Window:
    """Make a window of panes of a minute each; a column that a pane does not name is not there.

    Parameters
    ----------
    schema
        Whose columns.
    panes
        Values by column, oldest first.
    beyond
        Rows beyond the range of training, by column, in each pane.
    """
    ring = Ring(schema, MINUTE_NS, max(1, len(panes)))
    violations = {(name, OUT_OF_RANGE): count for name, count in (beyond or {}).items()}
    for minute, columns in enumerate(panes):
        rows = max((len(values) for values in columns.values()), default=0)
        ring.update(Checked(rows, tuple(columns.get(column.name) for column in schema.columns), violations), minute * MINUTE_NS)
    return ring.window(len(panes) * MINUTE_NS - 1)
