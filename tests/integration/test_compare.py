"""`outrider compare` as a pipeline calls it: what it prints and writes, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from agent.cli import main
from agent.compare.comparison import Comparison
from agent.evaluate.report import Decision
from agent.profile.build import build
from agent.profile.write import write
from tests.integration.parts_examples import EXAMPLES, run_elsewhere


def frame(seed: int, rows: int, shift: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame({"x": rng.normal(shift, 1.0, rows), "kind": rng.choice(["a", "b"], rows), "y": rng.normal(size=rows)})


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    write(build(frame(1, 2000), prediction="y", model_name="m"), tmp_path / "profile.json")
    return tmp_path / "profile.json"


def call(*words: str | Path, env: dict[str, str | None] | None = None) -> Result:
    result = CliRunner().invoke(main, ["compare", *map(str, words)], env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_nothing_drifted_ends_with_0(profile: Path, tmp_path: Path) -> None:
    frame(2, 1500).write_parquet(tmp_path / "data.parquet")
    result = call(profile, tmp_path / "data.parquet")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1,500 rows against 2,000 of training" in result.stdout
    assert "columns drifted" in result.stdout


def test_drift_ends_with_1_and_is_written_as_json_and_as_a_page(profile: Path, tmp_path: Path) -> None:
    frame(2, 1500, shift=1.0).write_csv(tmp_path / "data.csv")
    result = call(profile, tmp_path / "data.csv", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html")
    assert (result.exit_code, result.stderr) == (1, "")
    report = msgspec.json.decode((tmp_path / "r.json").read_bytes(), type=Comparison)
    assert (report.decision, report.model, report.rows) == (Decision.DRIFTED, "m", 1500)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert len(list(ET.fromstring(page.removeprefix("<!DOCTYPE html>")).iter("svg"))) == len(report.distributions) > 3


def test_json_on_standard_output_is_nothing_but_json(profile: Path, tmp_path: Path) -> None:
    frame(2, 1500, shift=1.0).write_csv(tmp_path / "data.csv")
    result = call(profile, tmp_path / "data.csv", "--json", "-")
    assert result.exit_code == 1
    assert msgspec.json.decode(result.stdout.encode(), type=Comparison).decision is Decision.DRIFTED


def test_several_files_and_folders_are_one_table(profile: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    frame(2, 700).write_parquet(folder / "1.parquet")
    frame(3, 800).write_parquet(folder / "2.parquet")
    assert "1,500 rows" in call(profile, folder).stdout
    assert "1,500 rows" in call(profile, folder / "1.parquet", folder / "2.parquet").stdout


def test_one_word_in_a_csv_column_of_numbers_is_one_value_of_a_wrong_type(profile: Path, tmp_path: Path) -> None:
    table = frame(2, 1500)
    lines = table.write_csv().splitlines()
    lines[7] = re.sub("^[^,]+", "unknown", lines[7])
    (tmp_path / "data.csv").write_text("\n".join(lines))
    result = call(profile, tmp_path / "data.csv", "--json", "-")
    (column,) = (column for column in msgspec.json.decode(result.stdout, type=Comparison).columns if column.name == "x")
    assert (column.decision, column.violations.get("type")) == (Decision.OK, 1)


def test_too_few_rows_are_said_and_end_with_0(profile: Path, tmp_path: Path) -> None:
    frame(2, 50, shift=5.0).write_csv(tmp_path / "data.csv")
    result = call(profile, tmp_path / "data.csv")
    assert (result.exit_code, result.stderr) == (0, "warning: nothing could be decided; see the report\n")
    assert "only 50 rows, at least 100 are needed" in result.stdout
    assert call(profile, tmp_path / "data.csv", "--min-rows", "20").exit_code == 1


def test_tolerances_come_from_the_environment(profile: Path, tmp_path: Path) -> None:
    frame(2, 1500).write_csv(tmp_path / "data.csv")
    assert call(profile, tmp_path / "data.csv", env={"OUTRIDER_MIN_ROWS": "2000"}).stderr.startswith("warning")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "data.csv: can't be read: No such file or directory"),
        ("", "data.csv: "),
        ("x,kind,y\n", "the data has no rows: there is nothing to compare"),
        ("a,b\n1,2\n", "the data has none of the profile's columns, 'x', 'kind', 'y'; its own are 'a', 'b'"),
        ("x,x\n1,2\n", "the column 'x' occurs more than once: names must differ"),
    ],
)
def test_bad_data_ends_with_2_and_one_line(profile: Path, tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "data.csv"
    if text is not None:
        path.write_text(text)
    result = call(profile, path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("outrider: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_bad_profiles_settings_and_words_end_with_2(profile: Path, tmp_path: Path) -> None:
    frame(2, 150).write_csv(tmp_path / "data.csv")
    assert call(tmp_path / "none.json", tmp_path / "data.csv").exit_code == 2
    assert call(tmp_path / "data.csv", tmp_path / "data.csv").exit_code == 2
    wrong = call(profile, tmp_path / "data.csv", env={"OUTRIDER_PSI": "much", "OUTRIDER_TYPO": "1"})
    assert (wrong.exit_code, wrong.stderr.count("outrider: OUTRIDER_")) == (2, 2)
    unwritable = call(profile, tmp_path / "data.csv", "--html", tmp_path / "no" / "r.html")
    assert unwritable.exit_code == 2
    assert "r.html: can't be written: No such file or directory" in unwritable.stderr
    assert call(profile).exit_code == 2
    assert call(profile, tmp_path / "data.csv", "--min-rows", "0").exit_code == 2


def test_example_stops_a_pipeline_where_it_should(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "compare")
    assert "None of 8 columns drifted" in printed
    assert "april: exit status 0" in printed
    assert "may: exit status 1" in printed
    shown = re.findall(r"```text\n(.*?)```", (EXAMPLES / "compare" / "README.md").read_text(), re.DOTALL)
    assert shown
    assert all(block in printed for block in shown)


def test_example_from_python(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (EXAMPLES / "compare" / "README.md").read_text(), re.DOTALL)
    write(build(frame(1, 500)), tmp_path / "profile.json")
    script = "import polars\nframe = polars.DataFrame({'x': [9.0] * 500, 'kind': ['a', 'b'] * 250, 'y': [0.0] * 500})\n" + program
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("drifted ['x', 'y'")
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")
