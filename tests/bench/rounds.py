"""What every bench of proxies does alike: rounds in a turning order, counts that must add up, the report, the exit code."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

from agent.demo.processes import free_ports
from tests.bench import scrape
from tests.bench.load import Load
from tests.bench.peers import Prepare, started
from tests.bench.processes import BenchError, Child, cores, end_on_sigterm
from tests.bench.scrape import Counted
from tests.bench.table import Column, Goal, RoundT, compare, medians, table
from tests.bench.training import write_training_profile

DIRECT = "direct"
"""The load on the upstream without any proxy: the ceiling of the set-up."""

_NOT_FOLLOWED = "outrider passed these connections on as tunnels and counted no calls in them: the counts are not checked"


@dataclass(frozen=True, slots=True)
class Tested:
    """A proxy that accepts, or the upstream itself.

    Parameters
    ----------
    name
        The peer's, or `DIRECT`.
    port
        Where the load goes.
    accept_ms
        From its start to its first accepted connection; NaN for the upstream.
    child
        The process; ``None`` for the upstream.
    admin
        Where ``/metrics`` is; 0 where there is none.
    """

    name: str
    port: int
    accept_ms: float
    child: Child | None
    admin: int

    def rss_bytes(self) -> tuple[float, float]:
        """Give the resident memory of the process and of its children; NaN for the upstream."""
        return (math.nan, math.nan) if self.child is None else self.child.rss_bytes()


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests answered, requests made, and what Outrider says of them itself."""

    answered: int
    made: int
    said: Counted


class Bench(ABC, Generic[RoundT]):
    """One bench; a subclass says what is measured.

    Parameters
    ----------
    folder
        An empty one, for everything that is written.
    options
        The words of the command line; each measurement takes about ``options.seconds``.
    """

    peers: ClassVar[Mapping[str, Prepare]]
    columns: Sequence[Column[RoundT]]
    goals: Sequence[Goal[RoundT]]

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.seconds: int = options.seconds
        self.proxy_core, self.load_core = cores()
        self.profile = write_training_profile(folder / "profile.json")
        self.rounds: dict[str, list[RoundT]] = {}
        self.counts: list[Counts] = []

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add options of this bench alone; by default there are none."""

    @abstractmethod
    def upstream(self) -> AbstractContextManager[int]:
        """Run the upstream; gives its port."""

    @abstractmethod
    def load(self, tested: Tested) -> RoundT:
        """Put loads on one proxy, give `count` all of them, and return what was measured."""

    def count(self, tested: Tested, loads: Sequence[Load], before: Counted | None = None) -> Counted | None:
        """Keep what Outrider counted beside what the loads were; of a peer there is nothing to keep.

        Parameters
        ----------
        tested
            What the loads went through.
        loads
            All since `before`.
        before
            What this gave last of the same process.
        """
        if not tested.admin:
            return None
        now = scrape.settled(tested.admin)
        answered, made = sum(one.completed for one in loads), sum(one.made for one in loads)
        self.counts.append(Counts(answered, made, now.since(before) if before is not None else now))
        return now

    def run(self, rounds: int, names: Sequence[str]) -> None:
        """Run every proxy once a round; each round starts with the next one."""
        with self.upstream() as upstream_port:
            for number in range(rounds):
                print(f"round {number + 1} of {rounds}", flush=True)
                self._keep(DIRECT, self.load(Tested(DIRECT, upstream_port, math.nan, None, 0)))
                turn = number % len(names)
                for name in [*names[turn:], *names[:turn]]:
                    self._measure(name, number, upstream_port)

    def _measure(self, name: str, number: int, upstream_port: int) -> None:
        folder = self.folder / f"{name}-{number}"
        folder.mkdir()
        (port,) = free_ports(1)
        command = self.peers[name](folder, port, upstream_port, self.profile)
        start = time.perf_counter()
        with started(name, command, self.proxy_core, folder) as child:
            child.wait_until_accepting(port)
            accept_ms = 1000 * (time.perf_counter() - start)
            if command.admin:
                scrape.wait_until_ready(child, command.admin)
            result = self.load(Tested(name, port, accept_ms, child, command.admin))
            child.check()
        self._keep(name, result)

    def _keep(self, name: str, result: RoundT) -> None:
        self.rounds.setdefault(name, []).append(result)
        cells = "  ".join(f"{column.title} {column.cell(result)}" for column in self.columns)
        print(f"  {name:<10} {cells}", flush=True)


def must_succeed(tested: Tested, loads: Sequence[Load]) -> None:
    """Raise `BenchError` if a request failed: a proxy that fails fast must not look fast."""
    if failed := sum(one.failed for one in loads):
        raise BenchError(f"{tested.name}: {failed} requests failed")
    if not all(one.completed for one in loads):
        raise BenchError(f"{tested.name}: a load in which nothing was answered")


def lost_from_counts(counts: Sequence[Counts]) -> list[str]:
    """Say what does not add up.

    Every exchange that ended has a record that the monitor took in or the proxy counted as dropped. A generator that stops
    at a given time closes its connections with requests under way, so what the proxy saw lies between answered and made;
    where the generator ended by number, those two are the same.
    """
    faults = []
    for at, one in enumerate(counts, 1):
        said = one.said
        if not said.tunnels_only and not one.answered <= said.exchanges <= one.made:
            faults.append(f"count {at}: {one.answered} answered, {one.made} made, but the proxy saw {said.exchanges}")
        if said.recorded + said.dropped != said.exchanges:
            faults.append(f"count {at}: {said.recorded} recorded + {said.dropped} dropped, but {said.exchanges} ended")
        if said.faults or said.restarts:
            faults.append(f"count {at}: {said.faults} faults inside, {said.restarts} restarts of the monitor")
    return faults


def _report(bench: Bench[Any], names: Sequence[str], path: Path | None) -> int:
    results = {name: medians(bench.rounds[name]) for name in (*names, DIRECT)}
    print("\n" + table(results, bench.columns) + "\n")
    for one in bench.counts:
        said = one.said
        print(
            f"outrider counted: {said.exchanges:,} exchanges ({one.answered:,} answered, {one.made:,} made), "
            f"{said.recorded:,} recorded, {said.dropped:,} dropped, {said.bodies_left_out:,} without bodies, "
            f"{said.decoded:,} decoded"
        )
    if any(one.said.tunnels_only for one in bench.counts):
        print(_NOT_FOLLOWED)
    faults = lost_from_counts(bench.counts)
    for fault in faults:
        print(f"FAULT {fault}")
    goals = compare(results, bench.goals)
    for sentence, _ in goals:
        print(sentence)
    if path is not None:
        content = {
            "medians": {name: asdict(result) for name, result in results.items()},
            "rounds": {name: [asdict(one) for one in rounds] for name, rounds in bench.rounds.items()},
            "counted": [{"answered": one.answered, "made": one.made, **asdict(one.said)} for one in bench.counts],
            "goals": [{"sentence": " ".join(sentence.split()), "reached": reached} for sentence, reached in goals],
        }
        path.write_text(json.dumps(content, indent=2) + "\n")
    return 2 if faults else int(not all(reached for _, reached in goals))


def main(kind: type[Bench[Any]], description: str) -> int:
    """Run a bench from the command line; give the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement")
    parser.add_argument("--only", default=",".join(kind.peers), help="proxies, separated by commas")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    kind.add_options(parser)
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name]
    if unknown := set(names) - set(kind.peers):
        parser.error(f"no such proxy: {', '.join(sorted(unknown))}; known are {', '.join(kind.peers)}")
    if not names or options.rounds < 1 or options.seconds < 1:
        parser.error("at least one proxy, one round and one second")
    end_on_sigterm()
    try:
        with tempfile.TemporaryDirectory(prefix="outrider-bench-") as folder:
            bench = kind(Path(folder), options)
            bench.run(options.rounds, names)
            return _report(bench, names, options.json)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
