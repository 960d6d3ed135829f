"""Building a training profile from data, in constant memory.

The data is read twice. The first reading finds types, moments, quantiles and categories; the second counts exactly what
falls into the bins and categories so found, and how columns go together. One reading would have to count from the
quantile sketch: the mass of a bin of a KLL sketch with k = 1024 is off by up to 0.35 %, a fifth of a bin that holds a
sixtieth of the rows, and every drift score would carry that error for good. So a source that can be read only once is
refused.

What either reading gathers can be merged with what another one gathered elsewhere (`agent.profile.census`,
`agent.profile.tally`, `agent.profile.joint`). The same data gives the same bytes, whichever kind of source it comes from:
rows are cut into blocks alike, and nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.errors import ProfileError
from agent.profile.blocks import Block, Source, block_rows
from agent.profile.column import Column
from agent.profile.format import CATEGORY_TYPES, FORMAT, NUMERIC_TYPES, Model, Profile
from agent.profile.relations import Relations
from agent.profile.roles import Names, choose
from agent.profile.sources import open_source

TASKS = ("", "regression", "classification")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done, and how many there are."""


def build(  # noqa: PLR0913 - each argument is an option of the command line
    data: object,
    *,
    label: str | None = None,
    prediction: Names | None = None,
    probability: Names = (),
    id: Names = (),
    time: Names = (),
    segment: Names = (),
    exclude: Names = (),
    categorical: Names = (),
    numeric: Names = (),
    model_name: str = "",
    model_version: str = "",
    task: str = "",
    trained_at: str = "",
    progress: Progress | None = None,
) -> Profile:
    """Learn what a model was trained on.

    Parameters
    ----------
    data
        A path of a CSV or Parquet file, a folder or a list of such, a pandas or polars DataFrame, a pyarrow Table or any
        object of the Arrow C data interface that can be read twice; or a dict from names to numpy arrays or lists, the
        only one that works without pyarrow.
    label, prediction, probability, id, time, segment
        The columns with these roles. All others are features. Columns of ids and times are not looked at.
    exclude
        Columns to leave out.
    categorical, numeric
        Columns whose type is not to be inferred (`agent.profile.infer` has the rules).
    model_name, model_version, trained_at
        Copied into the profile.
    task
        ``regression`` or ``classification``; inferred from the prediction or the label if empty.
    progress
        Told how far it is, after every block.

    Returns
    -------
    Profile
        Columns in the order of the data.

    Raises
    ------
    ProfileError
        If the data can't be read, is empty, or is not what the other arguments say; all faults of the arguments at once.
    """
    if task not in TASKS:
        raise ProfileError(f"task: {task!r} is neither regression nor classification")
    roles: dict[str, Names] = {
        "label": label or (), "prediction": prediction or (), "probability": probability, "id": id, "time": time,
        "segment": segment,
    }  # fmt: skip
    source = open_source(data)
    columns = [Column(choice, source.kinds[choice.place]) for choice in choose(source, roles, exclude, categorical, numeric)]
    reading = _Reading(source, progress or _silent)
    for block in reading.blocks("finding types and bins", columns):
        for column, values in zip(columns, block.columns, strict=True):
            column.count(values, block.rows)
    _choose_types(columns, task)
    counted = [column for column in columns if column.is_counted]
    relations = Relations(counted)
    for block in reading.blocks("counting", counted) if counted else ():
        prepared = [column.tally(values) for column, values in zip(counted, block.columns, strict=True)]
        relations.update(prepared, block.columns)
    return Profile(
        format=FORMAT,
        model=Model(name=model_name, version=model_version, task=task or _task_of(columns), trained_at=trained_at),
        rows=source.rows,
        columns=[column.result() for column in columns],
        joint=relations.joint(),
        association=relations.association(),
        performance=relations.performance(),
    )


def _choose_types(columns: Sequence[Column], task: str) -> None:
    for column in columns:
        column.infer(task)
    answers = [column for column in columns if column.role in ("label", "prediction")]
    # A model can't predict three classes as numbers and be labelled with categories: they have one type.
    if any(column.type in CATEGORY_TYPES for column in answers):
        for column in answers:
            if column.can_be_classes():
                column.type = "category"
    for column in columns:
        column.prepare()


def _task_of(columns: Sequence[Column]) -> str:
    types = {column.type for column in columns if column.role in ("label", "prediction")}
    if types & set(CATEGORY_TYPES):
        return "classification"
    return "regression" if types & set(NUMERIC_TYPES) else ""


class _Reading:
    """The same blocks again and again, with word of how far it is."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self._source = source
        self._progress = progress

    def blocks(self, stage: str, columns: Sequence[Column]) -> Iterator[Block]:
        rows = block_rows(len(self._source.names))
        done = 0
        self._progress(stage, done, self._source.rows)
        for block in self._source.blocks([column.place for column in columns], rows):
            yield block
            done += block.rows
            self._progress(stage, done, self._source.rows)


def _silent(stage: str, done: int, rows: int) -> None:
    """Tell nobody."""
