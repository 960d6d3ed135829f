"""Files that are whole or not there, so that a pod may be ended at any moment.

A line with the kind of file and the version of its layout, the SHA-256 of all that follows, then the content. It is written to a
file beside it, flushed to the disk and renamed over the last one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from agent.errors import OutriderError

_DIGEST_BYTES = 32


def seal(path: Path, kind: str, content: bytes) -> None:
    """Write a file.

    Parameters
    ----------
    path
        Where to; its folder is made if it is not there.
    kind
        The first line, such as ``outrider-state/2``.
    content
        What `unseal` gives back.

    Raises
    ------
    OutriderError
        If the disk does not take it; the last file is then still there.
    """
    fresh = path.with_suffix(f".{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_through(fresh, _head(kind) + sha256(content).digest() + content)
        fresh.replace(path)
        _flush_directory(path.parent)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise OutriderError(f"{path}: can't be written: {error.strerror or error}") from error


def unseal(path: Path, kind: str) -> bytes | None:
    """Read what `seal` wrote.

    Parameters
    ----------
    path
        Where from.
    kind
        What its first line must be.

    Returns
    -------
    bytes or None
        The content; ``None`` if there is no file.

    Raises
    ------
    OutriderError
        If it can't be read, is of another kind or version, or is damaged; the text names the file.
    """
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutriderError(f"{path}: can't be read: {error.strerror or error}") from error
    head = _head(kind)
    if not data.startswith(head):
        raise OutriderError(f"{path}: is not a state of this version of Outrider")
    start = len(head) + _DIGEST_BYTES
    content = data[start:]
    if sha256(content).digest() != data[len(head) : start]:
        raise OutriderError(f"{path}: is damaged: the checksum does not fit its {len(data)} bytes")
    return content


def _head(kind: str) -> bytes:
    return f"{kind}\n".encode()


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
