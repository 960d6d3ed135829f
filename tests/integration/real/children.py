"""Processes of other environments that answer a line of JSON for each line of JSON that they are given."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.sidecar import ROOT


@contextmanager
def answering(command: Sequence[str], log: Path) -> Iterator[Callable[[Any], Any]]:
    """Run such a process while the block lasts; what it prints besides goes to `log`. It must end when its input does."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, env=environ, cwd=ROOT, text=True) as process,
    ):
        questions, answers = process.stdin, process.stdout
        assert questions is not None
        assert answers is not None

        def ask(question: Any) -> Any:
            print(json.dumps(question), file=questions, flush=True)
            line = answers.readline()
            assert line, log.read_text()[-4000:]
            return json.loads(line)

        try:
            yield ask
        finally:
            questions.close()
