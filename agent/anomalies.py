"""Rows looked at as wholes: chosen, scored, those that are strange counted and told to their spans, and the strangest kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.batch import Batch, Checked
from agent.config import Settings
from agent.joint.anomaly import strongest
from agent.joint.rows import Scores
from agent.profile.schema import Schema
from agent.sketch.categorical import canonical
from agent.validate.rows import RowScorer
from agent.window.sampling import RowSampler
from agent.window.strangest import Part, StrangeRow, Strangest

MAX_SCORED = 4096
"""Sampled exchanges whose scores wait for their spans at most."""

MAX_TEXT = 200
"""Characters of a text that is kept."""


class Anomaly(NamedTuple):
    """What a span says of its exchange's rows."""

    score: float
    """The highest."""
    rows: int
    """Rows above the threshold."""


class RowWatch:
    """Scores rows on their way from the check to the sketches.

    Parameters
    ----------
    schema
        Where it has no row model, batches pass as they are.
    settings
        The quantile, whether values are kept, and the window.
    sampler
        Chooses the rows that are looked at; ``None`` for all.

    Attributes
    ----------
    threshold
        Rows above it are anomalies; infinite where nothing is scored.
    """

    def __init__(self, schema: Schema, settings: Settings, sampler: RowSampler | None = None) -> None:
        self._sampler = sampler
        self._scorer = RowScorer(schema)
        self._features = tuple(column.name for column in schema.features)
        self._keeps_values = settings.keep_rows
        self._strangest = Strangest(round(settings.window_s * 1e9))
        self._scored: dict[bytes, Anomaly] = {}
        model = self._scorer.model
        self.threshold = model.threshold.at(settings.anomaly_quantile) if model is not None else float("inf")

    def take(self, batch: Batch, checked: Checked, now_ns: int) -> tuple[Checked, int]:
        """Score a batch.

        Parameters
        ----------
        batch
            Which exchanges the rows came from.
        checked
            The same rows, checked.
        now_ns
            Wall clock.

        Returns
        -------
        checked
            With the derived columns of the rows that were looked at.
        anomalies
            How many of them are above the threshold. Cost: as `RowScorer.score`, and 0.1 ms for the strangest.
        """
        if self._scorer.is_idle:
            return checked, 0
        sample = self._sampler.take(checked.rows, now_ns) if self._sampler is not None else None
        checked, scores = self._scorer.score(checked, sample)
        if scores is None or not len(scores.anomaly):
            return checked, 0
        owners = _Owners(batch, checked.rows)
        self._tell_spans(owners, scores.anomaly, sample)
        top = range(len(scores.top))
        self._strangest.update([self._describe(place, owners, checked, scores, now_ns) for place in top], now_ns)
        return checked, int(np.count_nonzero(scores.anomaly > self.threshold))

    def pop_scored(self) -> dict[bytes, Anomaly]:
        """Give what is known of sampled exchanges, by `agent.exchange.Exchange.trace`, and forget it."""
        scored, self._scored = self._scored, {}
        return scored

    def strangest(self, now_ns: int) -> list[StrangeRow]:
        """Give the strangest rows of the window, strangest first."""
        return self._strangest.result(now_ns)

    def _tell_spans(self, owners: _Owners, anomaly: NDArray[np.float64], sample: NDArray[np.intp] | None) -> None:
        for trace, start, stop in owners.sampled():
            mine = anomaly[start:stop] if sample is None else anomaly[slice(*sample.searchsorted((start, stop)))]
            if mine.size and len(self._scored) < MAX_SCORED:
                self._scored[trace] = Anomaly(float(mine.max()), int(np.count_nonzero(mine > self.threshold)))

    def _describe(self, place: int, owners: _Owners, checked: Checked, scores: Scores, now_ns: int) -> StrangeRow:
        model = self._scorer.model
        named = strongest(scores.rarities[:, place].tolist(), model.weights, model.scored) if model is not None else []
        scored = int(scores.top[place])
        row = scored if checked.sample is None else int(checked.sample[scored])
        owner = owners.of(row)
        exchange = owner and owner[0]
        return StrangeRow(
            time_ns=exchange.start_ns if exchange else now_ns,
            score=float(scores.anomaly[scored]),
            parts=[Part(column, probability) for column, probability in named],
            id=owner[1] if owner else "",
            trace=exchange.trace[:16].hex() if exchange else "",
            values=self._values(row, checked) if self._keeps_values else None,
        )

    def _values(self, row: int, checked: Checked) -> dict[str, float | str | None]:
        pairs = zip(self._features, checked.values, strict=False)
        return {name: None if column is None else _plain(column[row]) for name, column in pairs}


class _Owners:
    """Which exchange each row of a batch came from; unknown where the batch does not say, or rows don't line up."""

    def __init__(self, batch: Batch, rows: int) -> None:
        self._batch = batch
        counts = batch.member_rows or (1,) * len(batch.members)
        ends = np.cumsum(counts)
        self._ends = ends if len(ends) and int(ends[-1]) == rows else np.empty(0, dtype=np.int64)

    def of(self, row: int) -> tuple[Any, str] | None:
        if not len(self._ends):
            return None
        place = int(self._ends.searchsorted(row, "right"))
        ids = self._batch.ids
        return self._batch.members[place], ids[place] if ids else ""

    def sampled(self) -> list[tuple[bytes, int, int]]:
        """Give trace, first row and end of each sampled exchange that has rows."""
        if not len(self._ends):
            return []
        found = [(place, member.trace) for place, member in enumerate(self._batch.members) if member.trace]
        spans = [(trace, int(self._ends[place - 1]) if place else 0, int(self._ends[place])) for place, trace in found]
        return [(trace, start, stop) for trace, start, stop in spans if stop > start]


def _plain(value: Any) -> float | str | None:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST:
        return float(value)
    return canonical(value)[:MAX_TEXT]


_LARGEST = float(np.finfo(np.float64).max)
"""JSON has no infinity, and some integers are no doubles."""
