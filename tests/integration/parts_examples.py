"""Examples, run as their readers run them, but in a copy and on ports that are free."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.parts import free_ports, program

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PORTS = ("8000", "8001", "8080", "8081", "9464", "9465")
"""Ports that the examples name, in files that are run."""


def run_elsewhere(tmp_path: Path, name: str, *, programs: Sequence[Path] = (), timeout_s: float = 110) -> str:
    """Run a copy of an example; give what it prints.

    Parameters
    ----------
    programs
        Folders that come first on the path, with a ``python3`` of a model server's environment.
    """
    outrider = shutil.which("outrider", path=str(Path(sys.executable).parent)) or pytest.skip("outrider is not installed")
    for needed in ("curl", "openssl"):
        program(needed)
    free = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    named = re.compile(r"\b(" + "|".join(PORTS) + r")\b")
    for path in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/*.*")):
        copy = tmp_path / path.relative_to(EXAMPLES)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(re.sub(named, lambda match: free[match[0]], path.read_text()))
        copy.chmod(path.stat().st_mode)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OUTRIDER_", "OTEL_"))}
    environment |= {
        "PATH": os.pathsep.join([*map(str, programs), str(Path(outrider).parent), os.environ["PATH"]]),
        "OUTRIDER_LISTEN": f"127.0.0.1:{free['8000']}",  # where these are not set by the example, they have their defaults
        "OUTRIDER_ADMIN": f"127.0.0.1:{free['9464']}",
        "OUTRIDER_HEALTH": f"127.0.0.1:{free['9465']}",
    }
    script = str(tmp_path / name / "run.sh")
    done = subprocess.run([script], env=environment, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
