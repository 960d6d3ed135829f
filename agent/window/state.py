"""The window on disk, so that a restarted pod goes on where it stopped.

One file, `FILE`: a line with the layout's version, the SHA-256 of all that follows, then MessagePack: the schema's fingerprint,
the ring, and what the evaluation wants to remember. It is written to a file beside it, flushed to the disk and renamed, so there
is always a whole one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.window.ring import Ring

FILE = "window.state"

_MAGIC = b"outrider-state/2\n"
_DIGEST_BYTES = 32


class _Content(msgspec.Struct, array_like=True, frozen=True, gc=False):
    fingerprint: bytes
    ring: bytes
    notes: bytes


_DECODER = msgspec.msgpack.Decoder(_Content)


def fingerprint(schema: Schema) -> bytes:
    """Give 32 bytes that differ between schemas whose panes don't fit each other, or that are of another model."""
    parts = [
        (
            column.name,
            column.role,
            column.type,
            None if column.edges is None else column.edges.tolist(),
            None if column.coarse is None else column.coarse.tolist(),
            column.categories,
        )
        for column in schema.columns
    ]
    return sha256(msgspec.msgpack.encode([schema.model, schema.version, parts])).digest()


def save(ring: Ring, directory: str | Path, notes: bytes = b"") -> None:
    """Write a ring to a directory, which is made if it is not there.

    Parameters
    ----------
    ring
        The panes.
    directory
        Where to.
    notes
        Anything that goes with them; `load` gives it back.

    Raises
    ------
    OutriderError
        If the disk does not take it; the last state is then still there.
    """
    content = msgspec.msgpack.encode(_Content(fingerprint(ring.schema), ring.to_bytes(), notes))
    path = Path(directory) / FILE
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_through(fresh, _MAGIC + sha256(content).digest() + content)
        fresh.replace(path)
        _flush_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise OutriderError(f"{path}: can't be written: {error.strerror or error}") from error


def load(ring: Ring, directory: str | Path) -> bytes | None:
    """Take up a saved state in a ring that has taken no rows yet.

    Returns
    -------
    bytes or None
        The notes; ``None`` if there is no state.

    Raises
    ------
    OutriderError
        If there is a state that can't be used: not readable, damaged, of another version of Outrider, of another profile, or
        with panes of another length. The ring is then as it was.
    """
    path = Path(directory) / FILE
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutriderError(f"{path}: can't be read: {error.strerror or error}") from error
    try:
        content = _content_of(data, ring.schema)
        ring.restore(content.ring)
    except OutriderError as error:
        raise OutriderError(f"{path}: {error}") from error
    return content.notes


def _content_of(data: bytes, schema: Schema) -> _Content:
    if not data.startswith(_MAGIC):
        raise OutriderError("is not a state of this version of Outrider")
    start = len(_MAGIC) + _DIGEST_BYTES
    content = data[start:]
    if sha256(content).digest() != data[len(_MAGIC) : start]:
        raise OutriderError(f"is damaged: the checksum does not fit its {len(data)} bytes")
    try:
        state = _DECODER.decode(content)
    except msgspec.DecodeError as error:
        raise OutriderError(f"is not a state: {error}") from error
    if state.fingerprint != fingerprint(schema):
        raise OutriderError("belongs to another profile")
    return state


def _write_through(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
