"""The limit of open files, in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from tests.sidecar import ROOT


def limits_after(soft: int, hard: int) -> list[int]:
    """What `raise_limit` gives, and both limits after it."""
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        "from agent.proxy.files import raise_limit; print(raise_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.parametrize("soft", [256, 512])
def test_all_that_is_allowed_is_taken(soft: int) -> None:
    assert limits_after(soft, 512) == [512, 512, 512]


def test_without_an_upper_limit_enough_is_taken() -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] != resource.RLIM_INFINITY:
        pytest.skip("this machine has an upper limit")
    assert limits_after(256, resource.RLIM_INFINITY)[0] == 1 << 20
