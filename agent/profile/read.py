"""Reading a training profile, and refusing one that does not hold together.

Whatever is wrong is said at once by a `ProfileError` with the file, the place in it as a JSON path, and what to do, so
that nothing further down has to doubt the numbers.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import math
import os
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from agent.errors import OutriderError, ProfileError
from agent.profile.chunks import faults as chunk_faults
from agent.profile.format import (
    CATEGORY_TYPES,
    FORMAT,
    NUMERIC_TYPES,
    ROLES,
    Categories,
    ColumnProfile,
    Joint,
    Numeric,
    Profile,
    Summarised,
)
from agent.profile.kll import check_kll
from agent.profile.segments import faults as segment_faults
from agent.profile.structure import structure_faults
from agent.sketch.wire import unpack_sums
from agent.summarise.embedding import unpack
from agent.summarise.source import EMBEDDING, MEASURES

MAX_BYTES = 64 << 20
"""A profile of this size, unpacked, is no profile: a gzip bomb must not take the sidecar's memory."""

TYPES = (*NUMERIC_TYPES, *CATEGORY_TYPES, "text", "datetime")

_REBUILD = "build it again with `outrider profile build`"


def read(path: str | os.PathLike[str]) -> Profile:
    """Read a profile file, plain or gzipped.

    Raises
    ------
    ProfileError
        If it can't be read or is no valid profile.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ProfileError(f"{path}: can't be read: {error.strerror}") from error
    return read_bytes(data, name=str(path))


def read_bytes(data: bytes, *, name: str = "profile") -> Profile:
    """Read a profile from bytes, plain or gzipped.

    Parameters
    ----------
    data
        The whole file.
    name
        What to call it in errors.

    Raises
    ------
    ProfileError
        If it is no valid profile.
    """
    plain = _unpacked(data, name)
    try:
        head = msgspec.json.decode(plain, type=_Head)
        if head.format != FORMAT:
            raise ProfileError(f"{name}: $.format is {head.format!r}, and this version reads {FORMAT!r}: {_REBUILD}")
        profile = msgspec.json.decode(plain, type=Profile)
    except msgspec.ValidationError as error:
        raise ProfileError(f"{name}: {error}: {_REBUILD}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError(f"{name}: is not JSON ({error}): {_REBUILD}") from error
    fault = next(_faults(profile), None)
    if fault is not None:
        raise ProfileError(f"{name}: {fault}: {_REBUILD}")
    return profile


class _Head(msgspec.Struct):
    format: str


def _unpacked(data: bytes, name: str) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        plain = unpacker.decompress(data, MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise ProfileError(f"{name}: is larger than {MAX_BYTES >> 20} MiB unpacked: {_REBUILD}")
        if not unpacker.eof:
            raise ProfileError(f"{name}: the gzip data is cut off: copy it again")
    except (zlib.error, gzip.BadGzipFile) as error:
        raise ProfileError(f"{name}: is not valid gzip ({error}): copy it again") from error
    return plain


def _faults(profile: Profile) -> Iterator[str]:
    """Say what does not hold together, one sentence each with its JSON path."""
    if profile.rows < 0:
        yield "$.rows is negative"
    if not profile.columns:
        yield "$.columns is empty"
    seen: dict[str, int] = {}
    for i, column in enumerate(profile.columns):
        at = f"$.columns[{i}]"
        if column.name in seen:
            yield f"{at}.name repeats {column.name!r} of $.columns[{seen[column.name]}]"
        seen[column.name] = i
        yield from _column_faults(column, profile.rows, at)
    if profile.joint is not None:
        yield from _joint_faults(profile.joint, seen)
    for i, association in enumerate(profile.association):
        if association.feature not in seen:
            yield f"$.association[{i}].feature names {association.feature!r}, which is no column"
    yield from _summaries_faults(profile)
    if profile.structure is not None:
        yield from structure_faults(profile.structure, profile.columns, _values_faults)
    yield from chunk_faults(profile)
    yield from segment_faults(profile)
    if profile.model.task not in ("", "regression", "classification"):
        yield f"$.model.task is {profile.model.task!r}, neither regression nor classification"


def _column_faults(column: ColumnProfile, rows: int, at: str) -> Iterator[str]:
    if column.role not in ROLES:
        yield f"{at}.role is {column.role!r}, none of {', '.join(ROLES)}"
    yield from _values_faults(column, rows, at)


def _values_faults(column: ColumnProfile, rows: int, at: str) -> Iterator[str]:
    if column.type not in TYPES:
        yield f"{at}.type is {column.type!r}, none of {', '.join(TYPES)}"
    if column.rows != rows:
        yield f"{at}.rows is {column.rows}, but $.rows is {rows}"
    if not 0 <= column.missing <= column.rows:
        yield f"{at}.missing is {column.missing}, of {column.rows} rows"
    if (column.numeric is not None) != (column.type in NUMERIC_TYPES):
        yield f"{at}.numeric does not go with the type {column.type!r}"
    if (column.categories is not None) != (column.type in CATEGORY_TYPES):
        yield f"{at}.categories does not go with the type {column.type!r}"
    if column.numeric is not None:
        yield from _numeric_faults(column.numeric, column.rows - column.missing, f"{at}.numeric")
    if column.categories is not None:
        yield from _category_faults(column.categories, column.rows - column.missing, f"{at}.categories")


def _numeric_faults(numeric: Numeric, present: int, at: str) -> Iterator[str]:
    bins = len(numeric.bin_counts)
    if numeric.count < 0 or numeric.infinite < 0 or numeric.count + numeric.infinite != present:
        yield f"{at}.count and infinite make {numeric.count + numeric.infinite}, but {present} rows have a value"
    if bins != len(numeric.edges) + 1:
        yield f"{at}.bin_counts has {bins} entries for {len(numeric.edges)} edges: there must be one more"
    if not all(map(math.isfinite, numeric.edges)) or any(low >= high for low, high in pairwise(numeric.edges)):
        yield f"{at}.edges is not ascending"
    if min(numeric.bin_counts, default=0) < 0 or sum(numeric.bin_counts) != present:
        yield f"{at}.bin_counts sums to {sum(numeric.bin_counts)}, but {present} rows have a value"
    coarse = numeric.coarse
    if coarse[:1] != [0] or coarse[-1] >= bins or any(low >= high for low, high in pairwise(coarse)):
        yield f"{at}.coarse is not ascending from 0 within {bins} bins"
    if (numeric.count > 0) != (numeric.minimum is not None and numeric.maximum is not None):
        yield f"{at}.minimum and maximum do not go with {numeric.count} values"
    if numeric.minimum is not None and numeric.maximum is not None and numeric.minimum > numeric.maximum:
        yield f"{at}.minimum is above maximum"
    if numeric.variance is not None and numeric.variance < 0:
        yield f"{at}.variance is negative"
    yield from _kll_faults(numeric, at)
    yield from _sums_faults(numeric, at)


def _kll_faults(numeric: Numeric, at: str) -> Iterator[str]:
    try:
        held = check_kll(base64.b64decode(numeric.kll, validate=True))
    except (binascii.Error, ValueError) as error:
        yield f"{at}.kll is no quantile sketch ({error})"
        return
    if held != numeric.count:
        yield f"{at}.kll holds {held} values, but count is {numeric.count}"


def _sums_faults(numeric: Numeric, at: str) -> Iterator[str]:
    if not numeric.bin_sums:
        return
    try:
        sums = unpack_sums(base64.b64decode(numeric.bin_sums, validate=True), len(numeric.bin_counts), "profile")
    except (binascii.Error, OutriderError) as error:
        yield f"{at}.bin_sums are no sums of {len(numeric.bin_counts)} bins ({error})"
        return
    if not np.isfinite(sums).all():
        yield f"{at}.bin_sums has one that is not finite"


def _category_faults(categories: Categories, present: int, at: str) -> Iterator[str]:
    if len(categories.values) != len(categories.counts):
        yield f"{at}.counts has {len(categories.counts)} entries for {len(categories.values)} values"
    if len(set(categories.values)) != len(categories.values):
        yield f"{at}.values repeats a category"
    if min(categories.counts, default=0) < 0 or categories.other < 0:
        yield f"{at}.counts or other is negative"
    if sum(categories.counts) + categories.other != present:
        yield f"{at}.counts and other sum to {sum(categories.counts) + categories.other}, but {present} rows have a value"
    if categories.distinct < len(categories.values):
        yield f"{at}.distinct is {categories.distinct}, but {len(categories.values)} are listed"


def _summaries_faults(profile: Profile) -> Iterator[str]:
    columns = {column.name: column for column in profile.columns}
    seen: set[str] = set()
    for i, summarised in enumerate(profile.summaries):
        at = f"$.summaries[{i}]"
        if summarised.column in seen:
            yield f"{at}.column repeats {summarised.column!r}"
        seen.add(summarised.column)
        known = MEASURES.get(summarised.kind)
        if known is None:
            yield f"{at}.kind is {summarised.kind!r}, none of {', '.join(MEASURES)}"
            continue
        if not summarised.measures or len(set(summarised.measures)) != len(summarised.measures):
            yield f"{at}.measures is empty or repeats one"
        names = {measure: f"{summarised.column}.{measure}" for measure in summarised.measures}
        for measure, name in names.items():
            types = CATEGORY_TYPES if measure == "script" else NUMERIC_TYPES
            if measure not in known:
                yield f"{at}.measures has {measure!r}, none of {', '.join(known)}"
            elif name not in columns or columns[name].type not in types:
                yield f"{at}.measures has {measure!r}, but no column {name!r} is {' or '.join(types)}"
        roles = {columns[name].role for name in names.values() if name in columns}
        if len(roles) > 1:
            yield f"{at}.measures has columns of different roles: {', '.join(sorted(roles))}"
        yield from _shape_faults(summarised, at)


def _shape_faults(summarised: Summarised, at: str) -> Iterator[str]:
    if min(summarised.shape, default=1) < 1 or (summarised.kind == EMBEDDING and not summarised.shape):
        yield f"{at}.shape is {summarised.shape}"
    if ("cosine" in summarised.measures) != bool(summarised.centroid):
        yield f"{at}.centroid does not go with the measures"
    if not summarised.centroid:
        return
    try:
        width = len(unpack(summarised.centroid))
    except ValueError as error:
        yield f"{at}.centroid is no list of numbers ({error})"
        return
    if width != math.prod(summarised.shape):
        yield f"{at}.centroid has {width} values, but the shape {summarised.shape} has {math.prod(summarised.shape)}"


def _joint_faults(joint: Joint, columns: dict[str, int]) -> Iterator[str]:
    for i, name in enumerate(joint.columns):
        if name not in columns:
            yield f"$.joint.columns[{i}] names {name!r}, which is no column"
    try:
        size = len(base64.b64decode(joint.correlation, validate=True))
    except (binascii.Error, ValueError) as error:
        yield f"$.joint.correlation is not base64 ({error})"
        return
    pairs = len(joint.columns) * (len(joint.columns) - 1) // 2
    if size != 4 * pairs:
        yield f"$.joint.correlation has {size} bytes, but {len(joint.columns)} columns have {pairs} pairs of 4 bytes"
