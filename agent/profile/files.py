"""CSV and Parquet files as blocks, read in batches: never a whole file in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from agent.errors import ProfileError
from agent.profile.arrow import ArrowSource, depth_of, kinds_of
from agent.profile.blocks import NUMBER_KINDS, Source

CSV_BLOCK_BYTES = 4 << 20
"""How much of a CSV file is parsed at once; a row can't be longer."""

PARQUET_BATCH_ROWS = 16_384
"""How many rows of a Parquet file are decoded at once."""

PARQUET_BATCH_BYTES = 32 << 20
"""Fewer rows, where they are as large as those of vectors and images."""

_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}

# What a column becomes where a later row does not fit the type of the first rows. A column that starts with nothing but
# missing values tries all of them.
_WIDER = {
    "null": pa.int64(), "int64": pa.float64(), "double": pa.bool_(), "bool": pa.timestamp("ns"),
    "date32[day]": pa.timestamp("ns"), "timestamp[s]": pa.timestamp("ns"),
}  # fmt: skip


class DataFile(Protocol):
    """One file: its columns, its length, its batches."""

    path: Path
    schema: pa.Schema
    rows: int

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read the named columns from the first row on."""


def open_files(paths: Sequence[Path]) -> Source:
    """Open files of one table; a folder stands for the Parquet files in it, sorted by name.

    Raises
    ------
    ProfileError
        If one is missing, empty, malformed, or has other columns than the first; with the file, and for CSV the row.
    """
    files = [open_file(path) for given in paths for path in _files_of(given)]
    schema = _common_schema(files)

    def batches(wanted: Sequence[int]) -> Iterable[pa.RecordBatch]:
        part = pa.schema([schema.field(i) for i in wanted])
        for file in files:
            for batch in file.batches(part.names):
                yield batch if len(files) == 1 or batch.schema == part else _cast(batch, part)

    return ArrowSource(schema, sum(file.rows for file in files), batches)


def open_file(path: Path) -> DataFile:
    """Open one file, told by its first bytes: Parquet, or else CSV."""
    try:
        with path.open("rb") as file:
            magic = file.read(6)
    except OSError as error:
        raise ProfileError(f"{path}: can't be read: {error.strerror}") from error
    if magic == b"ARROW1":
        raise ProfileError(f"{path}: is an Arrow IPC file; write it as Parquet, or pass pyarrow.feather.read_table(...)")
    return ParquetFile(path) if magic.startswith(b"PAR1") or path.suffix in (".parquet", ".pq") else CsvFile(path)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for pattern in ("*.parquet", "*.pq") for file in path.rglob(pattern))
    if not found:
        raise ProfileError(f"{path}: there is no .parquet file in this folder")
    return found


def _common_schema(files: Sequence[DataFile]) -> pa.Schema:
    first = files[0]
    fields = list(first.schema)
    for file in files[1:]:
        if file.schema.names != first.schema.names:
            odd = sorted(set(file.schema.names) ^ set(first.schema.names)) or ["their order"]
            raise ProfileError(f"{file.path}: has other columns than {first.path}: {', '.join(odd)}")
        kinds = zip(kinds_of(pa.schema(fields)), kinds_of(file.schema), strict=True)
        for i, (mine, other) in enumerate(kinds):
            if fields[i].type == file.schema.field(i).type or other == "null":
                continue
            if mine == "null":
                fields[i] = file.schema.field(i)
            elif mine in NUMBER_KINDS and other in NUMBER_KINDS:
                fields[i] = pa.field(fields[i].name, pa.float64())
            elif mine == other == "tensor" and depth_of(fields[i].type) == depth_of(file.schema.field(i).type):
                fields[i] = pa.field(fields[i].name, _lists_of_doubles(depth_of(fields[i].type)))
            elif mine == other != "tensor":
                fields[i] = pa.field(fields[i].name, pa.large_string())
            else:
                message = f"column {fields[i].name!r} is {file.schema.field(i).type} here and {fields[i].type} in {first.path}"
                raise ProfileError(f"{file.path}: {message}")
    return pa.schema(fields)


def _lists_of_doubles(depth: int) -> pa.DataType:
    doubles = pa.float64()
    for _ in range(depth):
        doubles = pa.list_(doubles)
    return doubles


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)], schema=schema)


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: {str(error).splitlines()[0]}") from error


class ParquetFile:
    """A Parquet file, decoded some thousand rows at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _faults_of(path), pq.ParquetFile(path) as file:
            self.schema: pa.Schema = file.schema_arrow
            self.rows: int = file.metadata.num_rows

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `DataFile.batches`."""
        with _faults_of(self.path), pq.ParquetFile(self.path) as file:
            # One row group after the other: asked for all, Arrow keeps what it has decoded.
            for group in range(file.num_row_groups):
                rows = _batch_rows(file.metadata.row_group(group), names)
                for batch in file.iter_batches(rows, row_groups=[group], columns=list(names)):
                    yield batch.select(list(names))


def _batch_rows(group: pq.RowGroupMetaData, names: Sequence[str]) -> int:
    chunks = (group.column(i) for i in range(group.num_columns))
    # The parts of a list column are named `name.list.element`.
    size: int = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.partition(".list.")[0] in names)
    rows: int = PARQUET_BATCH_BYTES * group.num_rows // max(1, size)
    return max(1, min(PARQUET_BATCH_ROWS, rows))


class CsvFile:
    """A CSV file with a header line; the types are those that every row fits.

    Opening reads it once: Arrow guesses types from the first rows only, so where a later one does not fit, the column is
    widened (whole numbers, numbers, booleans, times, text) and the reading starts again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._types: dict[str, pa.DataType] = {}
        self._names: list[str] = []
        self._delimiter = _delimiter(path)
        while True:
            try:
                self.rows, self.schema = self._measure(threads=True)
                break
            except pa.ArrowInvalid as error:
                if not self._widen(str(error)):
                    self._explain(error)
            except OSError as error:
                raise ProfileError(f"{path}: {error}") from error

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `DataFile.batches`."""
        with _faults_of(self.path), self._open(threads=True, names=names) as reader:
            yield from reader

    def _measure(self, *, threads: bool) -> tuple[int, pa.Schema]:
        with self._open(threads=threads) as reader:
            schema = reader.schema
            return sum(batch.num_rows for batch in reader), schema

    def _open(self, *, threads: bool, names: Sequence[str] | None = None) -> pa.csv.CSVStreamingReader:
        compression = _COMPRESSIONS.get(self.path.suffix)
        return pa.csv.open_csv(
            pa.input_stream(str(self.path), compression=compression),
            read_options=pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES, use_threads=threads),
            parse_options=pa.csv.ParseOptions(delimiter=self._delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                strings_can_be_null=True, column_types=self._types, include_columns=list(names or ())
            ),
        )

    def _widen(self, message: str) -> bool:
        match = re.search(r"In CSV column #(\d+): .*conversion error to ([\w\[\]]+)", message)
        if match is None:
            return False
        if not self._names:  # the first rows fit the types that were guessed from them
            with self._open(threads=False) as reader:
                self._names = reader.schema.names
        name = self._names[int(match[1])]
        before = self._types.get(name)
        self._types[name] = _WIDER.get(match[2], pa.string())
        return bool(before != self._types[name])

    def _explain(self, error: pa.ArrowInvalid) -> None:
        """Read again on one thread, which makes Arrow name the row."""
        try:
            self._measure(threads=False)
        except pa.ArrowInvalid as slow:
            error = slow
        reason = str(error).splitlines()[0]
        hint = ": it needs a header line and rows" if "Empty CSV" in reason else ""
        raise ProfileError(f"{self.path}: {reason}{hint}") from error


def _delimiter(path: Path) -> str:
    """Take the tab or the semicolon where the header line has no comma."""
    compression = _COMPRESSIONS.get(path.suffix)
    with _faults_of(path), pa.input_stream(str(path), compression=compression) as stream:
        header = bytes(stream.read(65_536)).partition(b"\n")[0]
    return "," if b"," in header else next((c for c in "\t;" if c.encode() in header), ",")
