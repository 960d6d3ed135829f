"""One column on its way into the profile: counted, typed, counted again, written down."""

from __future__ import annotations

import base64
import math

import numpy as np
from numpy.typing import NDArray

from agent.profile.bins import Bins, choose_bins
from agent.profile.blocks import Files, Kind, Opaque, Tensors, Texts, Values, as_texts
from agent.profile.census import Census, NumberCensus, OpaqueCensus, TextCensus, take
from agent.profile.format import CATEGORY_TYPES, NUMERIC_TYPES, Categories, ColumnProfile, Numeric
from agent.profile.infer import MAX_CLASSES, Forced, empty_census, type_of
from agent.profile.kll import kll_bytes
from agent.profile.roles import Choice
from agent.profile.tally import BinTally, CategoryTally
from agent.sketch.categorical import canonical
from agent.sketch.wire import pack_sums

MAX_LISTED = 100
"""Categories listed with counts of their own; the rest is summed up as ``other``."""

Tallied = NDArray[np.float64] | NDArray[np.int64] | None
"""A block of numbers, of places of categories (-1 where missing, the last place for what is not listed), or neither."""


class Column:
    """One column on its way into the profile.

    Attributes
    ----------
    census
        What the first reading found.
    type
        Chosen after it, with `bins` or `categories`.
    """

    def __init__(self, choice: Choice, kind: Kind) -> None:
        self.name = choice.name
        self.place = choice.place
        self.role = choice.role
        self.source = choice.source
        """The column that this one summarises, if it does."""
        self.type = ""
        self._kind: Kind = kind
        self._forced: Forced = "category" if choice.role == "segment" and not choice.forced else choice.forced
        self.census: Census = empty_census(self.name, kind, self.role, self._forced)
        self.bins: BinTally | None = None
        self.categories: CategoryTally | None = None
        self._cuts = Bins(np.empty(0), np.zeros(1, dtype=np.int64))
        self._listed: list[str] = []

    def count(self, values: Values, rows: int) -> None:
        """Add a block to the census."""
        if isinstance(self.census, OpaqueCensus):
            take(self.census, Opaque(_missing(values)), rows)
        elif isinstance(self.census, TextCensus):
            take(self.census, as_texts(values), rows)
        else:
            take(self.census, self._numbers(values), rows)

    def infer(self, task: str) -> None:
        """Choose the type."""
        self.type = type_of(self._kind, self.role, self._forced, self.census, task)

    def can_be_classes(self) -> bool:
        """Whether a number column may as well be a category."""
        census = self.census
        if not isinstance(census, NumberCensus) or census.infinite or self._forced or census.exact is None:
            return False
        return self.type in NUMERIC_TYPES and census.whole and 0 < len(census.exact) <= MAX_CLASSES

    def prepare(self) -> None:
        """Choose bins or categories for the second reading."""
        if self.type in NUMERIC_TYPES and isinstance(self.census, NumberCensus):
            values, weights = self.census.distribution()
            self._cuts = choose_bins(values, weights, whole=self.census.whole)
            self.bins = BinTally(self._cuts.edges)
        elif self.type in CATEGORY_TYPES:
            self._listed = _candidates(self.census)
            self.categories = CategoryTally(self._listed)

    def tally(self, values: Values) -> Tallied:
        """Add a block to the exact counts; give its numbers, or the places of its categories, or nothing for other types."""
        if self.bins is not None:
            numbers = self._numbers(values)
            self.bins.update(numbers)
            return numbers
        if self.categories is not None:
            places = self.categories.place(as_texts(values))
            self.categories.update(places)
            return np.minimum(places, MAX_LISTED)
        return None

    def _numbers(self, values: Values) -> NDArray[np.float64]:
        if isinstance(values, Texts):  # booleans that are to be numeric
            return np.where(values.codes < 0, np.nan, values.codes.astype(np.float64))
        if not isinstance(values, np.ndarray):
            raise TypeError(f"{type(values).__name__} are no numbers")
        return values

    @property
    def edges(self) -> NDArray[np.float64]:
        """The edges between the frozen bins of a numeric column, ascending, one less than there are bins."""
        return self._cuts.edges

    @property
    def coarse_edges(self) -> NDArray[np.float64]:
        """The edges between the coarse bins of a numeric column, ascending, one less than there are bins."""
        return self._cuts.edges[self._cuts.coarse[1:] - 1]

    @property
    def is_counted(self) -> bool:
        """Whether the second reading has anything to count here."""
        return self.bins is not None or self.categories is not None

    @property
    def candidates(self) -> list[str]:
        """The texts whose rows are counted, by the place that `CategoryTally.place` gives them."""
        return self._listed

    @property
    def classes(self) -> int:
        """How many places of categories there are, those that are not listed taken as one."""
        return min(len(self._listed), MAX_LISTED) + 1

    def result(self) -> ColumnProfile:
        """Give what the profile says of this column."""
        rows, missing = self.census.rows, self.census.missing
        numeric = self._numeric() if self.bins is not None else None
        categories = self._categories(rows - missing) if self.categories is not None else None
        return ColumnProfile(self.name, self.role, self.type, rows, missing, numeric, categories)

    def _numeric(self) -> Numeric:
        census = self.census
        if not isinstance(census, NumberCensus) or self.bins is None:
            raise TypeError("this column has no numbers")
        some = census.count > 0
        return Numeric(
            count=census.count,
            infinite=census.infinite,
            mean=_finite(census.mean) if some else None,
            variance=_finite(census.variance) if some else None,
            minimum=census.minimum if some else None,
            maximum=census.maximum if some else None,
            edges=self._cuts.edges.tolist(),
            bin_counts=self.bins.counts.tolist(),
            coarse=self._cuts.coarse.tolist(),
            kll=base64.b64encode(kll_bytes(*census.distribution())).decode(),
            bin_sums=_packed(self.bins.sums),
        )

    def _categories(self, present: int) -> Categories:
        if self.categories is None:
            raise TypeError("this column has no categories")
        counts = zip(self._listed, self.categories.counts.tolist()[:-1], strict=True)
        ranked = sorted(counts, key=lambda item: (-item[1], item[0]))[:MAX_LISTED]
        distinct = self.census.distinct if isinstance(self.census, TextCensus) else len(self._listed)
        listed = [count for _, count in ranked]
        return Categories([text for text, _ in ranked], listed, present - sum(listed), distinct)


def _missing(values: Values) -> int:
    if isinstance(values, Opaque):
        return values.missing
    if isinstance(values, Tensors):
        return int((values.shapes == 0).any(axis=1).sum())
    if isinstance(values, Files):
        return values.values.count(None)
    return int((values.codes < 0).sum() if isinstance(values, Texts) else np.isnan(values).sum())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _packed(sums: NDArray[np.float64]) -> str:
    return base64.b64encode(pack_sums(sums)).decode() if np.isfinite(sums).all() else ""


def _candidates(census: Census) -> list[str]:
    """Give the texts to count, most frequent first: the listed ones, or all candidates where their order is not exact yet."""
    if isinstance(census, TextCensus):
        ranked = census.ranked()
        return [text for text, _ in (ranked[:MAX_LISTED] if census.complete else ranked)]
    exact = census.exact if isinstance(census, NumberCensus) else None
    counts = {canonical(value): rows for value, rows in (exact or {}).items()}
    return sorted(counts, key=lambda text: (-counts[text], text))
