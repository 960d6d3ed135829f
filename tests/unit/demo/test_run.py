from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from agent.demo.run import NEEDED, run_demo


@pytest.mark.parametrize("name", NEEDED)
def test_without_the_extra_it_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    assert run_demo(20) == 2
    assert capsys.readouterr().err == f"The demo needs {name}: pip install 'outrider[demo]'\n"


def test_too_short_a_demo_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_demo(5, console=Console(file=io.StringIO())) == 2
    assert "--seconds 20 or more" in capsys.readouterr().err
