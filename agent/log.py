"""Logs: one line per start, stop and change of state, as ``time level event key=value``, on standard error.

What happens per request is a counter, never a line. No line ever holds a payload's value.
"""

from __future__ import annotations

import logging
import sys
import time


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = f"{moment}.{int(record.msecs):03d}Z {record.levelname.lower():7} {record.name}: {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(level: str) -> None:
    """Send Outrider's log lines of `level` and above to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    root = logging.getLogger("outrider")
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False
