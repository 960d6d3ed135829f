"""The examples do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import load
from agent.profile.read import read

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((EXAMPLES / "docker" / "compose.yaml").read_text())


@pytest.mark.parametrize("frame", ["training", "training.to_pandas()", "training.to_arrow()"])
def test_profile_from_python(tmp_path: Path, frame: str) -> None:
    for package in ("polars", "pandas", "pyarrow"):
        pytest.importorskip(package)
    source = (EXAMPLES / "python" / "build_profile.py").read_text()
    script = tmp_path / "build_profile.py"
    script.write_text(re.sub(r"^ +training,.*$", f"    {frame},", source, flags=re.MULTILINE))
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    profile = read(tmp_path / "profile.json")
    assert (profile.model.name, profile.model.version, profile.model.task) == ("houses", "3", "regression")
    roles = {column.name: column.role for column in profile.columns}
    assert roles == {
        "area_m2": "feature",
        "age_years": "feature",
        "area": "feature",
        "price": "label",
        "predicted_price": "prediction",
    }


def test_compose_sets_what_the_program_reads(compose: Any) -> None:
    outrider = compose["services"]["outrider"]
    settings = load(outrider["environment"])
    published = {int(port.rpartition(":")[2]) for port in outrider["ports"]}
    assert published == {settings.listen[0].port, settings.admin.port}
    assert str(settings.health) in " ".join(outrider["healthcheck"]["test"]).replace("127.0.0.1", "0.0.0.0")
    assert int(outrider["stop_grace_period"].removesuffix("s")) > settings.drain_delay_s + settings.drain_timeout_s + 10


def test_compose_puts_the_model_behind_outrider(compose: Any) -> None:
    model = compose["services"]["model"]
    assert model["network_mode"] == "service:outrider"
    assert "ports" not in model


def test_compose_mounts_files_that_exist(compose: Any) -> None:
    mounted = [entry.split(":")[0] for service in compose["services"].values() for entry in service.get("volumes", ())]
    assert mounted
    assert [path for path in mounted if not (EXAMPLES / "docker" / path).exists()] == []


def test_compose_lets_prometheus_scrape_the_admin_port(compose: Any) -> None:
    scraped = yaml.safe_load((EXAMPLES / "docker" / "prometheus.yaml").read_text())
    (target,) = scraped["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target == f"outrider:{load(compose['services']['outrider']['environment']).admin.port}"


def test_settings_of_the_script_are_settings_of_the_program() -> None:
    script = (EXAMPLES / "plain" / "run.sh").read_text()
    load(dict(re.findall(r"^(OUTRIDER_\w+)=(\S+) \\$", script, re.MULTILINE)))
