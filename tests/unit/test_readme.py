"""The README says what the code does: tables, links, commands, settings."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agent import cli
from agent.config import SETTINGS, load

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "examples").rglob("*.md"))]

by_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def test_tables_are_those_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.generate_docs", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_has_one_row() -> None:
    rows = re.findall(r"^\| `(OUTRIDER_\w+)` \|", README, re.MULTILINE)
    assert rows == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("suffix", ["*.md", "*.sh", "*.yaml", "*.py"])
def test_examples_and_guide_name_only_settings_that_exist(suffix: str) -> None:
    known = {setting.name for setting in SETTINGS}
    texts = [README, *(path.read_text() for path in (ROOT / "examples").rglob(suffix))]
    named = {name for text in texts for name in re.findall(r"\bOUTRIDER_[A-Z_]+\b", text)}
    assert named <= known


@by_document
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"(?:\]\(|src=\")([^)\"#]+)", path.read_text())
    missing = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert missing == []


def test_headings_that_are_linked_exist() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_first_screen_shows_the_two_commands() -> None:
    first = README.splitlines()[:40]
    assert any("outrider demo" in line for line in first)
    assert "tests/run" in first


def test_ports_of_the_guide_are_the_defaults() -> None:
    settings = load({})
    for address, row in ((settings.listen[0], "inference"), (settings.admin, "admin"), (settings.health, "health")):
        assert f"| {address.port} | {row} |" in README


def command_lines(text: str) -> list[list[str]]:
    """The words of each call of `outrider` in the code blocks, without what is before or after it."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    calls = re.findall(r"(?:^|/|\s)outrider +((?:run|demo|profile|config)\b[^\n#|&;]*)", blocks)
    return [call.split() for call in calls]


@by_document
def test_commands_exist(path: Path) -> None:
    for words in command_lines(path.read_text()):
        command: click.Command = cli.main
        while words and isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, words


def settings_of_commands(text: str) -> list[dict[str, str]]:
    """The settings that stand before each call of `outrider run` in the code blocks."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    found = []
    for line in (line for line in blocks.splitlines() if "outrider run" in line):
        words = itertools.takewhile(lambda word: "=" in word, shlex.split(line, comments=True))
        found.append(dict(word.split("=", 1) for word in words))
    return found


@by_document
def test_settings_before_commands_can_be_read(path: Path) -> None:
    for settings in settings_of_commands(path.read_text()):
        load(settings)


def test_guide_shows_several_ports() -> None:
    shown = [load(settings) for settings in settings_of_commands(README)]
    assert any(len(settings.listen) == len(settings.ready) == 2 for settings in shown)


def test_guide_shows_the_commands() -> None:
    assert {tuple(words[:2]) for words in command_lines(README)} >= {
        ("demo",),
        ("run",),
        ("profile", "build"),
        ("profile", "show"),
    }
