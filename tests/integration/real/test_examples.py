"""The examples with real model servers do what their pages say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.parts_examples import EXAMPLES, run_elsewhere
from tests.integration.real.environments import LITSERVE, LLAMA, MLSERVER, TRITON, Environment, python_library

pytestmark = pytest.mark.timeout(1200)  # the first time, the environments are installed

LINE = re.compile(r"^  (\S+) +(ok|suspect|drifted|insufficient)\b", re.MULTILINE)


def run(tmp_path: Path, name: str, environment: Environment) -> tuple[list[dict[str, str]], str]:
    """The decisions of both reports, and all that was printed; the page quotes the last counters."""
    printed = run_elsewhere(tmp_path, name, programs=[environment.require().parent], timeout_s=300)
    page = (EXAMPLES / name / "README.md").read_text()
    for line in re.findall(r"^outrider_.*$", page, re.MULTILINE):
        assert line in printed
    reports = re.split(r"^\w+: \d+ rows in the window$", printed, flags=re.MULTILINE)[1:]
    return [_of_the_server(dict(LINE.findall(report))) for report in reports], printed


def _of_the_server(decisions: dict[str, str]) -> dict[str, str]:
    """Leave out the scores of whole rows."""
    return {name: decision for name, decision in decisions.items() if not name.startswith(("joint.", "row."))}


def test_openai(tmp_path: Path) -> None:
    (calm, long), _ = run(tmp_path, "openai", LLAMA)
    about_prompts = {"prompt_characters", "prompt_words"}
    assert {calm[name] for name in about_prompts} == {"ok"}
    assert {name for name, decision in long.items() if decision == "drifted"} >= about_prompts


def test_custom_route(tmp_path: Path) -> None:
    (calm, feet), printed = run(tmp_path, "custom-route", LITSERVE)
    assert "OUTRIDER_ROUTES='/predict inputs=$.houses outputs=$.prices'" in printed
    assert calm == {"area_m2": "ok", "age_years": "ok", "price": "ok"}
    assert (feet["area_m2"], feet["age_years"]) == ("drifted", "ok")


def test_mlserver(tmp_path: Path) -> None:
    (calm, millimetres), _ = run(tmp_path, "mlserver", MLSERVER)
    assert set(calm) == {"sepal_length", "sepal_width", "petal_length", "petal_width", "species"}

    assert set(calm.values()) == {"ok"}
    assert (millimetres["petal_length"], millimetres["petal_width"]) == ("drifted", "ok")


def test_triton(tmp_path: Path) -> None:
    python_library()
    (calm, feet), _ = run(tmp_path, "triton", TRITON)
    assert calm == {"area_m2": "ok", "age_years": "ok", "price": "ok"}
    assert (feet["area_m2"], feet["age_years"]) == ("drifted", "ok")
