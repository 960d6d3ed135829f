"""What happens in the demo, and when: an undisturbed stretch, then three accidents one after the other.

How long it must last follows from the decision rule. A column is flagged when the lower bound of an effect exceeds its
tolerance for `CONSECUTIVE` evaluations in a row. When an accident begins, the window is full of undisturbed rows, and each
pane swaps a part of it: after ``d`` seconds about ``d / WINDOW_S`` of the rows are disturbed. What the bound subtracts comes
mostly from the 442 training rows, hardly from the 4,000 in the window: at the level that is left for one of 49 scores at the
tenth look, 0.05 of a missing share and 0.1 of a Jensen-Shannon distance. So an accident to three rows in five exceeds the
tolerance (0.05 and 0.1) within two or three seconds, and is flagged two later. Measured: 3 to 5 s on a busy machine with two
cores. A whole window for the last accident is twice that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.demo.model import FEATURES
from agent.errors import ConfigError

Values = NDArray[np.float64]

WINDOW_S = 10.0
PANE_S = 1.0
CONSECUTIVE = 3
MIN_ROWS = 200
"""The sidecar's settings for the demo: everything an hour's window does, in ten seconds."""

REQUESTS_PER_S = 150.0
"""Half of them single rows, the others up to 8: about 400 rows a second, 4,000 in a window."""

SHORTEST_S = 20.0
"""Six seconds undisturbed, and then one window for the last accident to show."""

ENDLESS_CALM_S = 15.0
"""How long an endless demo stays undisturbed."""


def to_mmol_per_litre(values: Values, rng: np.random.Generator) -> Values:
    """Glucose from mg/dl to mmol/l: its molar mass is 180.16 g/mol."""
    del rng
    return np.round(values / 18.016, 1)


def mostly_missing(values: Values, rng: np.random.Generator) -> Values:
    """Three of five values become NaN: a form that no longer asks."""
    return np.where(rng.random(values.shape) < 0.6, np.nan, values)


def mostly_not_known(values: Values, rng: np.random.Generator) -> Values:
    """Three of five values become 0, "not known" in ISO/IEC 5218: a code that training never saw."""
    return np.where(rng.random(values.shape) < 0.6, 0.0, values)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One accident in one column.

    Parameters
    ----------
    column
        A name out of `FEATURES`.
    what
        What went wrong, for the person who watches.
    start_s
        Seconds after the start of the replay.
    change
        Takes and gives the column's values, shape ``(rows,)``.
    """

    column: str
    what: str
    start_s: float
    change: Callable[[Values, np.random.Generator], Values]


@dataclass(frozen=True, slots=True)
class Scenario:
    """The whole demo in time.

    Parameters
    ----------
    seconds
        How long the replay lasts; ``None``: until it is stopped.
    disturbances
        By `Disturbance.start_s`, ascending; none for a demo that stays undisturbed.
    """

    seconds: float | None
    disturbances: tuple[Disturbance, ...]

    def begun(self, elapsed_s: float) -> tuple[Disturbance, ...]:
        """Give the accidents that have happened by then."""
        return tuple(accident for accident in self.disturbances if accident.start_s <= elapsed_s)

    def over(self, elapsed_s: float) -> bool:
        """Whether the replay has lasted long enough; never for an endless one."""
        return self.seconds is not None and elapsed_s >= self.seconds


def plan(seconds: float | None, *, disturb: bool = True) -> Scenario:
    """Lay the accidents into the time there is.

    The first 30 % are undisturbed, but at most `ENDLESS_CALM_S`; then the three accidents follow within 15 % more. Without
    `disturb` there are none.

    Raises
    ------
    ConfigError
        If `seconds` is below `SHORTEST_S`: nothing could be concluded.
    """
    if seconds is not None and not seconds >= SHORTEST_S:
        raise ConfigError(
            [
                f"--seconds {seconds:g} is too short: below {SHORTEST_S:g} seconds there are too few rows to tell drift "
                f"from chance; write --seconds {SHORTEST_S:g} or more"
            ]
        )
    calm = ENDLESS_CALM_S if seconds is None else min(0.3 * seconds, ENDLESS_CALM_S)
    gap = calm / 4
    accidents = (
        Disturbance("glucose", "arrives in mmol/l instead of mg/dl", calm, to_mmol_per_litre),
        Disturbance("bmi", "is missing in three of five rows", calm + gap, mostly_missing),
        Disturbance("sex", 'has a code unseen in training: 0, "not known"', calm + 2 * gap, mostly_not_known),
    )
    return Scenario(seconds, accidents if disturb else ())


def disturbed(rows: Values, accidents: tuple[Disturbance, ...], rng: np.random.Generator) -> Values:
    """Apply the accidents to a copy of the rows, shape ``(rows, features)``; the other columns stay bit for bit."""
    changed = rows.copy()
    for accident in accidents:
        i = FEATURES.index(accident.column)
        changed[:, i] = accident.change(changed[:, i], rng)
    return changed
