"""The window on disk, so that a restarted pod goes on where it stopped.

One file, `FILE`, sealed (`agent.window.sealed`), so there is always a whole one. It is MessagePack: the schema's fingerprint, the
ring, and what the evaluation wants to remember.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from agent.errors import OutriderError
from agent.profile.schema import Schema
from agent.window.ring import Ring
from agent.window.sealed import seal, unseal

FILE = "window.state"

_KIND = "outrider-state/2"


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
    seal(Path(directory) / FILE, _KIND, content)


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
    data = unseal(path, _KIND)
    if data is None:
        return None
    try:
        content = _content_of(data, ring.schema)
        ring.restore(content.ring)
    except OutriderError as error:
        raise OutriderError(f"{path}: {error}") from error
    return content.notes


def _content_of(data: bytes, schema: Schema) -> _Content:
    try:
        state = _DECODER.decode(data)
    except msgspec.DecodeError as error:
        raise OutriderError(f"is not a state: {error}") from error
    if state.fingerprint != fingerprint(schema):
        raise OutriderError("belongs to another profile")
    return state
