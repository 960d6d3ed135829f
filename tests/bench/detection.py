"""Detection beside its peers: false pages, rows until a change is seen, real data, and what an evaluation costs.

``python -m tests.bench.detection [PART ...] [--quick] [--only METHOD ...]``, from the repository's root

Every part without a name. Every method has the same streams and an interpreter of its own (``.cache/bench-<peer>``, made on
demand; a peer that can't be installed is left out, with the reason). Two methods are measured at a time. The parts, and how long
they take on two cores that have nothing else to do:

- ``false_pages``: 20 minutes; with ``--seconds 100`` more than two hours, which is what it takes to be sure of a rate of one page
  in 1,000 column-days. ``--volumes 1000`` for one volume only.
- ``power``: two hours, of which alibi-detect's online detectors take the half.
- ``real``: two minutes.
- ``cost``: seconds; alone, since the machine's caches are part of it.

With ``--results FOLDER`` what was measured is kept, and a bench that was stopped goes on; whoever changes a method removes its
files there. ``--quick`` is for whoever changes this bench: its figures say little.

Exit codes: 0 with every figure reached, 1 with some not.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.bench.detect import cost, pages, power, real
from tests.bench.detect.columns import blocks
from tests.bench.detect.methods import ONLINE, WAYS, Way


def false_pages(ways: list[Way], options: argparse.Namespace) -> bool:
    """Run the first part."""
    found, missing = blocks()
    for reason in missing:
        print(reason)
    volumes = options.volumes or (pages.VOLUMES[:3] if options.quick else pages.VOLUMES)
    effort = pages.Effort(20, 2.0) if options.quick else pages.Effort(options.windows, options.seconds, options.results)
    ways = [way for way in ways if way.name not in ONLINE]
    return pages.run(ways, found, volumes, effort)


def rows_until_flagged(ways: list[Way], options: argparse.Namespace) -> bool:
    """Run the second part."""
    windows, runs = ((100, 1_000), 4) if options.quick else (power.WINDOWS, options.runs)
    ways = [way for way in ways if way.name != "alibi Tabular"]
    return power.run(ways, windows, power.Effort(runs, runs, options.results))


def real_drift(ways: list[Way], options: argparse.Namespace) -> bool:
    """Run the third part."""
    return real.run([way for way in ways if way.name not in ONLINE])


def evaluation(ways: list[Way], options: argparse.Namespace) -> bool:
    """Run the fourth part; only Outrider has a figure."""
    return cost.run()


RUN = {"false_pages": false_pages, "power": rows_until_flagged, "real": real_drift, "cost": evaluation}


def main() -> int:
    """Run from the command line; give the exit code."""
    parser = argparse.ArgumentParser(description="Detection beside its peers.")
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(RUN))
    parser.add_argument("--quick", action="store_true", help="minutes instead of half an hour; for changes of this bench")
    parser.add_argument("--only", nargs="*", metavar="METHOD", help="of " + ", ".join(way.name for way in WAYS))
    parser.add_argument("--volumes", nargs="*", type=int, metavar="ROWS", help="rows a window")
    parser.add_argument("--seconds", type=float, default=12.0, help="of a peer on one stream; Outrider has six times as many")
    parser.add_argument("--windows", type=int, default=pages.WINDOWS, help="of false_pages: windows of an hour, at most")
    parser.add_argument("--runs", type=int, default=40, help="of power: stationary ones, and with each change")
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="of false_pages and power: what is there is not measured again"
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(RUN):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    ways = [way for way in WAYS if not options.only or way.name in options.only]
    results = [run(ways, options) for part, run in RUN.items() if part in (options.parts or RUN)]
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main())
