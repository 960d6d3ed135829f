"""What the user may have overlooked: features that look like ids, are times, or are called as the label is.

An id drifts by its nature: every new row has a new one. Nothing is changed by a doubt; the user is told, and names the role or
leaves the column out.

Whole numbers look like an id where none of them is missing, none comes twice, and one of these holds:

- they rise, or fall, from each row to the next, over at least `MIN_ROWS` rows: by chance that is one order in ``MIN_ROWS!``;
- so many numbers drawn from a range as wide would repeat: ``n (n - 1) / 2 w`` pairs are expected among n draws from w numbers
  that are equally likely, more if they are not (the birthday problem), and `REPEATS` where there is none happens by chance once
  in ``exp(REPEATS)`` times;
- the column is called so.

Only the first block of the data is looked at for repetitions, and numbers other than whole ones are not looked at: measured
quantities are unique too, and rise where the data is sorted by them. Texts look like ids where nearly every row has its own and
they are no prose (`agent.profile.feeds`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agent.profile.blocks import Values
from agent.profile.census import TextCensus
from agent.profile.column import Column
from agent.profile.feeds import Feed

MIN_ROWS = 100
"""With fewer rows nothing is said: as few quantities may well differ, and rise."""

REPEATS = 10
"""Repetitions that are expected where there is none."""

DISTINCT_SHARE = 0.95
"""Texts of nearly all rows differ; `TextCensus.distinct` is off by a percent or two."""

LABEL_NAMES = frozenset({"label", "labels", "target", "targets", "y", "y_true", "ground_truth"})
_ID_NAME = re.compile(r"(?:.*[_\s.-])?(?i:id|uuid|guid|index)|.*[a-z](?:Id|ID)")

LARGEST = 2.0**63
"""No id is larger, and differences of larger numbers overflow."""


class Order:
    """Whether the whole numbers of a column are unique, and in which order they come.

    Blocks are shapes ``(n,)`` of float64, NaN where missing, in the order of the data.
    """

    def __init__(self) -> None:
        self._rows = 0
        self._last = np.nan
        self._direction = 0
        """1 while numbers rise, -1 while they fall, 0 where neither holds."""
        self._is_unique = True
        self._repeats_expected = 0.0

    def update(self, values: NDArray[np.float64]) -> None:
        """Add a block. Cost: 0.1 µs a value for the first one, 2 ns for others, nothing once it is clear that it is no id."""
        if not self._is_unique or not len(values):
            return
        if not (np.abs(values) < LARGEST).all() or (np.floor(values) != values).any():
            self._is_unique = False
            return
        steps = np.diff(values) if self._rows == 0 else np.diff(values, prepend=self._last)
        rises, falls = bool((steps > 0).all()), bool((steps < 0).all())
        if self._rows == 0:
            self._direction = 1 if rises else -1 if falls else 0
            self._is_unique = bool((np.diff(np.sort(values)) > 0).all())
            count = len(values)
            self._repeats_expected = count * (count - 1) / 2 / (float(values.max()) - float(values.min()) + 1)
        elif not (rises if self._direction > 0 else falls):
            self._direction = 0
        self._last = float(values[-1])
        self._rows += len(values)

    def why_an_id(self, name: str) -> str:
        """Say what makes it look like an id; empty where it does not."""
        if not self._is_unique or self._rows < MIN_ROWS:
            return ""
        if self._direction:
            return f"it {'rises' if self._direction > 0 else 'falls'} from each row to the next"
        if self._repeats_expected >= REPEATS or is_id_name(name):
            return "no value comes twice"
        return ""


def is_id_name(name: str) -> bool:
    """Tell whether a column is called as ids are.

    >>> [name for name in ("id", "user_id", "userId", "paid", "Order ID", "grid", "index") if is_id_name(name)]
    ['id', 'user_id', 'userId', 'Order ID', 'index']
    """
    return _ID_NAME.fullmatch(name) is not None


class Doubts:
    """Looks at the features as they are read the first time.

    Parameters
    ----------
    feeds
        All that are read. Summaries of vectors, images and prose are not looked at.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = feeds
        self._orders = {feed.place: Order() for feed in feeds if feed.columns[0].role == "feature" and not feed.columns[0].source}

    def update(self, feed: Feed, values: Values) -> None:
        """Add a block of a feed."""
        if isinstance(values, np.ndarray) and feed.place in self._orders:
            self._orders[feed.place].update(values)

    def sentences(self) -> list[str]:
        """Say what should be looked at, in the columns' order; after the first reading, when types are chosen."""
        features = [feed.columns[0] for feed in self._feeds if feed.place in self._orders and len(feed.columns) == 1]
        names = {feature.name.casefold() for feature in features}
        found = [self._doubt(feature, names) for feature in features]
        return [sentence for sentence in found if sentence]

    def _doubt(self, column: Column, names: set[str]) -> str:
        name = column.name
        folded = name.casefold()
        if folded in LABEL_NAMES and not (folded == "y" and "x" in names):  # or it is a place
            return f"column {name!r} is taken as a feature, but is called as labels are: name it by --label or --exclude"
        if column.type == "datetime":
            return (
                f"column {name!r} is taken as a feature, but holds times, which are not compared: name it by --time or --exclude"
            )
        why = _why_texts(column.census) if isinstance(column.census, TextCensus) else self._orders[column.place].why_an_id(name)
        if not why or (isinstance(column.census, TextCensus) and column.type != "text"):
            return ""
        return f"column {name!r} is taken as a feature, but looks like an id ({why}): name it by --id, --time or --exclude"


def _why_texts(census: TextCensus) -> str:
    present = census.rows - census.missing
    return "nearly every row has its own" if present >= MIN_ROWS and census.distinct >= DISTINCT_SHARE * present else ""
