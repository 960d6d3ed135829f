"""Categories as numbers: the place of each value among the known ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.batch import Values
from agent.sketch.categorical import canonical, places


class Codes(dict[Any, int]):
    """The place of each value: -1 for missing, one beyond the last for an unseen category.

    Each value costs one look-up in a dictionary that learns the spellings of known categories (``1``, ``1.0``, ``"1"``), and
    only of those, so a sender can't make it grow.

    Parameters
    ----------
    categories
        Canonical texts.

    Examples
    --------
    >>> Codes(("red", "1")).of(np.array(["red", 1.0, "blue", None, float("nan")], dtype=object)).tolist()
    [0, 1, 2, -1, -1]
    """

    def __init__(self, categories: tuple[str, ...]) -> None:
        super().__init__()
        self._places = places(categories)
        self._unseen = len(categories)
        self[None] = -1

    def of(self, values: Values) -> NDArray[np.int64]:
        """Give the places of a column's values, shape ``(n,)``. Cost: 60 ns a value."""
        listed: list[Any] = values.tolist()
        if bool in set(map(type, listed)):  # which a dictionary takes for 0 and 1
            listed = [canonical(value) if isinstance(value, bool) else value for value in listed]
        return np.fromiter(map(self.__getitem__, listed), dtype=np.int64, count=len(listed))

    def __missing__(self, value: Any) -> int:
        if value != value:  # noqa: PLR0124 - the cheapest test for NaN
            return -1
        place = self._places.get(canonical(value))
        if place is None:
            return self._unseen
        self[value] = place
        return place
