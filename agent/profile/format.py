"""The training profile as a file: ``outrider-profile/1``, one JSON object, optionally gzipped.

The structs below are the format. Arrays of numbers are plain JSON lists, except quantile sketches and packed matrices,
which are base64. Floats that JSON can't hold (NaN, infinities) never occur: what is undefined is ``null``.
"""

from __future__ import annotations

import msgspec

FORMAT = "outrider-profile/1"

ROLES = ("feature", "prediction", "probability", "label", "id", "time", "segment")
"""What a column is for. Monitored for drift: feature, prediction, probability."""

NUMERIC_TYPES = ("float", "integer")
"""Types whose column has `ColumnProfile.numeric`."""

CATEGORY_TYPES = ("category", "boolean")
"""Types whose column has `ColumnProfile.categories`; ``text`` and ``datetime`` have neither."""


class Numeric(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The distribution of a numeric column in training.

    Parameters
    ----------
    count
        Finite values.
    infinite
        Infinite values.
    mean, variance, minimum, maximum
        Of the finite values, population variance; ``null`` if there are none.
    edges, bin_counts, coarse
        The frozen bins, as in `agent.sketch.summary.NumericSummary`; the counts are exact.
    kll
        The quantile sketch (datasketches ``kll_doubles_sketch``), base64 of its serialised bytes.
    bin_sums
        Per bin the sum of ``x - origin`` over its finite values, where origin is the middle edge, ``edges[len(edges) // 2]``, or
        0 without edges: base64 of what `agent.sketch.wire.pack_sums` makes of them. Left out where one is beyond a double, and
        in profiles of earlier versions.
    """

    count: int
    infinite: int
    mean: float | None
    variance: float | None
    minimum: float | None
    maximum: float | None
    edges: list[float]
    bin_counts: list[int]
    coarse: list[int]
    kll: str
    bin_sums: str = ""


class Categories(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The distribution of a categorical column in training.

    Parameters
    ----------
    values
        Canonical texts, most frequent first, ties by text.
    counts
        Exact rows of each.
    other
        Rows of categories too rare to be listed.
    distinct
        Distinct values, exact where `other` is 0.
    """

    values: list[str]
    counts: list[int]
    other: int
    distinct: int


class ColumnProfile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column of the training data."""

    name: str
    role: str
    type: str
    rows: int
    missing: int
    numeric: Numeric | None = None
    categories: Categories | None = None

    @property
    def nullable(self) -> bool:
        """Whether training had missing values in this column."""
        return self.missing > 0


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which model the profile belongs to."""

    name: str = ""
    version: str = ""
    task: str = ""
    """``regression``, ``classification`` or empty."""
    trained_at: str = ""


class Joint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the numeric columns went together in training.

    Parameters
    ----------
    columns
        Names, in matrix order.
    correlation
        Pearson's r over the rows where both are finite: the strict upper triangle, row by row, as little-endian float32 in
        base64; NaN where it is undefined.
    """

    columns: list[str]
    correlation: str


class Association(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How strongly a feature went with the prediction in training.

    Parameters
    ----------
    feature
        Its column.
    measure
        ``pearson_r`` (number with number), ``correlation_ratio`` (category with number), ``cramers_v`` (category with category).
    value
        In [-1, 1] for ``pearson_r``, else in [0, 1].
    """

    feature: str
    measure: str
    value: float


class Performance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measure of prediction against label in training: ``accuracy``, ``mae``, ``rmse``, ..."""

    measure: str
    value: float
    rows: int


class Summarised(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A column of vectors, images or texts, which the profile has summary columns of instead of a distribution.

    Parameters
    ----------
    column
        Its name in the training data. The summary columns are named ``column.measure``. A text also has a column of its own,
        of the type ``text``.
    kind
        ``embedding``, ``image``, ``image_file`` or ``text``.
    measures
        ``norm``, ``mean``, ``cosine`` of an embedding; ``brightness``, ``contrast``, ``width``, ``height``, and for files
        ``bytes``, of an image; ``length``, ``words``, ``script`` of a text. In the order of the columns.
    shape
        Of each value; empty where they differed, and for files and texts.
    centroid
        The mean of the vectors that ``cosine`` is measured from: little-endian float32 in base64.
    """

    column: str
    kind: str
    measures: list[str]
    shape: list[int] = []
    centroid: str = ""


class DesignColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One column of the design matrix (`agent.joint.design`)."""

    column: str
    centre: float
    scale: float
    category: str | None = None
    """The category that it indicates; none for a number."""


class RowTail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How rare a column's values are (`agent.joint.tails`), as little-endian floats in base64.

    Parameters
    ----------
    rarities
        ``1 / p``, float32: between the cuts; or of a missing value, of each category and of an unseen one.
    cuts
        float64; empty for a category.
    missing, infinite, low, high
        As in `agent.joint.tails.NumberTail`; ``null`` for an infinite reach.
    """

    rarities: str
    cuts: str = ""
    missing: float = 1.0
    infinite: float = 1.0
    low: float | None = None
    high: float | None = None


class Interplay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the columns of the sample go together (`agent.joint.reference`); arrays are little-endian and in base64.

    Parameters
    ----------
    rows
        Of the sample.
    r, variances, tails
        As in `agent.joint.correlation.ReferenceCorrelation`: strict upper triangles over the design's columns, row by row; r as
        float32, NaN where undefined, the others as float16.
    bandwidth
        Of the Gaussian kernel.
    means, squares, largest
        As in `agent.joint.fourier.ReferenceFourier`; the means as float32.
    prediction
        The column that features are compared with; empty where there is none.
    counts
        Tables of `agent.joint.association`: those of numbers first, then of categories, in the order of the structure's columns;
        none without a prediction. The low bytes of all uint16, then the high ones, deflated (RFC 1950).
    usual_r, usual_associations, usual_discrepancy
        As in `agent.joint.usual.Usual`, where training was cut: of the pairs in the order of r, and of the tables, float16.
    """

    rows: int
    r: str
    variances: str
    tails: str
    bandwidth: float
    means: str
    squares: float
    largest: float
    prediction: str
    counts: str
    usual_r: str = ""
    usual_associations: str = ""
    usual_discrepancy: float = 0.0


class Structure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What training's rows were like as wholes, learned from an even sample of them (`agent.joint.rows`).

    Parameters
    ----------
    columns
        The features that a row's score looks at.
    design
        The columns of the design matrix, d of them.
    kept, mean, variances, directions
        As in `agent.joint.subspace.Subspace`: little-endian float32 in base64; directions row by row.
    tails
        One per column, then those of the reconstruction error and of the Mahalanobis distance.
    rows, ranks, scores
        The upper end of the scores of training, as in `agent.joint.anomaly.Threshold`.
    derived
        The distributions of both distances and of the score, from rows that the model has not seen.
    interplay
        How columns go together, and with the prediction.
    """

    columns: list[str]
    design: list[DesignColumn]
    kept: int
    mean: str
    variances: str
    directions: str
    tails: list[RowTail]
    rows: int
    ranks: list[int]
    scores: list[float]
    derived: list[ColumnProfile]
    interplay: Interplay | None = None


class ChunkColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column in each kept chunk of training: what `agent.profile.chunks.pack` makes of it, in base64."""

    name: str
    figures: str


class ChunkTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Chunks of the training data, of which some are kept (`agent.profile.chunks`).

    Parameters
    ----------
    kind, length, count, places, rows
        As in `agent.profile.chunks.Chunks`.
    columns
        Those that are monitored.
    untimed
        Rows whose time is missing or can't be read; they are in no chunk.
    """

    kind: str
    length: float
    count: int
    places: list[int]
    rows: list[int]
    columns: list[ChunkColumn]
    untimed: int = 0


class SegmentColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column in each segment: what `agent.profile.segments.pack` makes of it, in base64."""

    name: str
    figures: str


class SegmentTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Training cut by the values of one column (`agent.profile.segments`).

    Parameters
    ----------
    by
        The column, or the column and a comparison, as `agent.group_language` writes it.
    values
        The kept categories, most frequent first; for a comparison one entry, the comparison.
    rows
        Of each of them.
    others
        Rows with another value; rows without a value are nowhere.
    detail
        ``fine``: counts and sums in the frozen bins; ``coarse``: counts in the coarse bins.
    figured
        How many of `values`, the first ones, have figures.
    columns
        The features and outputs.
    outcome
        The column of predictions, or of labels where there are none; empty where nobody knows which value is favourable.
    favourable
        That value, as `agent.group_language` writes it.
    answered, selected
        Rows with an outcome, and with a favourable one: of each of `values`, and last of the other values.
    """

    by: str
    values: list[str]
    rows: list[int]
    others: int
    detail: str
    figured: int
    columns: list[SegmentColumn]
    outcome: str = ""
    favourable: str = ""
    answered: list[int] = []
    selected: list[int] = []


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole file. Columns stand in the order of the training data, which positional formats rely on."""

    format: str
    model: Model
    rows: int
    columns: list[ColumnProfile]
    joint: Joint | None = None
    association: list[Association] = []
    performance: list[Performance] = []
    summaries: list[Summarised] = []
    structure: Structure | None = None
    chunks: ChunkTable | None = None
    segments: list[SegmentTable] = []
