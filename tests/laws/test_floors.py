"""The layout: who may import whom, how long a file may be, what may lie where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FLOORS: tuple[frozenset[str], ...] = (
    frozenset(
        {"errors", "clock", "exchange", "batch", "config", "settings", "spelling", "log"}
        | {"route_language", "tolerance_language", "group_language"}
    ),
    frozenset({"proxy"}),
    frozenset({"decode"}),
    frozenset({"sketch", "summarise", "joint"}),
    frozenset({"profile"}),
    frozenset({"validate", "window", "feedback"}),
    frozenset({"stats"}),
    frozenset({"evaluate"}),
    frozenset({"export", "admin"}),
    frozenset(
        {"monitor", "pipeline", "anomalies", "segments", "bias", "warmup", "sidecar", "keeper", "demo", "cli", "suggest"}
        | {"compare", "__main__"}
    ),
)
"""From the bottom up. A part imports only from floors below its own."""

VOCABULARY_FLOOR = 0
COMPOSITION_FLOOR = len(FLOORS) - 1
"""Parts of these two floors may import each other: plain data is made of plain data, and composition composes."""

LIGHT = {"uvloop", "httptools", "msgspec", "hpack"}
"""What the proxy process may load beside the standard library."""

COMPANIONS = {"cython_runtime", "typing_extensions"}
"""What the light libraries load themselves: Cython's marker by uvloop, the back-ports by msgspec where they are installed."""

ARRAYS = {"batch"}
"""Floor 0, but for the monitor's side: the proxy may not import it."""

TOP_LEVEL = {
    "CHANGELOG.md",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "agent",
    "examples",
    "helm",
    "pyproject.toml",
    "tests",
}

MAX_LINES = 400

SOURCES = sorted((ROOT / "agent").rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path) -> frozenset[str]:
    """Absolute names of all modules that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: line {node.lineno}: write the import in full"
            assert node.module is not None
            # `from agent import config` names a module, `from agent.config import load` names what is in one.
            found |= {f"agent.{alias.name}" for alias in node.names} if node.module == "agent" else {node.module}
    return frozenset(found)


def part_of(module: str) -> str:
    """``agent.proxy.relay`` belongs to ``proxy``; ``agent`` itself to nothing."""
    return module.split(".")[1] if "." in module else ""


def floor_of(part: str) -> int:
    for floor, parts in enumerate(FLOORS):
        if part in parts:
            return floor
    raise AssertionError(f"agent.{part} has no floor: give it one in FLOORS")


def breaches(module: str, imported: frozenset[str]) -> list[str]:
    """What a module imports against the rule of floors."""
    part = part_of(module)
    floor = floor_of(part)
    found = []
    for name in sorted(imported):
        other = part_of(name)
        if name.split(".")[0] != "agent" or other in ("", part):
            continue
        other_floor = floor_of(other)
        same_is_fine = floor == other_floor and floor in (VOCABULARY_FLOOR, COMPOSITION_FLOOR)
        if not (other_floor < floor or same_is_fine):
            found.append(f"{module} (floor {floor}) imports {name} (floor {other_floor})")
    return found


def is_light(name: str) -> bool:
    top = name.partition(".")[0]
    return top in sys.stdlib_module_names or top in LIGHT


by_source = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


@by_source
def test_module_imports_only_from_lower_floors(path: Path) -> None:
    module = module_name(path)
    if module == "agent":
        assert imports(path) == frozenset()
    else:
        assert breaches(module, imports(path)) == []


def test_rule_of_floors_finds_a_breach() -> None:
    assert breaches("agent.proxy.relay", frozenset({"agent.decode.table"}))
    assert breaches("agent.window.panes", frozenset({"agent.validate"}))
    assert not breaches("agent.window.panes", frozenset({"agent.sketch.summary", "agent.window.activity", "os"}))
    with pytest.raises(AssertionError, match="no floor"):
        breaches("agent.helpers", frozenset())


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in SOURCES
        if part_of(module_name(path)) in {"proxy", "sidecar", "keeper", "config", "errors", "clock", "exchange", "log"}
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_proxy_process_imports_nothing_heavy(path: Path) -> None:
    foreign = {name for name in imports(path) if not name.startswith("agent") and not is_light(name)}
    arrays = {name for name in imports(path) if part_of(name) in ARRAYS}
    assert foreign | arrays == set()


@pytest.mark.parametrize("module", ["agent.__main__", "agent.sidecar"])
def test_proxy_process_loads_nothing_heavy(module: str) -> None:
    program = f"import sys; before = set(sys.modules); import {module}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()} - {"agent"} - COMPANIONS
    # Cython shows helpers of its own, such as `_cython_3_1`.
    assert {name for name in loaded if not is_light(name) and not name.startswith("_")} == set()
    assert "agent" in {name.split(".")[0] for name in done.stdout.split()}


@by_source
def test_file_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git clone")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tracked():
        if path == Path(__file__).resolve():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


MACHINE_OR_REGISTRY = re.compile(
    r"(?<![\w.~}])/(root|home/\w+|Users/\w+)(/|\b(?![\w-]))"
    r"|--(extra-)?index-url|\bregistry\s*=\s*https?:|https?://(deb|files|index|pypi|registry)\."
)
"""Folders of somebody's own, and package registries by their address: packages are installed by name alone."""


def test_nothing_is_left_to_do() -> None:
    assert lines_with(re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")) == []


def test_no_file_names_a_machine_or_a_registry() -> None:
    assert lines_with(MACHINE_OR_REGISTRY) == []


@pytest.mark.parametrize(
    "path", ["cd /root", "/root/.cache", "'/home/ann/x'", "pip --index-url x", "https://pypi.example/simple"]
)
def test_patterns_find_what_they_should(path: str) -> None:
    assert MACHINE_OR_REGISTRY.search(path)


@pytest.mark.parametrize("text", ["./work/x", "${HOME}/root/x", "/workspace", "network/root-cause", "/v1/models/root", "/home"])
def test_patterns_leave_the_rest_alone(text: str) -> None:
    assert not MACHINE_OR_REGISTRY.search(text)


def test_top_level_holds_only_what_belongs_there() -> None:
    found = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL
