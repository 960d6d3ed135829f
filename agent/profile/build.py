"""Building a training profile from data, in constant memory.

The data is read twice. The first reading finds types, moments, quantiles and categories; the second counts exactly what
falls into the bins and categories so found, and how columns go together. One reading would have to count from the
quantile sketch: the mass of a bin of a KLL sketch with k = 1024 is off by up to 0.35 %, a fifth of a bin that holds a
sixtieth of the rows, and every drift score would carry that error for good. So a source that can be read only once is
refused. Vectors are read a third time, before: their cosines need the centroid.

What either reading gathers can be merged with what another one gathered elsewhere (`agent.profile.census`,
`agent.profile.tally`, `agent.profile.joint`). The same data gives the same bytes, whichever kind of source it comes from:
rows are cut into blocks alike, and nothing is left to chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.errors import ProfileError
from agent.profile import balance
from agent.profile.blocks import Block, Source, Values, block_rows
from agent.profile.chunking import Chunking, ChunkTally, cut_of
from agent.profile.chunks import doubt
from agent.profile.column import Column, Tallied
from agent.profile.doubts import Doubts
from agent.profile.feeds import Feed, TableFeed, feed_of
from agent.profile.format import CATEGORY_TYPES, FORMAT, NUMERIC_TYPES, Model, Profile
from agent.profile.relations import Relations
from agent.profile.roles import Names, choose
from agent.profile.sample import RowSample
from agent.profile.segmenting import SegmentTally, favourable_of, groupings_of
from agent.profile.sources import open_source

TASKS = ("", "regression", "classification")

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done, and how many there are."""

Warn = Callable[[str], None]
"""Called with a sentence."""


def build(  # noqa: PLR0913 - each argument is an option of the command line
    data: object,
    *,
    label: str | None = None,
    prediction: Names | None = None,
    probability: Names = (),
    id: Names = (),
    time: Names = (),
    segment: Names = (),
    by: Names = (),
    favourable: str = "",
    chunk: str = "",
    exclude: Names = (),
    categorical: Names = (),
    numeric: Names = (),
    text: Names = (),
    model_name: str = "",
    model_version: str = "",
    task: str = "",
    trained_at: str = "",
    progress: Progress | None = None,
    warn: Warn | None = None,
) -> Profile:
    """Learn what a model was trained on.

    Parameters
    ----------
    data
        A path of a CSV or Parquet file, a folder or a list of such, a pandas or polars DataFrame, a pyarrow Table or any
        object of the Arrow C data interface that can be read twice; or a dict from names to numpy arrays or lists, the
        only one that works without pyarrow.
    label, prediction, probability, id, time, segment
        The columns with these roles. All others are features. Columns of ids and times are not looked at, but for the first one
        of times, which tells the chunks apart.
    by
        What training is cut by, so that traffic can be compared segment by segment: columns, or comparisons such as
        ``age<25`` (`agent.group_language`), at most 20 values each. Columns with the role of segments are taken in any case.
    favourable
        Which prediction is favourable, such as ``approved`` or ``>=0.5``; ``true`` or 1 of booleans, zeros and ones if empty.
    chunk
        How the data is cut to learn what is normal for a stretch of it (`agent.profile.chunks`): a number of rows such as
        ``5000``, or, given a column of times, a length such as ``1h``. Left out, hours are tried where there are times.
    exclude
        Columns to leave out.
    categorical, numeric, text
        Columns whose type is not to be inferred (`agent.profile.infer` and `agent.profile.feeds` have the rules).
    model_name, model_version, trained_at
        Copied into the profile.
    task
        ``regression`` or ``classification``; inferred from the prediction or the label if empty.
    progress
        Told how far it is, after every block.
    warn
        Told what the user may have overlooked (`agent.profile.doubts`, `agent.profile.balance`); the profile is the same.

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
    choices = choose(source, roles, exclude, {"category": categorical, "numeric": numeric, "text": text})
    feeds = [feed_of(choice, source.kinds[choice.place], source.shapes[choice.place]) for choice in choices]
    _check_names(feeds)
    chunking = _chunking(chunk, feeds)
    groupings, lucky = groupings_of(by, segment, source.names), favourable_of(favourable)
    reading = _Reading(source, progress or _silent)
    _find_centroids(feeds, reading)
    doubts = Doubts(feeds if warn is not None else ())
    for block in reading.blocks("finding types and bins", feeds):
        for feed, values in zip(feeds, block.columns, strict=True):
            doubts.update(feed, values)
            for column, part in zip(feed.columns, feed.split(values), strict=True):
                column.count(part, block.rows)
        if chunking is not None:
            chunking.update(block.rows, _times(feeds, block))
    _choose_types([column for feed in feeds for column in feed.columns], task)
    for feed in feeds:
        feed.settle()
    if warn is not None:
        for sentence in doubts.sentences():
            warn(sentence)
    columns = [column for feed in feeds for column in feed.columns]
    tally = None if chunking is None else chunking.chosen([column for column in columns if column.is_counted])
    sizes = None if tally is None else tally.sizes
    sample = RowSample([column for column in columns if column.is_counted], source.rows, sizes)
    cuts = SegmentTally(groupings, [column for column in columns if column.is_counted], lucky)
    relations = _count(feeds, reading, sample, tally, cuts)
    profiles = [column.result() for column in columns]
    structure, scored = sample.learn(profiles)
    chunks = None if tally is None else tally.result(profiles, scored)
    if warn is not None and (few := doubt(chunks)):
        warn(few)
    profile = Profile(
        format=FORMAT,
        model=Model(name=model_name, version=model_version, task=task or _task_of(columns), trained_at=trained_at),
        rows=source.rows,
        columns=profiles,
        joint=relations.joint(),
        association=relations.association(),
        performance=relations.performance(),
        summaries=[summarised for summarised in (feed.summarised() for feed in feeds) if summarised is not None],
        structure=structure,
        chunks=chunks,
    )
    return _balanced(_with_segments(profile, cuts, warn) if groupings else profile, warn)


def _balanced(profile: Profile, warn: Warn | None) -> Profile:
    if warn is not None:
        for sentence in balance.warnings(profile):
            warn(sentence)
    return profile


def _with_segments(profile: Profile, cuts: SegmentTally, warn: Warn | None) -> Profile:
    profile, left_out = cuts.result(profile)
    if warn is not None and left_out:
        warn(left_out)
    return profile


def _check_names(feeds: Sequence[Feed]) -> None:
    own = {column.name for feed in feeds for column in feed.columns if not column.source}
    clashes = [column for feed in feeds for column in feed.columns if column.source and column.name in own]
    if clashes:
        texts = [f"column {c.name!r} has the name of a summary of {c.source!r}: exclude or rename one of them" for c in clashes]
        raise ProfileError("\n".join(texts))


def _find_centroids(feeds: Sequence[Feed], reading: _Reading) -> None:
    vectors = [feed for feed in feeds if isinstance(feed, TableFeed) and feed.centroid is not None]
    for block in reading.blocks("finding centroids", vectors) if vectors else ():
        for feed, values in zip(vectors, block.columns, strict=True):
            feed.learn(values)
    for feed in vectors:
        feed.close()


def _chunking(chunk: str, feeds: Sequence[Feed]) -> Chunking | None:
    times = [feed.columns[0].name for feed in feeds if _is_time(feed)]
    cut = cut_of(chunk, timed=bool(times))
    return None if cut is None else Chunking(cut, *times[:1])


def _is_time(feed: Feed) -> bool:
    return feed.columns[0].role == "time"


def _times(feeds: Sequence[Feed], block: Block) -> Values | None:
    return next((values for feed, values in zip(feeds, block.columns, strict=True) if _is_time(feed)), None)


def _count(
    feeds: Sequence[Feed], reading: _Reading, sample: RowSample, chunks: ChunkTally | None, cuts: SegmentTally
) -> Relations:
    used = [feed for feed in feeds if any(column.is_counted for column in feed.columns) or (chunks and _is_time(feed))]
    relations = Relations([column for feed in used for column in feed.columns if column.is_counted])
    for block in reading.blocks("counting", used) if used else ():
        tallied: list[Tallied] = []
        raw: list[Values] = []
        for feed, values in zip(used, block.columns, strict=True):
            for column, part in zip(feed.columns, feed.split(values), strict=True):
                if column.is_counted:
                    tallied.append(column.tally(part))
                    raw.append(part)
        relations.update(tallied, raw)
        slots = None if chunks is None else chunks.update(block.rows, _times(used, block), tallied)
        sample.update(tallied, raw, block.rows, slots)
        cuts.update(tallied)
    return relations


def _choose_types(columns: Sequence[Column], task: str) -> None:
    for column in columns:
        column.infer(task)
    answers = [column for column in columns if column.role in ("label", "prediction") and not column.source]
    # A model can't predict three classes as numbers and be labelled with categories: they have one type.
    if any(column.type in CATEGORY_TYPES for column in answers):
        for column in answers:
            if column.can_be_classes():
                column.type = "category"
    for column in columns:
        column.prepare()


def _task_of(columns: Sequence[Column]) -> str:
    types = {column.type for column in columns if column.role in ("label", "prediction") and not column.source}
    if types & set(CATEGORY_TYPES):
        return "classification"
    return "regression" if types & set(NUMERIC_TYPES) else ""


class _Reading:
    """The same blocks again and again, with word of how far it is."""

    def __init__(self, source: Source, progress: Progress) -> None:
        self._source = source
        self._progress = progress

    def blocks(self, stage: str, feeds: Sequence[Feed]) -> Iterator[Block]:
        rows = block_rows(self._source.shapes)
        done = 0
        self._progress(stage, done, self._source.rows)
        for block in self._source.blocks([feed.place for feed in feeds], rows):
            yield block
            done += block.rows
            self._progress(stage, done, self._source.rows)


def _silent(stage: str, done: int, rows: int) -> None:
    """Tell nobody."""
