"""Writing a training profile: canonical bytes, and files that are either complete or not there."""

from __future__ import annotations

import gzip
import os
import tempfile
from pathlib import Path

import msgspec

from agent.errors import ProfileError
from agent.profile.format import Profile


def to_bytes(profile: Profile) -> bytes:
    """Encode a profile as one line of JSON, fields in the order of the format: equal profiles give equal bytes."""
    return msgspec.json.encode(profile) + b"\n"


def write(profile: Profile, path: str | os.PathLike[str]) -> int:
    """Write a profile to a file, gzipped if its name ends in ``.gz``; an existing file is replaced in one step.

    Returns
    -------
    int
        The size of the file in bytes.

    Raises
    ------
    ProfileError
        If the file can't be written.
    """
    target = Path(path)
    data = to_bytes(profile)
    if target.suffix == ".gz":
        data = gzip.compress(data, compresslevel=9, mtime=0)
    try:
        _replace(target, data)
    except OSError as error:
        raise ProfileError(f"{target}: can't be written: {error.strerror}") from error
    return len(data)


def _replace(target: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        # mkstemp's file is the owner's alone; a profile is read by the sidecar's user.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
