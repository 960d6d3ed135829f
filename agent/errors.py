"""Every error that Outrider raises on purpose, and nothing else.

Monitoring never raises into the inference path: the proxy catches at its boundary and counts. These classes are for the
start of the process, for the command line, and for the monitor's pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence


class OutriderError(Exception):
    """The base of all errors below; catching it catches whatever Outrider raises on purpose."""


class ConfigError(OutriderError):
    """The configuration has faults. All of them are reported at once.

    Parameters
    ----------
    faults
        One sentence each: which setting, what is wrong with it, what to write instead.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class ProfileError(OutriderError):
    """A training profile, or the data it should be built from, can't be used; the message says where and why."""


class DecodeError(OutriderError):
    """Bytes that are not what their route promises.

    Parameters
    ----------
    format
        The decoder's name, such as ``kserve-v1``.
    reason
        A short constant from a closed set, fit for a metric attribute: never a part of the payload.
    path
        Where in the message, as a JSON path, or empty.
    offset
        The byte offset in the body, or -1 where it is not known.
    """

    def __init__(self, format: str, reason: str, *, path: str = "", offset: int = -1) -> None:
        self.format = format
        self.reason = reason
        self.path = path
        self.offset = offset
        where = f" at {path}" if path else ""
        byte = f" (byte {offset})" if offset >= 0 else ""
        super().__init__(f"{format}: {reason}{where}{byte}")
