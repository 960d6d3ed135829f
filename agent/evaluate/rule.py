"""The rule of decision: how much must be proven, with how much error, how often in a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from agent.config import Settings
from agent.evaluate.table import STATISTICS


@dataclass(frozen=True, slots=True)
class Rule:
    """When a column is called drifted.

    Parameters
    ----------
    min_rows
        A statistic of fewer values than this, in the window or in training, decides nothing.
    consecutive
        So many evaluations in a row must exceed the tolerance, at least 1.
    alpha
        The chance of any false alarm over all columns, statistics and evaluations.
    thresholds
        The tolerance of each statistic, by its name in `agent.evaluate.table.STATISTICS`.
    """

    min_rows: int
    consecutive: int
    alpha: float
    thresholds: Mapping[str, float]

    @classmethod
    def from_settings(cls, settings: Settings) -> Rule:
        """Take the rule from the configuration."""
        thresholds = {statistic.name: float(getattr(settings, statistic.setting)) for statistic in STATISTICS}
        return cls(settings.min_rows, settings.consecutive, settings.alpha, thresholds)

    def level(self, look: int, scores: int) -> float:
        """Give the error that one score may spend at one look.

        ``6 alpha / (pi**2 * look**2)`` over the number of scores: over all looks and all scores that sums to `alpha`, so a
        false alarm stays as unlikely after a year of evaluations as after an hour (Bonferroni over both).

        Parameters
        ----------
        look
            1 for the first evaluation that decides.
        scores
            Columns times their statistics, at least 1.

        Returns
        -------
        float
            In (0, alpha).

        Examples
        --------
        >>> rule = Rule(100, 3, 0.05, {})
        >>> round(rule.level(1, 1), 4), rule.level(10, 5) == rule.level(1, 500)
        (0.0304, True)
        """
        return 6.0 * self.alpha / (math.pi**2 * max(1, look) ** 2 * max(1, scores))
