from __future__ import annotations

import psutil
import pytest

from agent.exchange import ProxyStats
from agent.export.figures import own_process, proxy_process


def test_own_process_agrees_with_psutil() -> None:
    figures = own_process("monitor")
    process = psutil.Process()
    assert figures.memory_bytes == pytest.approx(process.memory_info().rss, rel=0.05)
    assert figures.cpu_s == pytest.approx(sum(process.cpu_times()[:2]), abs=0.5)


def test_proxy_process_is_what_the_proxy_said() -> None:
    assert proxy_process(ProxyStats(rss_bytes=7, cpu_ns=1_500_000_000)) == ("proxy", 1.5, 7)
