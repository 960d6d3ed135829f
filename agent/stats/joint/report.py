"""What the window says of how columns go together: a score of the whole, pairs that moved, features that gained or lost.

A tolerance is the setting, or what chunks of training differed by, where that is more (`agent.joint.usual`): each pair and
feature has its own. Each of the three families has a third of alpha, shared evenly by all stretches of the window; within a
family all pairs or features share it. So alpha is the chance that any `lower` here exceeds its true effect. Of each pair, feature
and of the whole that stretch is reported whose bound is the largest; of pairs and features those whose bounds are the largest
parts of their tolerances.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.joint.correlation import correlation_of
from agent.joint.reference import JointReference
from agent.stats.joint.association_change import association_change
from agent.stats.joint.correlation_change import correlation_change
from agent.stats.joint.mmd import LEAST_ROWS, mmd
from agent.window.relations import RelationsFrame

Floats = NDArray[np.float64]

FAMILIES = 3


@dataclass(frozen=True, slots=True)
class JointTolerances:
    """What is tolerated at least; an infinite tolerance switches off.

    Parameters
    ----------
    discrepancy
        In units of the calibrated one, `JointReference.tolerance`: 1 is the shift of one column by a quarter of its deviation.
    correlation
        Of r.
    association
        Of the uncertainty coefficient.
    """

    discrepancy: float = 1.0
    correlation: float = 0.2
    association: float = 0.1


class JointScore(msgspec.Struct, frozen=True):
    """One effect with its bound.

    Parameters
    ----------
    value, lower
        The effect, signed for pairs and features (now minus training), and what its magnitude is at least.
    threshold
        The tolerance: it exceeds where ``lower > threshold``.
    rows
        Rows that it was seen in.
    stretch
        Which of the stretches of the window it was seen in.
    """

    value: float
    lower: float
    threshold: float
    rows: int
    stretch: int

    @property
    def exceeds(self) -> bool:
        """Whether more is proven than is tolerated."""
        return self.lower > self.threshold


class PairScore(JointScore, frozen=True, kw_only=True):
    """A correlation that moved: Pearson's r before and now. A category's indicator is named ``country=DE``."""

    left: str
    right: str
    before: float
    now: float


class FeatureScore(JointScore, frozen=True, kw_only=True):
    """A feature that gained or lost relevance for the prediction: its uncertainty coefficient before and now."""

    feature: str
    before: float
    now: float


class JointReport(msgspec.Struct, frozen=True):
    """How columns go together in the window.

    Parameters
    ----------
    discrepancy
        Of the joint distribution; ``None`` where too few rows came.
    pairs, features
        Those that moved for certain (``lower > 0``), those with the most evidence (``lower / threshold``) first, each list at
        most as long as asked for.
    """

    discrepancy: JointScore | None
    pairs: list[PairScore]
    features: list[FeatureScore]


def joint_report(
    frame: RelationsFrame,
    reference: JointReference,
    *,
    alpha: float,
    tolerances: JointTolerances,
    overdispersion: Floats | float = 1.0,
    most: int = 10,
) -> JointReport:
    """Compare a window with training.

    Parameters
    ----------
    frame
        The stretches of the window.
    reference
        Of the same schema.
    alpha
        For everything in the report together, in (0, 1).
    tolerances
        Thresholds.
    overdispersion
        By how much the rows are fewer than they seem, at least 1, shape ``()`` or one per stretch.
    most
        Pairs and features at most.

    Returns
    -------
    JointReport
        Without scores where too few rows came. Cost: 2 ms for 7 stretches of 53 design columns and 51 features.
    """
    each = alpha / FAMILIES / max(1, len(frame.fourier.rows))
    return JointReport(
        _discrepancy(frame, reference, each, tolerances.discrepancy, overdispersion),
        _pairs(frame, reference, each, tolerances.correlation, overdispersion, most),
        _features(frame, reference, each, tolerances.association, overdispersion, most),
    )


def _discrepancy(
    frame: RelationsFrame, reference: JointReference, alpha: float, tolerance: float, overdispersion: Floats | float
) -> JointScore | None:
    found = mmd(frame.fourier, reference.fourier, alpha, overdispersion)
    if (frame.fourier.rows / overdispersion).max(initial=0.0) < LEAST_ROWS:
        return None
    best = int(np.lexsort((frame.fourier.rows, found.lower))[-1])
    threshold = max(tolerance * reference.tolerance, reference.usual.discrepancy)
    return JointScore(found.value[best].item(), found.lower[best].item(), threshold, int(frame.fourier.rows[best]), best)


def _pairs(
    frame: RelationsFrame, reference: JointReference, alpha: float, tolerance: float, overdispersion: Floats | float, most: int
) -> list[PairScore]:
    change = correlation_change(correlation_of(frame.moments), reference.correlation, alpha, overdispersion)
    left, right = np.triu_indices(reference.width, 1)
    lower = change.lower[:, left, right]
    thresholds = np.maximum(tolerance, reference.usual.correlation[left, right])
    best = lower.argmax(axis=0) if lower.size else np.zeros(0, dtype=np.int64)
    scores = []
    for pair in _strongest(lower.max(axis=0, initial=0.0), thresholds, most):
        stretch, i, j = int(best[pair]), int(left[pair]), int(right[pair])
        scores.append(
            PairScore(
                change.value[stretch, i, j].item(),
                change.lower[stretch, i, j].item(),
                float(thresholds[pair]),
                int(frame.moments.rows[stretch]),
                stretch,
                left=reference.names[i],
                right=reference.names[j],
                before=reference.correlation.r[i, j].item(),
                now=change.now[stretch, i, j].item(),
            )
        )
    return scores


def _features(
    frame: RelationsFrame, reference: JointReference, alpha: float, tolerance: float, overdispersion: Floats | float, most: int
) -> list[FeatureScore]:
    change = association_change(frame.tables, reference.relevance, alpha, overdispersion)
    best = change.lower.argmax(axis=0) if change.lower.size else np.zeros(0, dtype=np.int64)
    thresholds = np.maximum(tolerance, reference.usual.association)
    scores = []
    for feature in _strongest(change.lower.max(axis=0, initial=0.0), thresholds, most):
        stretch = int(best[feature])
        scores.append(
            FeatureScore(
                change.value[stretch, feature].item(),
                change.lower[stretch, feature].item(),
                float(thresholds[feature]),
                int(frame.tables[stretch, feature].sum()),
                stretch,
                feature=reference.features.names[feature],
                before=change.before[stretch, feature].item(),
                now=change.now[stretch, feature].item(),
            )
        )
    return scores


def _strongest(lower: Floats, thresholds: Floats, most: int) -> list[int]:
    with np.errstate(divide="ignore", invalid="ignore"):
        evidence = np.where(lower > 0, lower / thresholds, 0.0)
    ranked = np.lexsort((-lower, -evidence))[:most].tolist()
    return [place for place in ranked if lower[place] > 0]
