"""A data set against a training profile: the monitor's stages over a file, and one decision about all of it.

``rows → check → score rows → sketch → evaluate``, block by block, in constant memory. All of the data is the window, and it is
one look: nothing is decided about its parts, whose order may mean anything, and nothing has to be seen twice. So
``OUTRIDER_ALPHA`` is the chance that any column of a data set from the training distribution is called drifted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from agent import clock
from agent.anomalies import RowWatch
from agent.compare.bars import bars_of
from agent.compare.comparison import Comparison, Distribution
from agent.compare.copies import Copies
from agent.compare.rows import Progress, RowReader, Violations
from agent.config import Settings, load
from agent.evaluate.decide import Streaks
from agent.evaluate.evaluate import evaluate
from agent.evaluate.reason import NOT_SEEN
from agent.evaluate.report import TRAINING, ColumnReport, RelationReport
from agent.evaluate.rule import Rule
from agent.profile.format import Profile
from agent.profile.read import read
from agent.profile.schema import ColumnSchema, Schema, schema_of
from agent.profile.sources import open_source
from agent.sketch.frame import stacked
from agent.sketch.summary import CategorySummary, NumericSummary, Summary
from agent.validate.schema import OTHER, WHOLE, Checker
from agent.window.layout import Layout
from agent.window.pane import Pane
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
        Tolerances; those of the environment if not given. `Settings.consecutive` and `Settings.against` have no meaning here.
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
    reader = RowReader(source, schema, times, spelled=_is_spelled(data))
    seen = _Seen(schema, settings, source.rows)
    seen.take_all(reader, progress or _silent)
    rule = replace(
        Rule.from_settings(settings), consecutive=1, looks=1.0, against=(TRAINING,), min_rows=min_rows or settings.min_rows
    )
    repeated = seen.repeated()
    most = max(1.0, source.rows / rule.min_rows)
    if seen.stuck(most):  # with fewer rows than that nothing would be decided, not even that all of them are the same
        repeated = min(repeated, most)
    window = seen.window(repeated)
    report, _ = evaluate(window, schema, rule, Streaks(), seen.violations, clock.wall_ns())
    summaries = [window.summary(place) for place in range(len(schema.columns))]
    fields = {field: getattr(report, field) for field in report.__struct_fields__}
    fields["columns"] = [_in_words_of_file(column) for column in report.columns]
    fields["relations"] = [_in_words_of_file(relation) for relation in report.relations]
    return Comparison(
        **fields,
        data=name or _name_of(data),
        training_rows=known.rows,
        repeated=repeated,
        anomalies=seen.anomalies if schema.row_model is not None else None,
        missing_columns=list(reader.missing),
        absent_outputs=list(reader.absent),
        extra_columns=list(reader.extra),
        broken_rows={kind: rows for (column, kind), rows in seen.violations.items() if column in (WHOLE, OTHER)},
        distributions=[_distribution(c, s) for c, s in zip(schema.columns, summaries, strict=True) if s is not None],
    )


class _Seen:
    """The monitor's stages behind the decoder, and what they gathered."""

    def __init__(self, schema: Schema, settings: Settings, rows: int) -> None:
        self._checker = Checker(schema)
        self._watch = RowWatch(schema, settings)  # every row: a sample that thins out would see a sorted file awry
        self._layout = Layout.of(schema)
        self._pane = Pane(schema)
        self._rows = rows
        self._copies = Copies(schema.features + schema.outputs, rows)
        self._times_ns: tuple[int, ...] = ()
        self.violations: Violations = {}
        self.anomalies = 0

    def take_all(self, reader: RowReader, progress: Progress) -> None:
        progress("comparing", 0, self._rows)
        for rows in reader.read():
            checked = self._checker.check(rows.batch)
            for violation, count in (*rows.violations.items(), *checked.violations.items()):
                self.violations[violation] = self.violations.get(violation, 0) + count
            self._copies.update(checked)
            scored, anomalies = self._watch.take(rows.batch, checked, 0)
            self.anomalies += anomalies
            self._pane.update(scored)
            self._times_ns = _extremes(*self._times_ns, *rows.times_ns)
            progress("comparing", self._pane.rows, self._rows)

    def window(self, repeated: float) -> Window:
        pane = self._pane
        start_ns, end_ns = self._times_ns or (0, 0)
        return Window(
            start_ns=start_ns,
            end_ns=end_ns,
            rows=pane.rows,
            layout=self._layout,
            starts_ns=(start_ns,),
            held=(1,),
            panes=stacked([self._layout.frames(pane.sketches, pane.outside)]),
            before=None,
            season=None,
            relations=lambda: [pane.relations],
            summary=self._summary,
            repeats=np.array([[pane.rows, round(pane.rows * repeated), max(2, round(pane.rows / repeated))]], dtype=np.int64),
        )

    def _summary(self, place: int) -> Summary | None:
        sketch = self._pane.sketches[place]
        return None if sketch is None else sketch.result()

    def repeated(self) -> float:
        return self._copies.result()

    def stuck(self, times: float) -> bool:
        return self._copies.stuck(times)


def _extremes(*times: int) -> tuple[int, ...]:
    return (min(times), max(times)) if times else ()


_Reported = TypeVar("_Reported", ColumnReport, RelationReport)


def _in_words_of_file(report: _Reported) -> _Reported:
    """Leave out what only has a meaning where time passes."""
    if report.reason == NOT_SEEN:
        return msgspec.structs.replace(report, reason="not in the data")
    reason = report.reason.replace(", one evaluation so far", "").replace("rows in the window", "rows")
    return msgspec.structs.replace(report, reason=re.sub(r"over the newest ([\d,]+ rows) \([^)]*\)", r"over \1", reason))


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
