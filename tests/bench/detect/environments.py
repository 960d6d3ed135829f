"""Environments of the peers, each of its own in ``.cache``, and nannyml's data sets from its wheel; made on demand."""

from __future__ import annotations

import io
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
DATA_PACKAGE = "nannyml==0.13.1"
INSTALL_TIMEOUT_S = 900
_QUIET = ("--quiet", "--disable-pip-version-check", "--no-input")


class UnavailableError(Exception):
    """What can't be measured here, and why."""


@dataclass(frozen=True)
class Environment:
    """What is installed for one peer.

    Parameters
    ----------
    name
        Its folder is ``.cache/bench-<name>``.
    packages
        Pinned, so that the same figures come every time.
    """

    name: str
    packages: tuple[str, ...]

    def python(self) -> Path:
        """Give its interpreter; make the environment if it is not there.

        Raises
        ------
        UnavailableError
            If it can't be made.
        """
        folder = CACHE / f"bench-{self.name}"
        interpreter, stamp = folder / "bin" / "python", folder / "stamp"
        wanted = " ".join((sys.version.split()[0], *self.packages))
        if stamp.is_file() and stamp.read_text() == wanted:
            return interpreter
        try:
            venv.create(folder, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise UnavailableError(f"no environment for {self.name}: {error}") from error
        _pip([str(interpreter), "-m", "pip", "install", *_QUIET, *self.packages], self.name)
        stamp.write_text(wanted)
        return interpreter


def data_set(name: str) -> Any:
    """Read one of the data sets inside nannyml's wheel as a DataFrame: a name such as ``titanic_reference.csv``.

    Raises
    ------
    UnavailableError
        If the wheel can't be had.
    """
    import pandas as pd  # noqa: PLC0415 - only what has real data needs it

    folder = CACHE / "bench-data"
    folder.mkdir(parents=True, exist_ok=True)
    wheels = list(folder.glob("nannyml-*.whl"))
    if not wheels:
        _pip([sys.executable, "-m", "pip", "download", "--no-deps", *_QUIET, "--dest", str(folder), DATA_PACKAGE], "its data")
        wheels = list(folder.glob("nannyml-*.whl"))
    with zipfile.ZipFile(wheels[0]) as wheel:
        content = io.BytesIO(wheel.read(f"nannyml/datasets/data/{name}"))
    return pd.read_csv(content)


def _pip(command: list[str], name: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise UnavailableError(f"{name} can't be installed here: {lines[-1] if lines else error}") from error
