"""Environments of the model servers: each of its own, in ``.cache``, since no two of them agree on their packages.

One is hundreds of megabytes, so it is made only where ``TEST_REAL_SERVERS=1`` asks for it. Once made it is used by every run
until the packages or the interpreter change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sidecar import ROOT

SWITCH = "TEST_REAL_SERVERS"
INSTALL_TIMEOUT_S = 900


@dataclass(frozen=True)
class Environment:
    """What is installed for one server.

    Parameters
    ----------
    name
        Its folder is ``.cache/real-<name>``.
    packages
        Pinned, so that the same answers come every time.
    size_mib
        What it takes on the disk, measured.
    """

    name: str
    packages: tuple[str, ...]
    size_mib: int

    @property
    def folder(self) -> Path:
        """Where it is or would be."""
        return ROOT / ".cache" / f"real-{self.name}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def wanted(self) -> str:
        """What the stamp of an environment that is whole and up to date says."""
        return " ".join((sys.version.split()[0], *self.packages))

    def is_there(self) -> bool:
        """Whether it is whole and up to date; the stamp is written last."""
        stamp = self.folder / "stamp"
        return stamp.is_file() and stamp.read_text() == self.wanted

    def require(self) -> Path:
        """Give the interpreter; make the environment if that is asked for, else skip the test and say how."""
        if self.is_there():
            return self.python
        if os.environ.get(SWITCH) != "1":
            pytest.skip(f"no environment for {self.name} ({self.size_mib} MiB on the disk): {SWITCH}=1 tests/run makes it")
        cache = self.folder.parent
        cache.mkdir(exist_ok=True)
        free_mib = shutil.disk_usage(cache).free >> 20
        if free_mib < 2 * self.size_mib:
            pytest.skip(f"{free_mib} MiB free is too little for the environment of {self.name} ({self.size_mib} MiB)")
        self.make()
        return self.python

    def make(self) -> None:
        """Make it anew. One that was asked for and can't be made fails the test: a skip would hide it."""
        venv.create(self.folder, clear=True, with_pip=True)
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        try:
            done = subprocess.run([*pip, *self.packages], capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pytest.skip(f"the environment of {self.name} takes more than {INSTALL_TIMEOUT_S} s to install here")
        if done.returncode != 0:
            pytest.fail(f"the environment of {self.name} can't be made: {done.stderr[-2000:]}")
        (self.folder / "stamp").write_text(self.wanted)


_CLIENT = "tritonclient[http,grpc]==2.73.0"
MLSERVER = Environment("mlserver", ("mlserver==1.7.1", "mlserver-sklearn==1.7.1", _CLIENT), 528)
TRITON = Environment("triton", ("nvidia-pytriton==0.7.0", _CLIENT), 369)
LLAMA = Environment("llama", ("xllamacpp==2026.10.11549", "gguf==0.19.0", "openai==3.54.0"), 253)
LITSERVE = Environment("litserve", ("litserve==0.2.19",), 70)
KSERVE = Environment("kserve", ("kserve==0.21.0", "scikit-learn==1.7.2", "cloudevents==1.12.0"), 648)
MLFLOW = Environment("mlflow", ("mlflow==3.17.2",), 850)
SAGEMAKER = Environment("sagemaker", ("sagemaker-core==2.27.0", "sagemaker-inference==1.10.1"), 449)


def python_library() -> Path:
    """Give the folder of libpython, which Triton's Python backend links to, or skip the test where there is none."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so*"
    home = Path(sysconfig.get_config_var("LIBDIR"))
    for folder in (home, home / str(sysconfig.get_config_var("MULTIARCH"))):
        if any(folder.glob(name)):
            return folder
    return pytest.skip(f"Triton needs {name}, which this Python was built without")
