"""The command line: output, exit codes, and errors without a traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from agent.cli import main, settings_table
from agent.config import SETTINGS
from agent.profile.read import read


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    x = rng.normal(size=500)
    path = tmp_path / "train.csv"
    columns = {"row": range(500), "x": x, "region": rng.integers(10, 14, 500), "q": rng.random(500), "p": x > 0, "y": x > 0.1}
    pl.DataFrame(columns).write_csv(path)
    return path


def call(*words: str | Path, env: dict[str, str | None] | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(word) for word in words], env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_build_and_show(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json.gz"
    options = ["--label", "y", "--prediction", "p", "--probability", "q", "--id", "row", "--model-name", "m"]
    code, out, err = call("profile", "build", data, "-o", output, *options, "--model-version", "2", "--numeric", "region")
    assert (code, err) == (0, "")
    assert f"{output}: 500 rows, 6 columns (1 text, 2 float, 1 integer, 2 boolean)" in out
    assert "accuracy 0.9" in out
    profile = read(output)
    assert [column.role for column in profile.columns] == ["id", "feature", "feature", "probability", "prediction", "label"]
    assert (profile.model.name, profile.model.version, profile.model.task) == ("m", "2", "classification")
    code, out, err = call("profile", "show", output)
    assert (code, err) == (0, "")
    assert "m 2 · classification · 500 rows · 6 columns" in out
    assert "region" in out


def test_a_build_that_may_have_overlooked_a_role_says_so_and_goes_on(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "profile.json"
    code, out, err = call("profile", "build", data, "-o", output, "--label", "y")
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("warning: column 'row' is taken as a feature, but looks like an id (")
    assert "500 rows" in out
    assert [column.role for column in read(output).columns if column.name == "row"] == ["feature"]


def test_repeated_options(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.json"
    words = ["--exclude", "row", "--exclude", "q", "--categorical", "region", "--task", "regression"]
    assert call("profile", "build", data, "-o", output, *words)[0] == 0
    profile = read(output)
    assert [(column.name, column.type) for column in profile.columns] == [
        ("x", "float"), ("region", "category"), ("p", "boolean"), ("y", "boolean"),
    ]  # fmt: skip
    assert profile.model.task == "regression"


def test_vectors_texts_and_image_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.summarise.image_file.reads_pixels", lambda: False)
    source, output = tmp_path / "data.parquet", tmp_path / "p.json"
    pixel = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
    vectors = np.random.default_rng(1).normal(size=(100, 8)).tolist()
    pl.DataFrame({"vec": vectors, "note": ["yes", "no"] * 50, "img": [pixel] * 100}).write_parquet(source)
    code, out, _ = call("profile", "build", source, "-o", output, "--text", "note")
    assert code == 0
    assert "brightness of image files isn't in it, which takes Pillow: pip install 'outrider[images]'" in out
    assert [column.name for column in read(output).columns] == [
        "vec.norm", "vec.mean", "vec.cosine", "note", "note.length", "note.words", "note.script", "img.width", "img.height",
        "img.bytes",
    ]  # fmt: skip
    assert "vec: embedding of 8 values" in call("profile", "show", output)[1]


def test_faults_of_the_data_are_told_in_lines(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "p.json"
    code, out, err = call("profile", "build", data, "-o", output, "--label", "truth", "--exclude", "z")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "outrider: label: there is no column 'truth'; the columns are row, x, region, q, p, y",
        "outrider: exclude: there is no column 'z'; the columns are row, x, region, q, p, y",
    ]
    assert not output.exists()
    code, _, err = call("profile", "build", tmp_path / "none.csv", "-o", output)
    assert code == 1
    assert err.endswith("none.csv: can't be read: No such file or directory\n")
    code, _, err = call("profile", "show", data)
    assert code == 1
    assert "is not JSON" in err


def test_missing_words_and_odd_options(data: Path) -> None:
    assert call("profile", "build", data)[0] == 2
    assert call("profile", "build", data, "-o", "x.json", "--task", "ranking")[0] == 2
    assert call("demo", "--seconds", "long")[0] == 2
    assert call("nonsense")[0] == 2


def test_config_shows_effective_values() -> None:
    code, out, err = call("config", env={"OUTRIDER_PSI": "0.25", "OUTRIDER_PANE": "90s"})
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert list(lines) == [setting.name for setting in SETTINGS]
    assert lines["OUTRIDER_PSI"].split()[1] == "0.25"
    assert lines["OUTRIDER_PANE"].split()[1] == "90s"
    meanings = {line.index(setting.meaning) for setting, line in zip(SETTINGS, lines.values(), strict=True)}
    assert len(meanings) == 1


def test_config_tells_all_faults_at_once() -> None:
    code, out, err = call("config", env={"OUTRIDER_PSI": "x", "OUTRIDER_LISTEN": "8000", "OUTRIDER_TYPO": "1"})
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 3
    assert all(line.startswith("outrider: OUTRIDER_") for line in err.splitlines())


def test_config_as_markdown() -> None:
    code, out, _ = call("config", "--markdown", env={"OUTRIDER_PSI": "broken"})
    assert code == 0
    assert out.strip() == settings_table()
    assert len(out.splitlines()) == len(SETTINGS) + 2
    assert all(line.count("|") == 5 for line in out.splitlines())


def test_run_gives_the_exit_code_of_the_sidecar(monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar = types.ModuleType("agent.sidecar")
    sidecar.__dict__["run"] = lambda environ: 7 if environ is os.environ else 1
    monkeypatch.setitem(sys.modules, "agent.sidecar", sidecar)
    assert call("run")[0] == 7


def test_demo_gives_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = types.ModuleType("agent.demo.run")
    fake.__dict__["run_demo"] = lambda seconds: 3 if seconds == 25.0 else 1
    monkeypatch.setitem(sys.modules, "agent.demo.run", fake)
    assert call("demo", "--seconds", "25")[0] == 3
    assert call("demo")[0] == 1


def python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=60)


def test_the_real_command() -> None:
    done = python("-m", "agent", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("outrider ")
    done = python("-m", "agent", "profile", "show", "none.json")
    assert (done.returncode, done.stderr) == (1, "outrider: none.json: can't be read: No such file or directory\n")


def test_importing_is_light() -> None:
    heavy = ("numpy", "rich", "pyarrow", "opentelemetry", "aiohttp", "datasketches")
    done = python("-c", f"import sys, agent.cli; print([name for name in {heavy} if name in sys.modules])")
    assert done.stdout == "[]\n"


def test_bar_is_drawn_only_on_a_terminal(data: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "agent", "profile", "build", str(data), "-o", str(tmp_path / "p.json")]
    leader, follower = pty.openpty()
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=follower, check=True, timeout=60, env={**os.environ, "TERM": "xterm"}
    )
    os.close(follower)
    drawn = os.read(leader, 65_536)
    os.close(leader)
    assert b"rows" in drawn
    assert b"\x1b" not in done.stdout


def test_a_build_in_chunks_says_what_it_learned_from(tmp_path: Path) -> None:
    source, output = tmp_path / "data.csv", tmp_path / "profile.json"
    rows = [f"{n % 7}.5,2024-05-{1 + n // 48:02}T{n // 2 % 24:02}:30:00" for n in range(480)]
    source.write_text("\n".join(["x,at", *rows]))
    code, out, err = call("profile", "build", source, "-o", output, "--time", "at", "--chunk", "1d")
    assert (code, err) == (0, "")
    assert "learned what is normal from 10 chunks of 1 d, with 48 rows each" in out
    assert "10 chunks of 1 d" in call("profile", "show", output)[1]


def test_too_few_chunks_are_a_warning(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("\n".join(["x", *(f"{n}.5" for n in range(100))]))
    code, _, err = call("profile", "build", source, "-o", tmp_path / "profile.json", "--chunk", "50")
    assert code == 0
    assert "warning: the data has 2 chunks of 50 rows" in err


def test_a_chunk_that_is_none_is_refused(data: Path, tmp_path: Path) -> None:
    code, _, err = call("profile", "build", data, "-o", tmp_path / "profile.json", "--chunk", "often")
    assert code == 1
    assert "'often' is neither rows such as 5000 nor a time such as 1h or 1d" in err


@pytest.fixture
def numbers(tmp_path: Path) -> tuple[str, str]:
    data, built = tmp_path / "data.csv", tmp_path / "profile.json"
    data.write_text("x,y\n" + "".join(f",{place * 37 % 101}.5\n" for place in range(300)))
    assert CliRunner().invoke(main, ["profile", "build", str(data), "-o", str(built)]).exit_code == 0
    return str(built), str(data)


def test_compare_draws_a_column_without_values(numbers: tuple[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compare", *numbers, "--html", str(tmp_path / "page.html")])
    assert (result.exit_code, (tmp_path / "page.html").exists()) == (0, True), result.output


def test_own_faults_of_compare_are_no_drift(numbers: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("two\nlines")

    monkeypatch.setattr("agent.compare.compare.compare", broken)
    result = CliRunner().invoke(main, ["compare", *numbers])
    assert result.exit_code == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith("outrider: an error inside Outrider, please report it: ValueError: two lines (test_cli.py:")


def lent(path: Path, seed: int, rows: int, italy: float = 100.0) -> Path:
    rng = np.random.default_rng(seed)
    country, amount = rng.choice(["DE", "IT"], rows, p=[0.95, 0.05]), rng.normal(100.0, 20.0, rows)
    amount[country == "IT"] += italy - 100.0
    approved = np.where(rng.random(rows) < 0.5, "yes", "no")
    lines = [f"{money:.6f},{where},{answer}" for money, where, answer in zip(amount, country, approved, strict=True)]
    path.write_text("\n".join(["amount,country,approved", *lines]))
    return path


@pytest.mark.parametrize(
    ("italy", "env", "code", "said"),
    [
        (100.0, {"OUTRIDER_SEGMENTS": "country"}, 0, "none of 2 segments drifted"),
        (140.0, {}, 0, "None of 6 columns drifted\n"),
        (140.0, {"OUTRIDER_SEGMENTS": "country"}, 1, "1 of 2 segments drifted"),
        (100.0, {"OUTRIDER_GROUPS": "country", "OUTRIDER_FAVOURABLE": "yes"}, 0, "none of 2 groups unlike the others"),
        (100.0, {"OUTRIDER_GROUPS": "amount<100", "OUTRIDER_FAVOURABLE": "maybe"}, 0, "groups by amount<100 can't be watched: "),
        (100.0, {"OUTRIDER_SEGMENTS": "town"}, 0, "segments by town can't be watched: the profile has no column 'town'"),
        (100.0, {"OUTRIDER_SEGMENTS": "amount<"}, 2, ""),
    ],
)
def test_compare_ends_with_1_if_a_segment_drifted(
    tmp_path: Path, italy: float, env: dict[str, str], code: int, said: str
) -> None:
    training, data = lent(tmp_path / "training.csv", 1, 6000), lent(tmp_path / "data.csv", 2, 5000, italy)
    options = ["--prediction", "approved", "--by", "country", "-o", str(tmp_path / "profile.json")]
    assert CliRunner().invoke(main, ["profile", "build", str(training), *options]).exit_code == 0
    result = CliRunner().invoke(
        main, ["compare", str(tmp_path / "profile.json"), str(data)], env={"OUTRIDER_CORRELATION": "off", **env}
    )
    assert result.exit_code == code, result.output
    assert said in result.stdout
    assert ("outrider: OUTRIDER_SEGMENTS=" if code == 2 else "") in result.stderr
    assert result.stderr.count("\n") == (code == 2)


def test_compare_ends_with_1_if_a_group_is_unlike_the_others(tmp_path: Path) -> None:
    training, data = lent(tmp_path / "training.csv", 1, 6000), lent(tmp_path / "data.csv", 2, 5000)
    data.write_text(data.read_text().replace(",IT,yes", ",IT,no"))
    options = ["--prediction", "approved", "--by", "country", "-o", str(tmp_path / "profile.json")]
    assert CliRunner().invoke(main, ["profile", "build", str(training), *options]).exit_code == 0
    words = ["compare", str(tmp_path / "profile.json"), str(data), "--json", "-"]
    env = {"OUTRIDER_GROUPS": "country", "OUTRIDER_FAVOURABLE": "yes"}
    result = CliRunner().invoke(main, words, env=env)
    groups = json.loads(result.stdout)["groups"]
    assert (result.exit_code, [group["decision"] for group in groups]) == (1, ["drifted", "drifted"])
    assert groups[1]["rate"] == 0.0
