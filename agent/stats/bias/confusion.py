"""Where labels are known: how often a group's rows are selected that deserve it, and that do not."""

from __future__ import annotations

from typing import NamedTuple

from numpy.typing import ArrayLike


class Confusion(NamedTuple):
    """Counts of one group, or of many: numbers or arrays of one shape, at least 0.

    The favourable outcome is the positive one.
    """

    tp: ArrayLike
    """Favourable label, selected."""
    fn: ArrayLike
    """Favourable label, not selected."""
    fp: ArrayLike
    """Other label, selected."""
    tn: ArrayLike
    """Other label, not selected."""
