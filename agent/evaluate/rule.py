"""The rule of decision: how much must be proven, with how much error, how often in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agent.config import Settings
from agent.evaluate.table import FEW, STATISTICS
from agent.stats.overlap import independent_looks
from agent.tolerance_language import Tolerances

DAY_S = 86_400.0

RELATIONS = ("correlation", "association", "discrepancy")
"""What is told of how columns go together, by the names of their tolerances."""

_NAMES = tuple(statistic.name for statistic in STATISTICS)

CALM = 0.8
"""A drifted score is calm again below this part of its tolerance: one that stands at the tolerance must not come and go."""

STILL = 0.5
"""The newest rows must still deviate by this part of the tolerance: a burst that is over is no drift."""

LIKELY = 0.25
"""The level of the bound for that: three in four that the newest rows deviate as much."""

QUARTER = 2
"""Two lengths shorter, each half of the next: a quarter."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a column is called drifted.

    Parameters
    ----------
    min_rows
        A statistic of fewer values than this, in the window or in the reference, decides nothing.
    consecutive
        So many evaluations in a row must exceed the tolerance, at least 1; and so many must be calm to end it.
    alpha
        The chance of any false alarm in a day, over all columns, statistics, stretches and evaluations.
    looks
        Evaluations in a day.
    thresholds
        The tolerance of each statistic, by its name in `agent.evaluate.table.STATISTICS`, and of `RELATIONS`.
    own
        Tolerances of single columns, by pattern; the last that fits counts.
    against
        What is compared with: ``training``, ``before``, ``season``.
    """

    min_rows: int
    consecutive: int
    alpha: float
    looks: float
    thresholds: Mapping[str, float]
    own: Sequence[Tolerances] = ()
    against: Sequence[str] = ("training",)

    @classmethod
    def from_settings(cls, settings: Settings) -> Rule:
        """Take the rule from the configuration."""
        thresholds = {name: float(getattr(settings, name)) for name in (*_NAMES, *RELATIONS)}
        return cls(
            settings.min_rows,
            settings.consecutive,
            settings.alpha,
            max(1.0, DAY_S / settings.pane_s),
            thresholds,
            settings.thresholds,
            settings.against,
        )

    def threshold(self, column: str, statistic: str) -> float:
        """Give the tolerance of one statistic of one column; infinite where it is switched off.

        Examples
        --------
        >>> rule = Rule(100, 3, 0.05, 1440, {"ks": 0.1}, [Tolerances("card_*", {"ks": 0.2})])
        >>> rule.threshold("card_age", "ks"), rule.threshold("age", "ks")
        (0.2, 0.1)
        """
        found = self.thresholds[statistic]
        for each in self.own:
            if statistic in each.values and fnmatchcase(column, each.pattern):
                found = each.values[statistic]
        return found

    def level(self, scores: int, found: int = 1) -> float:
        """Give the error that the score of a column may spend at one look.

        ``alpha / looks * found / scores``: every day the error is spent in equal parts on the looks of the day, so false alarms
        are as rare in the tenth year as on the first day, and so is power. Within a look Benjamini and Hochberg's rule: where
        `found` scores exceed their tolerance at this level, it is the level for each of them.

        Parameters
        ----------
        scores
            How many bounds are computed in one look: columns, times statistics, times stretches of the window.
        found
            How many of them exceed their tolerance, at least 1.

        Returns
        -------
        float
            In (0, alpha].

        References
        ----------
        Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995); with one score it is Bonferroni's rule.

        Examples
        --------
        >>> rule = Rule(100, 3, 0.05, 1440, {})
        >>> round(rule.level(1) * 1440, 4), rule.level(1000, 10) == rule.level(100)
        (0.05, True)
        """
        scores = max(1, scores)
        return self.alpha / self.looks * min(max(1, found), scores) / scores

    def levels(self, scores: int, panes: ArrayLike, found: int = 1, freedom: int = FEW) -> NDArray[np.float64]:
        """Give the error that a score may spend at one look at each stretch: the more, the more the looks of a day overlap.

        Parameters
        ----------
        scores, found
            As for `level`.
        panes
            How many panes each stretch has, shape ``(S,)``.
        freedom
            Degrees of freedom of the score's noise.

        Returns
        -------
        NDArray
            Shape ``(S,)``, at least `level`.

        Examples
        --------
        >>> rule = Rule(100, 3, 0.05, 1440, {})
        >>> (rule.levels(1, [1, 8, 60]) / rule.level(1)).round(1).tolist()
        [1.0, 1.4, 4.8]
        >>> (Rule(100, 3, 0.05, 1, {}).levels(1, [1, 60])).tolist()  # a single look overlaps with none
        [0.05, 0.05]
        """
        level = self.level(scores, found)
        looks = self.looks * independent_looks(panes, level, freedom)
        return np.asarray(level * self.looks / np.maximum(looks, 1.0))
