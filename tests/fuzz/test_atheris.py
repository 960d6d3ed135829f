"""The fuzzers that are guided by coverage, for a few seconds each: they start, run from their corpus on, and nothing breaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sidecar import ROOT

SECONDS = 5
"""By hand they run for hours; this finds what broke today."""


@pytest.mark.parametrize("fuzzer", ["atheris_decoders", "atheris_followers"])
def test_a_few_seconds_find_nothing(fuzzer: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="part missing: atheris, which is for Linux on x86-64")
    corpus = tmp_path / "corpus"
    command = [sys.executable, "-m", f"tests.fuzz.{fuzzer}", str(SECONDS), str(corpus)]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=100)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert list(tmp_path.glob("crash-*")) == []
    runs = re.search(r"^Done (\d+) runs", said, re.MULTILINE)
    assert runs is not None, said[-4000:]
    assert int(runs[1]) > len(list(corpus.glob("seed-*"))) > 0
