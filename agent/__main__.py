"""``python -m agent`` and the command ``outrider``.

``run`` and the monitor it starts skip the command line's libraries: a proxy must listen within milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run a command; give the exit code."""
    words = sys.argv[1:]
    if words == ["run"]:
        from agent.sidecar import run

        return run(os.environ)
    if words[:1] == ["monitor"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the proxy, which ends the monitor in order
        from agent.monitor import serve

        return serve(os.environ, int(words[1]))
    from agent import cli

    cli.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
