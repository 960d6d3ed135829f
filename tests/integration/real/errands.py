"""The client's half of `tests.integration.real.watched`: a process of a server's environment that does one errand for each line.

Importing its packages takes longer than all the calls, so it stays.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.integration.real.houses import Table, batches, houses

ROWS = 300
ROWS_OF_A_CALL = 10
CALLS = ROWS // ROWS_OF_A_CALL

Answer = dict[str, Any]
"""What one call gave back: ``prices``, and whatever else doesn't differ between two runs."""


class Errand(NamedTuple):
    """What the client is to do: call a server in one way, with some houses."""

    way: str
    http: int
    grpc: int
    seed: int
    unit: float = 1.0

    @property
    def tables(self) -> list[Table]:
        """The houses to ask for, call by call."""
        return batches(houses(ROWS, self.seed, self.unit), ROWS_OF_A_CALL)


def answer_lines(answer: Callable[[Any], Any]) -> None:
    """Answer each line of JSON with one, until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what packages print must not come between
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


def run_errands(ways: Mapping[str, Callable[[Errand], list[Answer]]]) -> None:
    """Be the client, until its input ends."""

    def run(given: list[Any]) -> list[Answer]:
        errand = Errand(*given)
        return ways[errand.way](errand)

    answer_lines(run)
