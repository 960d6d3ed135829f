"""Two samples of many columns, the way the statistics ask for them: the window, at several lengths, and a reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.sketch.frame import CategoryFrame, Frames, NumericFrame, NumericLayout

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NumericView:
    """C numeric columns.

    Parameters
    ----------
    current
        The window at S lengths, leading shape ``(S, C)``.
    reference
        Leading shape ``(C,)``; its counts are divided by its overdispersion where it is traffic too.
    cells, reference_cells
        Counts in coarse bins, shapes ``(S, C, D)`` and ``(C, D)``.
    ordered, reference_ordered
        Counts in the finest bins that both have, shapes ``(S, C, B)`` and ``(C, B)``.
    layout
        The frozen bins.
    overdispersion
        Of the window at its lengths, shape ``(S, C)``.
    """

    current: NumericFrame
    reference: NumericFrame
    cells: NDArray[np.float64]
    reference_cells: NDArray[np.float64]
    ordered: NDArray[np.float64]
    reference_ordered: NDArray[np.float64]
    layout: NumericLayout
    overdispersion: Floats


@dataclass(frozen=True, slots=True)
class CategoryView:
    """C categorical columns: as `NumericView`; the last cell is the unseen values."""

    current: CategoryFrame
    reference: CategoryFrame
    cells: NDArray[np.float64]
    reference_cells: NDArray[np.float64]
    overdispersion: Floats


View = NumericView | CategoryView


def views(
    current: Frames, reference: Frames, layout: NumericLayout, spread: tuple[Floats, Floats], *, independent: bool
) -> tuple[NumericView, CategoryView]:
    """Lay a window beside a reference.

    Parameters
    ----------
    current
        Shape ``(S, C)``.
    reference
        Shape ``(C,)``, with fine bins, or coarse ones only.
    layout
        The frozen bins.
    spread
        The overdispersion of the numeric columns and of the categorical ones, each of shape ``(S, C)``.
    independent
        Whether the rows of the reference are (training); else they are traffic, as much overdispersed as the window.
    """
    numeric_spread, category_spread = spread
    ones = np.ones(1)
    numeric_scale, category_scale = (ones, ones) if independent else (numeric_spread[-1], category_spread[-1])
    counts = current.numeric.counts.astype(np.float64)
    reference_counts = reference.numeric.counts / numeric_scale[:, None]
    fine = reference.numeric.has_sums
    cells = layout.coarse(counts)
    reference_cells = layout.coarse(reference_counts) if fine else reference_counts
    numeric = NumericView(
        current.numeric, reference.numeric, cells, reference_cells,
        counts if fine else cells, reference_counts if fine else reference_cells, layout, numeric_spread,
    )  # fmt: skip
    category = CategoryView(
        current.category, reference.category, current.category.counts.astype(np.float64),
        reference.category.counts / category_scale[:, None], category_spread,
    )  # fmt: skip
    return numeric, category
