"""What the profile promises of each column, ready for arrays: the schema to check against and the reference to compare with."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

from agent.joint.reference import JointReference
from agent.joint.rows import RowModel
from agent.profile.chunks import Chunks
from agent.profile.format import ColumnProfile, Numeric, Profile, Summarised
from agent.profile.interplay import joint_reference
from agent.profile.segments import Segments
from agent.profile.structure import model_of
from agent.sketch.bins import origin_of
from agent.sketch.quantiles import sorted_view
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.sketch.wire import unpack_sums
from agent.summarise.embedding import unpack
from agent.summarise.image_file import PIXEL_MEASURES, reads_pixels
from agent.summarise.source import IMAGE_FILE, Source

MONITORED_OUTPUTS = ("prediction", "probability")
"""Roles that the model's answer carries."""


@dataclass(frozen=True, slots=True)
class ColumnSchema:
    """One monitored column.

    Parameters
    ----------
    name, role, type
        As in the profile.
    nullable
        Whether training had missing values here.
    minimum, maximum
        The range of training for a numeric column with values, else ``None``.
    edges, coarse
        The frozen bins of a numeric column, else ``None``.
    categories
        The known values of a categorical column as canonical text, else ``None``.
    reference
        The training distribution; ``None`` for types that are not compared (``text``, ``datetime``).
    source
        The column that this one summarises; empty where it stands for itself.
    """

    name: str
    role: str
    type: str
    nullable: bool
    minimum: float | None
    maximum: float | None
    edges: NDArray[np.float64] | None
    coarse: NDArray[np.int64] | None
    categories: tuple[str, ...] | None
    reference: Summary | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    """All monitored columns, features first, each group in the profile's order.

    `columns` is ``features + outputs + derived``; sketches, summaries and reports keep that order. `derived` are the scores that
    `row_model` gives rows as wholes; both are empty where there is none. `unmonitored` names the columns of
    the training data that a client or a server may well send too, but that nothing is computed from: labels, ids, times.
    `sources` are the columns that some of the others summarise. `relations` is how features go together and with the prediction.
    `chunks` is what the columns were in pieces of the training data.
    `beside` are the columns that only tell segments apart; nothing of them is watched. `segments` is training, cut.
    """

    model: str
    version: str
    features: tuple[ColumnSchema, ...]
    outputs: tuple[ColumnSchema, ...]
    unmonitored: frozenset[str] = frozenset()
    sources: tuple[Source, ...] = ()
    derived: tuple[ColumnSchema, ...] = ()
    row_model: RowModel | None = None
    relations: JointReference | None = None
    chunks: Chunks | None = None
    beside: tuple[ColumnSchema, ...] = ()
    segments: tuple[Segments, ...] = ()

    @property
    def columns(self) -> tuple[ColumnSchema, ...]:
        """Features, then outputs, then what is derived from rows as wholes."""
        return self.features + self.outputs + self.derived


def schema_of(profile: Profile) -> Schema:
    """Prepare a profile for the monitor. Cost: one decoding of each column's quantile sketch.

    Columns that need Pillow are left out where it is not installed: nobody could tell them from missing values. So are then the
    scores of rows.
    """
    sources = tuple(map(_source, profile.summaries))
    source_of = {name: source.name for source in sources for name in source.names}
    blind = {
        name
        for summarised, source in zip(profile.summaries, sources, strict=True)
        for name in {f"{summarised.column}.{measure}" for measure in summarised.measures}.difference(source.names)
    }
    known = [column for column in profile.columns if column.name not in blind]
    features = tuple(_column(column, source_of) for column in known if column.role == "feature")
    outputs = tuple(_column(column, source_of) for column in known if column.role in MONITORED_OUTPUTS)
    monitored = {column.name for column in features + outputs}
    unmonitored = frozenset(column.name for column in profile.columns) - monitored
    derived, model = _derived(profile, {column.name for column in features})
    relations = None if model is None else _relations(profile, model, [column.name for column in features + outputs])
    model_name, version = profile.model.name, profile.model.version
    beside = tuple(_column(column, source_of) for column in known if column.role == "segment")
    cut = (Chunks.of(profile), beside, Segments.of(profile))
    return Schema(model_name, version, features, outputs, unmonitored, sources, derived, model, relations, *cut)


def _derived(profile: Profile, features: set[str]) -> tuple[tuple[ColumnSchema, ...], RowModel | None]:
    """Give the scores of rows and their model; none where a feature that it needs can't be had."""
    structure = profile.structure
    if structure is None or not features.issuperset(structure.columns):
        return (), None
    return tuple(_column(column, {}) for column in structure.derived), model_of(structure, profile.columns)


def _relations(profile: Profile, model: RowModel, names: Sequence[str]) -> JointReference | None:
    structure = profile.structure
    if structure is None or structure.interplay is None:
        return None
    places = {name: place for place, name in enumerate(names)}
    return joint_reference(structure.interplay, model.design, model.names, profile.columns, places)


def _source(summarised: Summarised) -> Source:
    measures = tuple(summarised.measures)
    if summarised.kind == IMAGE_FILE and not reads_pixels():
        measures = tuple(measure for measure in measures if measure not in PIXEL_MEASURES)
    centroid = unpack(summarised.centroid) if summarised.centroid else None
    return Source(summarised.column, summarised.kind, measures, tuple(summarised.shape), centroid)


def _column(column: ColumnProfile, source_of: Mapping[str, str]) -> ColumnSchema:
    reference = reference_of(column)
    numeric = column.numeric
    return ColumnSchema(
        name=column.name,
        role=column.role,
        type=column.type,
        nullable=column.nullable,
        minimum=numeric.minimum if numeric else None,
        maximum=numeric.maximum if numeric else None,
        edges=reference.edges if isinstance(reference, NumericSummary) else None,
        coarse=reference.coarse if isinstance(reference, NumericSummary) else None,
        categories=reference.categories if isinstance(reference, CategorySummary) else None,
        reference=reference,
        source=source_of.get(column.name, ""),
    )


def reference_of(column: ColumnProfile) -> Summary | None:
    """Give a column's training distribution as a summary, or ``None`` for a type that is not compared."""
    if column.numeric is not None:
        numeric = column.numeric
        points, weights = sorted_view(kll_doubles_sketch.deserialize(base64.b64decode(numeric.kll)))
        edges = np.array(numeric.edges, dtype=np.float64)
        return NumericSummary(
            rows=column.rows,
            missing=column.missing,
            infinite=numeric.infinite,
            count=numeric.count,
            mean=_or_nan(numeric.mean),
            variance=_or_nan(numeric.variance),
            minimum=_or_nan(numeric.minimum),
            maximum=_or_nan(numeric.maximum),
            edges=edges,
            bin_counts=np.array(numeric.bin_counts, dtype=np.int64),
            coarse=np.array(numeric.coarse, dtype=np.int64),
            points=points,
            weights=weights,
            bin_sums=_sums(numeric, edges, points, weights),
        )
    if column.categories is not None:
        known = column.categories
        return CategorySummary(
            rows=column.rows,
            missing=column.missing,
            categories=tuple(known.values),
            counts=np.array(known.counts, dtype=np.int64),
            unseen=known.other,
            distinct=float(known.distinct),
        )
    return None


def _sums(
    numeric: Numeric, edges: NDArray[np.float64], points: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the bins' sums: the profile's, or, in one of an earlier version, the counts times the mean of the sketch's points."""
    bins = edges.size + 1
    if numeric.bin_sums:
        return unpack_sums(base64.b64decode(numeric.bin_sums), bins, "training profile")
    if numeric.minimum is None or numeric.maximum is None:
        return np.zeros(bins)
    places = edges.searchsorted(points, "right")
    held = np.bincount(places, weights, bins)
    counts = np.array(numeric.bin_counts, dtype=np.float64)
    if numeric.infinite:  # nobody knows how many of the outer bins' rows they are
        counts[[0, -1]] = np.minimum(counts, held)[[0, -1]]
    bounds = np.concatenate(([numeric.minimum], edges.clip(numeric.minimum, numeric.maximum), [numeric.maximum]))
    with np.errstate(over="ignore", invalid="ignore"):
        origin = origin_of(edges)
        means = (bounds[1:] - origin) / 2 + (bounds[:-1] - origin) / 2
        np.divide(np.bincount(places, weights * (points - origin), bins), held, out=means, where=held > 0)
        return means * counts


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
