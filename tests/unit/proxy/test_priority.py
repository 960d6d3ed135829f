"""Short slices are asked for, and children do not inherit them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = """
import os
from agent.proxy.priority import ask_for_short_slices
print(ask_for_short_slices(), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER,
      bool(os.sched_getscheduler(0) & os.SCHED_RESET_ON_FORK), os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="the system call's number is not known here")
def test_the_kernel_takes_the_request() -> None:
    said = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True", "True", str(os.getpriority(os.PRIO_PROCESS, 0))]
