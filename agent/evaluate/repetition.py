"""How many rows of a stretch say as much as one because they come several times in a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def repetition(repeats: NDArray[np.int64], taken: Sequence[int], stuck_pane: int = 0) -> NDArray[np.float64]:
    """Give the design effect of runs of equal rows (`agent.sketch.runs`) in the newest panes.

    Parameters
    ----------
    repeats
        Of each pane, oldest first, its rows, the squares of the lengths of runs, and how many runs began: shape ``(panes, 3)``.
    taken
        How many of the newest panes each stretch has.
    stuck_pane
        A pane that is nothing but one row says as much as so many rows at least: a feed that is stuck is not one observation for
        ever. None: one row in all says one thing.

    Returns
    -------
    NDArray
        At least 1, shape ``(stretches,)``; 1 where there are no rows.

    Examples
    --------
    >>> stuck = np.array([[100, 10_000, 1], [100, 30_000, 0]])  # the same row two hundred times
    >>> repetition(stuck, [1, 2]).tolist(), repetition(stuck, [1, 2], stuck_pane=2).tolist()
    ([100.0, 200.0], [50.0, 50.0])
    """
    of_pane, squares_of_pane, begun = repeats.T
    stuck = np.where(begun <= 1, np.minimum(of_pane, stuck_pane), 0)
    newest = np.column_stack([of_pane, squares_of_pane, stuck])[::-1]
    rows, squares, least = np.cumsum(newest, axis=0)[np.array(taken) - 1].T
    some = np.maximum(rows, 1)
    return np.asarray(np.maximum(np.minimum(squares / some, some / np.maximum(least, 1)), 1.0))
