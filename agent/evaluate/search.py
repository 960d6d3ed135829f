"""All statistics of all columns at the level that what is found allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.decide import Strongest, Verdict, strongest, verdict
from agent.evaluate.relations import SHARE
from agent.evaluate.rule import CALM, LIKELY, Rule
from agent.evaluate.stretches import Stretch
from agent.evaluate.table import Statistic
from agent.evaluate.view import View
from agent.stats.drift.effect import Effect

_ROUNDS = 3
"""How often the level is raised for what was found: Benjamini and Hochberg's search from below, cut short."""


@dataclass(frozen=True, slots=True)
class Family:
    """One statistic of all columns of a kind against one reference.

    Parameters
    ----------
    against
        The reference.
    statistic
        Which one.
    view
        What is compared.
    places
        Of the columns, in `Schema.columns`.
    thresholds
        Shape ``(C,)``.
    """

    against: str
    statistic: Statistic
    view: View
    places: Sequence[int]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one statistic says: effects of shape ``(S, C)``, the length of the window that proves most, and what follows."""

    family: Family
    effect: Effect
    strongest: Strongest
    verdict: Verdict


def search(families: Sequence[Family], rule: Rule, looked: Sequence[Stretch]) -> list[Finding]:
    """Compute all bounds at the level that what is found allows: Benjamini and Hochberg's rule (`Rule.level`).

    Parameters
    ----------
    families
        All statistics against all references.
    rule
        The rule.
    looked
        The stretches of the window at which each is computed.
    """
    panes = [stretch.panes for stretch in looked]
    scores = len(panes) * sum(int(np.isfinite(family.thresholds).sum()) for family in families)
    freedoms = [family.statistic.freedom(family.view) for family in families]
    found = 1
    findings: list[Finding] = []
    for _ in range(_ROUNDS):
        levels = {each: (1 - SHARE) * rule.levels(scores, panes, found, each) for each in set(freedoms)}
        findings = [_finding(family, levels[each], rule) for family, each in zip(families, freedoms, strict=True)]
        exceeding = sum(int(finding.verdict.exceeds.sum()) for finding in findings)
        if exceeding <= found:
            break
        found = exceeding
    return findings


def _finding(family: Family, levels: NDArray[np.float64], rule: Rule) -> Finding:
    compare, thresholds = family.statistic.compare, family.thresholds
    seen = len(family.view.overdispersion)  # some references are only compared with the whole window
    effect = compare(family.view, levels[-seen:, None])
    found = strongest(effect, thresholds, rule, family.view.overdispersion)
    recent = compare(family.view, LIKELY) if (found.evidence > CALM).any() else None
    return Finding(family, effect, found, verdict(found, recent, thresholds))
