"""One look at rows that have no time: a window of a single pane, in which equal rows count once as far as they can be told.

The same for all rows of a data set and for those of a segment, so that the sidecar's own evaluation takes it. Runs of equal
rows, by which the sidecar tells repetition, say nothing here: the order of a file's rows may mean anything. How rows repeat is
told among a segment's own rows (`agent.compare.copies`): one that was oversampled is no proof, and its neighbour loses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from agent.batch import Batch, Checked
from agent.compare.copies import Copies
from agent.config import Settings
from agent.evaluate.report import TRAINING
from agent.evaluate.rule import DAY_S
from agent.profile.schema import Schema
from agent.validate.groups import Splitter
from agent.validate.watched import Watched
from agent.window.ring import Ring, Window

_DAY_NS = round(DAY_S * 1e9)


def settings_of_look(settings: Settings, min_rows: int) -> Settings:
    """Give the settings of a look that is the only one: one pane, nothing seen before, nothing to be seen twice."""
    return msgspec.structs.replace(settings, pane_s=DAY_S, window_s=DAY_S, consecutive=1, against=(TRAINING,), min_rows=min_rows)


class Look(Ring):
    """Rows of one look; the clock means nothing.

    Parameters
    ----------
    schema
        Of the rows.
    copies
        Has seen no rows yet.
    min_rows
        A feed that is stuck counts as so many rows: that all rows are the same is a change. Of some rows it is not: a segment may
        well be the copies of a few.
    whole
        All rows, where these are some of them: how they repeat is how all do where they can't be told apart themselves.
    """

    def __init__(self, schema: Schema, copies: Copies, min_rows: int, whole: Look | None = None) -> None:
        super().__init__(schema, _DAY_NS, 1, before=False)
        self.copies = copies
        self._min_rows = min_rows
        self._whole = whole

    def of_segment(self, schema: Schema) -> Look:
        """Give a look at some of these rows."""
        return Look(schema, self.copies.of_some(), self._min_rows, self)

    def update(self, checked: Checked, now_ns: int = 0) -> None:  # noqa: ARG002 - a ring's signature
        """Add rows. Cost: as `agent.window.pane.Pane.update` and `Copies.update`."""
        super().update(checked, 0)
        self.copies.update(checked)

    @property
    def repeated(self) -> float:
        """How many rows count as one, at least 1."""
        if self._whole is None:
            return self.copies.decidable(self._min_rows)
        return (self.copies if self.copies.known else self._whole.copies).result()

    def window(self, now_ns: int = 0) -> Window:  # noqa: ARG002 - a ring's signature
        """Give all rows, repeated as they are."""
        window, repeated = super().window(0), self.repeated
        repeats = [window.rows, round(window.rows * repeated), max(2, round(window.rows / repeated))]
        return replace(window, repeats=np.array([repeats] if window.rows else [], dtype=np.int64).reshape(-1, 3))


class GroupCopies:
    """How often rows repeat within groups, and among the others of each.

    Parameters
    ----------
    watched
        What tells the groups.
    whole
        All rows.
    """

    def __init__(self, watched: Sequence[Watched], whole: Look) -> None:
        self._watched = watched
        self._whole = whole
        self._splitter = Splitter(whole.schema)
        self._copies = [[whole.copies.of_some() for _ in range(len(one.values) + 1)] for one in watched]

    def update(self, batch: Batch, checked: Checked) -> None:
        """Add rows. Cost: per grouping as `Copies.update`, and what it takes to tell the groups and to cut the rows."""
        for one, copies in zip(self._watched, self._copies, strict=True):
            places = one.of(batch, checked)
            if places is None:
                continue
            for at, part in self._splitter.split(checked, places, len(copies)):
                copies[at].update(part)

    def result(self) -> list[float]:
        """Give how many rows count as one, of each group or of its others, whichever repeat more; at least 1.

        The others of a group are several groups together: their design effect Σ c² / n is the mean of theirs, by rows. Where the
        rows of a group can't be told apart, they repeat as all do.
        """
        whole = self._whole.copies.result()
        found: list[float] = []
        for copies in self._copies:
            rows = np.array([each.rows for each in copies], dtype=np.float64)
            times = np.array([each.result() if each.known else whole for each in copies])
            squares = rows * times
            others = np.maximum(rows.sum() - rows, 1.0)
            found += np.maximum(times, (squares.sum() - squares) / others)[:-1].tolist()
        return found
