"""The limit of open files: two for each client connection, and container runtimes often start processes with 1,024."""

from __future__ import annotations

import resource

_ENOUGH = 1 << 20
"""Where there is no upper limit: half a million connections."""


def raise_limit() -> int:
    """Take as many files as this process is allowed to; give how many that is. Needs no privilege."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, _ENOUGH) if hard == resource.RLIM_INFINITY else hard
    if soft in (wanted, resource.RLIM_INFINITY):
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox that forbids even that
        return soft
    return wanted
