"""How columns go together over a stretch of time: three mergeable sums, of a bounded number of rows.

Structure needs fewer rows than it costs to look at all of them: of each pane about `ROWS_PER_PANE` are taken, one from each run
of `stride` rows. Which one of a run changes from run to run by the golden ratio (Weyl's sequence), so that rows that come in a
fixed rhythm, such as the first ones of equal batches, are not all that is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agent.batch import Checked, Values
from agent.errors import OutriderError
from agent.joint.association import Associations
from agent.joint.design import Encoded
from agent.joint.fourier import FourierMeans, FourierSums
from agent.joint.moments import CrossMoments, Moments
from agent.profile.schema import Schema
from agent.sketch.codes import Codes
from agent.sketch.wire import read

ROWS_PER_PANE = 8192
"""Rows taken at the rate that was expected. They cost 8 ms with 53 columns of the design and 51 features."""

GOLDEN = (5**0.5 - 1) / 2


class _Wire(msgspec.Struct, array_like=True, tag="relations/1", frozen=True, gc=False):
    seen: int
    moments: bytes
    fourier: bytes
    tables: bytes


_DECODER = msgspec.msgpack.Decoder(_Wire)


@dataclass(frozen=True, slots=True)
class RelationsFrame:
    """The sums of several stretches of time side by side: every array has a leading axis of them.

    Parameters
    ----------
    moments, fourier
        Of the design matrix.
    tables
        Counts, shape ``(stretches, features, CELLS, CELLS)``.
    """

    moments: Moments
    fourier: FourierMeans
    tables: NDArray[np.int64]


class RelationsSketch:
    """Correlations, Fourier features and associations with the prediction. Without `Schema.relations` it stays empty.

    Memory: 135 KB for 64 columns of the design and 1.2 KB a feature; as bytes 30 KB and 0.3 KB a feature.

    Parameters
    ----------
    schema
        Whose columns to look at.
    stride
        Rows that one is taken from: `next_stride` of the pane before, so that the rate of traffic need not be guessed. Where
        more rows come than that lets expect, it doubles: tenfold traffic gives not ten but three times as many rows.
    """

    __slots__ = (
        "_answers",
        "_codes",
        "_limit",
        "_phase",
        "_reference",
        "_run",
        "_stride",
        "fourier",
        "moments",
        "seen",
        "tables",
    )

    def __init__(self, schema: Schema, stride: int = 1) -> None:
        self._reference = reference = schema.relations
        self.seen = 0
        """Rows that came by, whether taken or not."""
        self._stride = stride
        self._run = 0  # where the run of rows begins that the next row is taken from
        self._phase = 0
        self._limit = ROWS_PER_PANE
        width, tables = (reference.width, len(reference.features.names)) if reference is not None else (0, 0)
        self.moments = CrossMoments(width)
        self.fourier = FourierSums(reference.waves if reference is not None else np.zeros((0, 1)))
        self.tables = Associations(tables)
        self._codes = _codes(schema)

    @property
    def is_empty(self) -> bool:
        """Whether nothing came by."""
        return not self.seen

    @property
    def next_stride(self) -> int:
        """The stride for the pane after this one."""
        return max(1, -(-self.seen // ROWS_PER_PANE))

    def update(self, checked: Checked) -> None:
        """Add rows of a batch with its design matrix, `Checked.matrix`; without one only associations are added.

        Cost with 53 columns of the design and 51 features: 1.2 ms for 1,000 rows that are taken, 0.13 ms for a single one.
        """
        reference = self._reference
        if reference is None or not checked.rows:
            return
        taken = self._take(checked.rows)
        if not taken.size:
            return
        kept = slice(None) if taken.size == checked.rows else taken
        if checked.matrix is not None:
            matrix = checked.matrix[kept]
            self.moments.update(matrix)
            self.fourier.update(matrix)
        if reference.answers.names:
            values = [self._encoded(place, column, kept) for place, column in enumerate(checked.values)]
            answers = reference.answers.place(values, taken.size)[0]
            self.tables.update(reference.features.place(values, taken.size), answers)

    def _encoded(self, place: int, column: Values | None, kept: slice | NDArray[np.int64]) -> Encoded | None:
        if column is None or place not in self._codes:
            return None
        codes = self._codes[place]
        part: NDArray[Any] = column[kept]
        return part if codes is None else codes.of(part)

    def _take(self, rows: int) -> NDArray[np.int64]:
        """Choose rows of the next batch, ascending."""
        end = self.seen + rows
        chosen: list[NDArray[np.int64]] = []
        while self._run < end:
            runs = np.arange(min(self._limit, -(-(end - self._run) // self._stride)))
            at = self._run + runs * self._stride
            at += (np.mod((self._phase + runs) * GOLDEN, 1.0) * self._stride).astype(np.int64)
            done = int(np.searchsorted(at, end))
            chosen.append(at[:done] - self.seen)
            self._phase += done
            self._run += done * self._stride
            self._limit -= done
            if not self._limit:
                self._stride, self._limit = 2 * self._stride, ROWS_PER_PANE // 2
            if done < runs.size:
                break
        self.seen = end
        return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)

    def merge(self, other: RelationsSketch) -> None:
        """Add what `other` has seen; `OutriderError` if it is of another schema."""
        self.moments.merge(other.moments)
        self.fourier.merge(other.fourier)
        self.tables.merge(other.tables)
        self.seen += other.seen

    def to_bytes(self) -> bytes:
        """Write the sums; the schema is not in them. One byte where nothing came by."""
        if self.is_empty:
            return b"\xc0"  # MessagePack's nil
        wire = _Wire(self.seen, self.moments.to_bytes(), self.fourier.to_bytes(), self.tables.to_bytes())
        return msgspec.msgpack.encode(wire)

    @classmethod
    def from_bytes(cls, data: bytes, schema: Schema) -> RelationsSketch:
        """Read what `to_bytes` wrote for this schema; `OutriderError` if it is something else. To be merged, not updated."""
        sketch = cls(schema)
        if data == b"\xc0":
            return sketch
        wire = read(_DECODER, data, "relations")
        reference = schema.relations
        if reference is None:
            raise OutriderError("these bytes are of relations, and the schema has none")
        sketch.seen = wire.seen
        sketch.moments = CrossMoments.from_bytes(wire.moments, reference.width)
        sketch.fourier = FourierSums.from_bytes(wire.fourier, reference.waves)
        sketch.tables = Associations.from_bytes(wire.tables, len(reference.features.names))
        return sketch


def suffixes(panes: Sequence[RelationsSketch], lengths: Sequence[int], schema: Schema) -> RelationsFrame:
    """Add up the newest panes of a window, as many as each length says, in one walk. The panes stay as they are.

    Parameters
    ----------
    panes
        Oldest first.
    lengths
        How many of the newest panes, ascending; at least one length.
    schema
        Of the panes.
    """
    whole = RelationsSketch(schema)
    sums: list[tuple[Moments, FourierMeans, NDArray[np.int64]]] = []
    done = 0
    for length in lengths:
        for pane in panes[max(0, len(panes) - length) : len(panes) - done]:
            whole.merge(pane)
        done = max(done, min(length, len(panes)))
        sums.append((whole.moments.result(), whole.fourier.result(), whole.tables.result()))
    names = ("rows", "mean", "products", "thirds", "squares", "cubes")
    moments = Moments(*(np.stack([getattr(one, name) for one, _, _ in sums]) for name in names))
    return RelationsFrame(moments, _stacked([one for _, one, _ in sums]), np.stack([one for _, _, one in sums]))


def side_by_side(panes: Sequence[RelationsSketch]) -> FourierMeans:
    """Give the Fourier means of single panes, at least one, with a leading axis of them: what overdispersion shows in."""
    return _stacked([pane.fourier.result() for pane in panes])


def _stacked(means: Sequence[FourierMeans]) -> FourierMeans:
    return FourierMeans(np.stack([one.rows for one in means]), np.stack([one.means for one in means]))


def _codes(schema: Schema) -> dict[int, Codes | None]:
    """Give how the values of each column that has cells are told, by its place: by `Codes`, or as the numbers that they are."""
    reference = schema.relations
    if reference is None:
        return {}
    columns = schema.columns
    places = [*reference.features.places.tolist(), *reference.answers.places.tolist()]
    known = {place: columns[place].categories for place in places}
    return {place: None if listed is None else Codes(listed) for place, listed in known.items()}
