"""Equal opportunity difference: among rows whose label is favourable, how much more often one group is selected.

The difference of the true positive rates; 0 is parity. Source: Hardt, Price and Srebro, NeurIPS 2016.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from agent.stats.bias.confusion import Confusion
from agent.stats.bias.parity_difference import parity_difference
from agent.stats.bias.share_interval import Ends, Interval, wilson


def equal_opportunity(group: Confusion, others: Confusion, alpha: ArrayLike, ends: Ends = wilson) -> Interval:
    """Difference of two true positive rates, element by element.

    Parameters
    ----------
    group, others
        Their counts.
    alpha, ends
        As in `parity_difference`.

    Returns
    -------
    Interval
        In [-1, 1]; NaN, -1 and 1 where a group has no row with a favourable label.

    Examples
    --------
    >>> found = equal_opportunity(Confusion(30, 20, 5, 45), Confusion(45, 5, 5, 45), 0.05)
    >>> found.value.round(2).item(), found.lower.round(2).item(), found.upper.round(2).item()
    (-0.3, -0.45, -0.13)
    """
    rows, other_rows = np.add(group.tp, group.fn), np.add(others.tp, others.fn)
    return parity_difference(group.tp, rows, others.tp, other_rows, alpha, ends)
