"""The tools' cache keeps its promises: what is there is used, nothing is made twice, nothing half-made is left."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi_kubernetes
import pytest
from pulumi._types import input_type_types

from sandbox.tools import pulumi_environment, pulumi_tools
from tests.sandbox.signals import BACKGROUND, TERMINAL, started_from

_ROOT = Path(__file__).parents[2]

# Stands for the Go command: answers `version` and `mod download -json`, and "builds" files of the names that Go gives.
_FAKE_GO = """\
    #!{python}
    import json, os, pathlib, re, sys, time
    here = pathlib.Path(__file__).parent
    with (here / "calls").open("a") as calls:
        calls.write(sys.argv[1] + "\\n")
    if sys.argv[1] == "version":
        print("go version go{version} linux/amd64")
    elif sys.argv[1] == "mod":
        for module in sys.argv[4:]:
            print(json.dumps({{"Path": module, "Dir": str(here / "modules" / module)}}))
    else:
        out = pathlib.Path(next(word for word in sys.argv if word.startswith("-o="))[3:])
        (out / "begun").touch()
        (here / "pid").write_text(str(os.getpid()))
        if "{build}" == "fail":
            sys.exit("some/package\\nmain.go:1:1: undefined: everything")
        if "{build}" == "hang":
            time.sleep(600)
        time.sleep(0.3)
        for package in sys.argv[sys.argv.index(next(w for w in sys.argv if w.startswith("-o="))) + 1 :]:
            parts = package.split("/")
            (out / (parts[-2] if re.fullmatch("v[0-9]+", parts[-1]) else parts[-1])).touch()
    """

_CHART = "kubernetes:helm.sh/v4:Chart"
Schema = dict[str, dict[str, Any]]

_CLUSTER = "print(cluster_tools(report).kubectl)"
_PULUMI = "print(pulumi_tools(report).pulumi)"


@dataclass(frozen=True)
class Machine:
    """A PATH with nothing but what a test puts there, an empty cache, and no way to the network."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "bin"

    @property
    def cache(self) -> Path:
        return self.folder / "cache" / "inference-platform" / "tools"

    def environment(self) -> dict[str, str]:
        nowhere = "http://127.0.0.1:9"
        return {
            "PATH": str(self.path),
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "https_proxy": nowhere,
            "HTTPS_PROXY": nowhere,
        }

    def executable(self, name: str, text: str) -> Path:
        file = self.path / name
        file.write_text(textwrap.dedent(text))
        file.chmod(0o755)
        return file

    def go(self, *, version: str = "1.99.0", build: str = "succeed") -> Path:
        for inside in (
            "sigs.k8s.io/kwok/kustomize/stage",
            "sigs.k8s.io/lws/charts/lws",
            "sigs.k8s.io/gateway-api/config/crd/standard",
            "github.com/GoogleCloudPlatform/gke-networking-api/config/crds",
        ):
            (self.path / "modules" / inside).mkdir(parents=True, exist_ok=True)
        return self.executable("go", _FAKE_GO.format(python=sys.executable, version=version, build=build))

    def builds(self) -> int:
        calls = self.path / "calls"
        return calls.read_text().split().count("build") if calls.exists() else 0

    def start(self, code: str) -> subprocess.Popen[str]:
        program = f"""\
            import sys
            from sandbox.tools import ToolsError, cluster_tools, pulumi_tools
            def report(line):
                print(line, file=sys.stderr, flush=True)
            try:
                {code}
            except ToolsError as error:
                sys.exit(f"error: {{error}}")
            """
        return self.start_command([sys.executable, "-c", textwrap.dedent(program)])

    def start_command(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=_ROOT,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str) -> tuple[str, str]:
        with self.start(code) as child:
            output, errors = child.communicate(timeout=60)
        return output.strip(), errors.strip()

    def entries(self) -> list[str]:
        """Complete or partial folders of programs in the cache."""
        return sorted(path.name for path in self.cache.iterdir() if path.is_dir() and "manifests" not in path.name)

    def wait_for_build(self) -> int:
        """The process that builds."""
        deadline = time.monotonic() + 30
        while not (self.path / "pid").exists() or not (self.path / "pid").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return int((self.path / "pid").read_text())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    return Machine(tmp_path)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_good_pulumi_and_provider_on_path_are_used_as_they_are(machine: Machine) -> None:
    pulumi = machine.executable("pulumi", "#!/bin/sh\necho v3.999.1\n")
    provider = machine.executable("pulumi-resource-kubernetes", "#!/bin/sh\n")
    output, errors = machine.run(
        "tools = pulumi_tools(report); print(tools.pulumi, tools.kubernetes_provider.resolve())"
    )
    assert (output, errors) == (f"{pulumi} {provider}", "")


@pytest.mark.parametrize("answer", ["v3.100.0", "v4.0.0", "nonsense"])
def test_an_unfit_pulumi_on_path_is_named_and_not_used(machine: Machine, answer: str) -> None:
    pulumi = machine.executable("pulumi", f"#!/bin/sh\necho {answer}\n")
    output, errors = machine.run(_PULUMI)
    assert output == ""
    assert errors.startswith(f"not using {pulumi} (version {answer})")
    assert "error: Go " in errors


def test_without_go_and_network_one_line_says_what_is_needed(machine: Machine) -> None:
    _, errors = machine.run(_CLUSTER)
    last = errors.splitlines()[-1]
    assert last.startswith("error: Go 1.") and "or newer is needed" in last and "no go is on PATH" in last
    assert "Traceback" not in errors


def test_an_old_go_is_named_with_the_version_that_is_needed(machine: Machine) -> None:
    machine.go(version="1.20.3")
    _, errors = machine.run(_CLUSTER)
    assert "or newer is needed" in errors and "found 1.20.3" in errors
    assert machine.builds() == 0


def test_the_second_call_needs_no_go(machine: Machine) -> None:
    go = machine.go()
    first, progress = machine.run(_CLUSTER)
    go.unlink()
    second, silence = machine.run(_CLUSTER)
    assert "building Kubernetes" in progress and "minutes" in progress
    assert Path(first).is_file()
    assert (second, silence) == (first, "")


def test_two_processes_build_the_same_thing_once(machine: Machine) -> None:
    machine.go()
    children = [machine.start(_CLUSTER) for _ in range(2)]
    outputs = {child.communicate(timeout=60)[0] for child in children}
    assert len(outputs) == 1
    assert Path(outputs.pop().strip()).is_file()
    assert machine.builds() == 1


def test_a_failed_build_is_told_in_one_line_with_its_log(machine: Machine) -> None:
    machine.go(build="fail")
    _, errors = machine.run(_CLUSTER)
    last = errors.splitlines()[-1]
    assert last.startswith("error: building Kubernetes") and "undefined: everything" in last
    log = Path(last.rpartition("log: ")[2].rstrip(")"))
    assert "undefined: everything" in log.read_text()
    assert machine.entries() == []


@pytest.mark.parametrize(
    ("where", "sent"),
    [(TERMINAL, signal.SIGINT), (BACKGROUND, signal.SIGINT), (TERMINAL, signal.SIGTERM), (BACKGROUND, signal.SIGTERM)],
)
@pytest.mark.parametrize("module", [["sandbox.tools"], ["sandbox", "up", "--stack", "dev"]], ids=lambda it: it[0])
def test_an_interrupted_build_ends_and_leaves_nothing(
    machine: Machine, module: list[str], where: signal.Handlers, sent: signal.Signals
) -> None:
    machine.go(build="hang")
    with machine.start_command(started_from(where, [sys.executable, "-m", *module])) as child:
        builder = machine.wait_for_build()
        child.send_signal(sent)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in errors
    assert machine.entries() == []
    assert not _alive(builder)


def test_what_a_killed_build_left_is_cleared_and_made_anew(machine: Machine) -> None:
    machine.go(build="hang")
    with machine.start(_CLUSTER) as child:
        builder = machine.wait_for_build()
        child.kill()
        os.kill(builder, signal.SIGKILL)
    assert [name for name in machine.entries() if name.endswith(".partial")]
    machine.go()
    output, _ = machine.run(_CLUSTER)
    assert Path(output).is_file()
    assert machine.entries() == [Path(output).parent.name]


def test_the_provider_knows_every_input_that_the_program_uses(schema: Schema) -> None:
    assert {
        "kubeconfig",
        "clusterIdentifier",
        "enableServerSideApply",
        "deleteUnreachable",
        "renderYamlToDirectory",
    } <= set(schema["provider"]["inputProperties"])
    assert {"chart", "namespace", "values", "version", "repositoryOpts"} <= _resource_inputs(schema, _CHART)


def test_the_provider_lacks_only_inputs_that_are_known_to_be_missing(schema: Schema) -> None:
    """The differences to the SDK that the documentation of the sandbox lists."""
    provider = set(input_type_types(pulumi_kubernetes.ProviderArgs)) - set(schema["provider"]["inputProperties"])
    assert provider <= {"alwaysRender", "enablePatchForce", "upsertExistingObjects"}
    chart = set(input_type_types(pulumi_kubernetes.helm.v4.ChartArgs)) - _resource_inputs(schema, _CHART)
    assert chart <= {"includeHooks"}


def _resource_inputs(schema: Schema, token: str) -> set[str]:
    return set(schema["resources"][token]["inputProperties"])


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    tools = pulumi_tools(print)
    outcome = subprocess.run(
        [tools.pulumi, "package", "get-schema", tools.kubernetes_provider],
        env={**os.environ, **pulumi_environment(tools, tmp_path_factory.mktemp("pulumi"))},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(outcome.stdout)
