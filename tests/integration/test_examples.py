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
from tests.integration.parts_examples import EXAMPLES, run_elsewhere


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


SCRIPTS = sorted(EXAMPLES.rglob("run.sh"))

by_script = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.parent.name)


@by_script
def test_settings_of_the_script_are_settings_of_the_program(path: Path) -> None:
    named = dict(re.findall(r"^(OUTRIDER_\w+)=(\S+) \\$", path.read_text(), re.MULTILINE))
    assert named
    load(named)


# The scripts, run. Those of real model servers are run in tests/integration/real.


PRICES = "[162.8, 225.8, 337.6, 167.0, 277.7]"


def test_grpc_example_calls_both_ports_and_shows_them_in_the_metrics(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "grpc")
    for way in ("REST:  ", "gRPC:  ", "stream:"):
        assert f"{way} {PRICES}" in printed
    service = "/inference.GRPCInferenceService"
    for line in (
        f'outrider_grpc_calls_total{{http_route="{service}/ModelInfer",rpc_grpc_status_code="0"}} 5.0',
        f'outrider_grpc_calls_total{{http_route="{service}/ModelInfer",rpc_grpc_status_code="3"}} 1.0',
        f'outrider_grpc_calls_total{{http_route="{service}/ModelStreamInfer",rpc_grpc_status_code="0"}} 1.0',
        f'outrider_messages_total{{direction="response",http_route="{service}/ModelStreamInfer"}} 5.0',
        'outrider_decoded_total{format="open-inference"} 7.0',
    ):
        assert line in printed
        assert line in (EXAMPLES / "grpc" / "README.md").read_text()


def test_grpc_example_shows_how_each_part_stands_and_drains(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "grpc")
    assert re.search(r"^\[\+\]upstream \S+ \(http:/v2/health/ready\) ok", printed, re.MULTILINE)
    assert re.search(r"^\[\+\]upstream \S+ \(grpc\) ok", printed, re.MULTILINE)
    assert printed.endswith("\ndrained\n")


def test_tls_example_speaks_all_protocols_and_takes_a_new_certificate(tmp_path: Path) -> None:
    printed = run_elsewhere(tmp_path, "tls")
    assert re.findall(r"\(HTTP/(\S+), status (\d+)\)", printed) == [("1.1", "200"), ("1.1", "200"), ("2", "200"), ("1.1", "200")]
    assert printed.count(PRICES) == 3
    before, now = re.findall(r"serial=(\w+)", printed)
    assert before != now
