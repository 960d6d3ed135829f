"""What each column tolerates: the settings, and what chunks of the training data differed by among themselves.

A column that follows the time of day, or the weekday, differs from hour to hour by more than a tolerance for all columns
allows. Where the profile was built with chunks, each statistic is computed for every chunk against all of training, and for
every chunk against the one before it. The tolerance is then at least the mean of these effects and three standard deviations
more, as NannyML takes its thresholds. It is never below the setting: chunks can only make a column more tolerant.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.chunked import threshold_of, usual_effects
from agent.evaluate.report import BEFORE, TRAINING
from agent.evaluate.rule import Rule
from agent.profile.schema import Schema
from agent.sketch.frame import Floats, Frames
from agent.sketch.summary import NumericSummary, Summary
from agent.window.layout import Layout


def median_of(summary: Summary | None) -> float | None:
    """Give the weighted median of the quantile sketch, ``None`` where there are no numbers."""
    if not isinstance(summary, NumericSummary) or not len(summary.points):
        return None
    ranks = np.cumsum(summary.weights)
    return float(summary.points[np.searchsorted(ranks, ranks[-1] / 2)])


class Tolerated:
    """The tolerances of a schema's columns, and its training figures; made once.

    Parameters
    ----------
    rule
        What the settings say.
    schema
        Whose columns.
    """

    def __init__(self, rule: Rule, schema: Schema) -> None:
        self.layout = Layout.of(schema)
        self.training: Frames = self.layout.reference(schema)
        self._names = [column.name for column in schema.columns]
        self.medians: list[float | None] = [median_of(column.reference) for column in schema.columns]
        """Of training; ``None`` for what is no number."""
        self._rule = rule
        self._usual: dict[str, dict[tuple[str, str], Floats]] = {}
        if schema.chunks is not None:
            usual = usual_effects(schema.chunks, self.layout, self._names, self.training)
            self._usual = dict(zip((TRAINING, BEFORE), usual, strict=True))
        self._made: dict[tuple[str, str, tuple[int, ...]], NDArray[np.float64]] = {}

    @property
    def idle(self) -> list[str]:
        """The patterns of `Rule.own` that no column fits: misspelt, most likely."""
        return [one.pattern for one in self._rule.own if not any(fnmatchcase(name, one.pattern) for name in self._names)]

    def thresholds(self, against: str, statistic: str, places: tuple[int, ...]) -> NDArray[np.float64]:
        """Give the tolerances of the columns at `places`, shape ``(C,)``; infinite where switched off."""
        key = (against, statistic, places)
        if key not in self._made:
            found = [self._threshold(against, statistic, self._names[place]) for place in places]
            self._made[key] = np.array(found, dtype=np.float64)
        return self._made[key]

    def _threshold(self, against: str, statistic: str, column: str) -> float:
        usual = self._usual.get(against, {}).get((column, statistic))
        setting = self._rule.threshold(column, statistic)
        return setting if usual is None else max(setting, threshold_of(usual))
