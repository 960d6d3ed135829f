"""``outrider demo``: the entry, which needs nothing of the extra ``outrider[demo]`` to say that it is missing."""

from __future__ import annotations

import importlib.util
import sys

from rich.console import Console

from agent.errors import ConfigError

NEEDED = ("sklearn", "pyarrow")


def run_demo(seconds: float | None, *, console: Console | None = None, disturb: bool = True) -> int:
    """Run the demo and say how it went.

    Parameters
    ----------
    seconds
        How long to replay rows, from 20 up; ``None``: until Ctrl-C.
    console
        Where to show it; standard output by default.
    disturb
        ``False`` leaves all rows as they are: then nothing may be flagged.

    Returns
    -------
    int
        The exit status: 0 if just what was disturbed was flagged, and nothing before; 1 if not; 2 if the demo can't run as
        asked; 130 or 143 if a signal ended it before that could be told.
    """
    console = console or Console()
    errors = Console(stderr=True, soft_wrap=True)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        errors.print(f"The demo needs {' and '.join(missing)}: pip install 'outrider[demo]'", markup=False)
        return 2
    console.print("Training a model on real rows ...", style="dim")
    try:
        # Imported here: it takes seconds, and needs what was just looked for.
        from agent.demo.scenario import plan  # noqa: PLC0415
        from agent.demo.stage import perform  # noqa: PLC0415

        scenario = plan(seconds, disturb=disturb)
    except ConfigError as error:
        errors.print(str(error), markup=False)
        return 2
    except KeyboardInterrupt:  # before anything runs that would have to be stopped
        return 130
    return perform(scenario, console)


if __name__ == "__main__":
    sys.exit(run_demo(float(sys.argv[1]) if len(sys.argv) > 1 else None))
