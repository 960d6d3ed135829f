"""A data set against a training profile: the monitor's stages over a file, and one decision about all of it.

``rows → check → score rows → sketch → evaluate``, block by block, in constant memory. All of the data is the window, and it is
one look: nothing is decided about stretches of it, whose order may mean anything, and nothing has to be seen twice. So
``OUTRIDER_ALPHA`` is the chance that any column of a data set from the training distribution is called drifted. Segments and
groups that the settings name are looked at as the sidecar looks at them; segments share as much error again, and so do groups.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from agent import clock
from agent.anomalies import RowWatch
from agent.compare.bars import bars_of
from agent.compare.comparison import Comparison, Distribution
from agent.compare.copies import Copies
from agent.compare.cuts import Cuts, beside
from agent.compare.look import Look, settings_of_look
from agent.compare.rows import Progress, RowReader, Violations
from agent.compare.words import in_words_of_file
from agent.config import Settings, load
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.report import ColumnReport, Decision, RelationReport
from agent.evaluate.rule import Rule
from agent.evaluate.tolerance import Tolerated
from agent.profile.format import Profile
from agent.profile.read import read
from agent.profile.schema import ColumnSchema, Schema, schema_of
from agent.profile.sources import open_source
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.validate.schema import OTHER, WHOLE, Checker
from agent.window.ring import Window

_PARQUET = b"PAR1"


def compare(
    profile: Profile | str | Path,
    data: object,
    *,
    min_rows: int | None = None,
    name: str = "",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare a data set with a training profile.

    Parameters
    ----------
    profile
        A profile, or the path of one.
    data
        As `agent.profile.build.build` takes it: a path of a CSV or Parquet file, a folder or a list of such, a pandas or polars
        DataFrame, a pyarrow Table, or a dict from names to numpy arrays or lists. Columns are told by their names.
    min_rows
        Below this many rows nothing is decided; ``OUTRIDER_MIN_ROWS`` if not given.
    name
        What the data is called in the report; its path if not given.
    settings
        Tolerances, segments and groups; those of the environment if not given. `Settings.consecutive`, `Settings.against` and
        the length of window and panes have no meaning here.
    progress
        Told how far it is, after every block.

    Returns
    -------
    Comparison
        With the columns in the order of the profile, features first.

    Raises
    ------
    ProfileError
        If the profile or the data can't be read, or have no column in common.
    ConfigError
        If a setting of the environment is wrong.
    """
    settings = settings or load(os.environ)
    known = profile if isinstance(profile, Profile) else read(Path(profile))
    schema = schema_of(known)
    times = [column.name for column in known.columns if column.role == "time"]
    source = open_source(data)
    reader = RowReader(source, schema, times, beside=beside(schema, settings), spelled=_is_spelled(data))
    seen = _Seen(schema, settings_of_look(settings, min_rows or settings.min_rows), source.rows)
    seen.take_all(reader, progress or _silent)
    window = seen.window()
    report, _ = evaluate(window, schema, seen.rule, Streaks(), seen.violations, clock.wall_ns(), seen.tolerated)
    lacking = _lacking(schema, reader)
    segments, groups = seen.cuts.segments(lacking), seen.cuts.groups(lacking)
    summaries = [window.summary(place) for place in range(len(schema.columns))]
    fields = {field: getattr(report, field) for field in report.__struct_fields__}
    fields["columns"] = [_in_words_of_file(column) for column in report.columns]
    fields["relations"] = [_in_words_of_file(relation) for relation in report.relations]
    if Decision.DRIFTED in [*(segment.decision for segment in segments), *(group.decision for group in groups)]:
        fields["decision"] = Decision.DRIFTED
    fields["groups"] = groups
    return Comparison(
        **fields,
        data=name or _name_of(data),
        training_rows=known.rows,
        repeated=seen.look.repeated,
        anomalies=seen.anomalies if schema.row_model is not None else None,
        missing_columns=list(reader.missing),
        absent_outputs=list(reader.absent),
        extra_columns=list(reader.extra),
        broken_rows={kind: rows for (column, kind), rows in seen.violations.items() if column in (WHOLE, OTHER)},
        distributions=[_distribution(c, s) for c, s in zip(schema.columns, summaries, strict=True) if s is not None],
        segments=segments,
    )


def _lacking(schema: Schema, reader: RowReader) -> set[str]:
    """Give the columns of the profile that the data does not have, what is derived from one that it lacks included."""
    names = {*reader.missing, *reader.absent, *reader.absent_beside}
    return names | {column.name for column in schema.features + schema.outputs if column.source in names}


class _Seen:
    """The monitor's stages behind the decoder, and what they gathered."""

    def __init__(self, schema: Schema, settings: Settings, rows: int) -> None:
        self._checker = Checker(schema)
        self._watch = RowWatch(schema, settings)  # every row: a sample that thins out would see a sorted file awry
        self.rule = Rule.from_settings(settings)
        self.tolerated = Tolerated(self.rule, schema)
        self.look = Look(schema, Copies(schema.features + schema.outputs, rows), settings.min_rows)
        self.cuts = Cuts(schema, settings, self.tolerated, self.look)
        self._expected = rows
        self._rows = 0
        self._times_ns: tuple[int, ...] = ()
        self.violations: Violations = {}
        self.anomalies = 0

    def take_all(self, reader: RowReader, progress: Progress) -> None:
        progress("comparing", 0, self._expected)
        for rows in reader.read():
            checked = self._checker.check(rows.batch)
            for violation, count in (*rows.violations.items(), *checked.violations.items()):
                self.violations[violation] = self.violations.get(violation, 0) + count
            scored, anomalies = self._watch.take(rows.batch, checked, 0)
            self.anomalies += anomalies
            self.look.update(scored)
            self.cuts.take(rows.batch, checked)
            self._times_ns = _extremes(*self._times_ns, *rows.times_ns)
            self._rows += checked.rows
            progress("comparing", self._rows, self._expected)

    def window(self) -> Window:
        start_ns, end_ns = self._times_ns or (0, 0)
        return replace(self.look.window(), start_ns=start_ns, end_ns=end_ns, starts_ns=(start_ns,))


def _extremes(*times: int) -> tuple[int, ...]:
    return (min(times), max(times)) if times else ()


_Reported = TypeVar("_Reported", ColumnReport, RelationReport)


def _in_words_of_file(report: _Reported) -> _Reported:
    """Leave out what only has a meaning where time passes."""
    return msgspec.structs.replace(report, reason=in_words_of_file(report.reason))


def _distribution(column: ColumnSchema, current: Summary) -> Distribution:
    reference = column.reference
    if isinstance(current, NumericSummary) and isinstance(reference, NumericSummary):
        return Distribution(
            name=column.name,
            counts=current.bin_counts.tolist(),
            reference_counts=reference.bin_counts.tolist(),
            edges=current.edges.tolist(),
            missing=current.missing,
            reference_missing=reference.missing,
            bars=bars_of(current, reference, whole=column.type == "integer"),
        )
    if isinstance(current, CategorySummary) and isinstance(reference, CategorySummary):
        return Distribution(
            name=column.name,
            counts=current.counts.tolist(),
            reference_counts=reference.counts.tolist(),
            categories=list(current.categories),
            missing=current.missing,
            reference_missing=reference.missing,
            unseen=current.unseen,
            reference_unseen=reference.unseen,
        )
    raise TypeError(f"column {column.name!r} is a {type(current).__name__}, and was a {type(reference).__name__}")


def _name_of(data: object) -> str:
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    if isinstance(data, Sequence) and data:
        return f"{data[0]} and {len(data) - 1} more" if len(data) > 1 else f"{data[0]}"
    return "data"


def _is_spelled(data: object) -> bool:
    """Whether the data is CSV: then texts may be numbers."""
    paths = [data] if isinstance(data, (str, os.PathLike)) else data if isinstance(data, (list, tuple)) else []
    return bool(paths) and all(_is_csv(Path(path)) for path in paths)


def _is_csv(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return not file.read(len(_PARQUET)).startswith(_PARQUET)


def _silent(stage: str, done: int, rows: int) -> None:
    """Tell nobody."""
