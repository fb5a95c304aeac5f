"""A newcomer's walk: the commands of README.md and docs/operations.md as they stand there, one after the other."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cloud.scenario import read_scenario
from sandbox.cloud.store import State, Store
from sandbox.cloud.tables import Tables
from sandbox.google.server import World, serve_google
from sandbox.tools import cluster_tools, lws_chart
from tests.sandbox.conftest import CHECKOUT, Checkout, copy_checkout
from tests.sandbox.plain_cli import Project
from tests.unit.test_docs_commands import WALKED, google_walk, walk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def typed(checkout: Checkout, line: str) -> str:
    run = subprocess.run(line, shell=True, cwd=checkout.folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
    return run.stdout


@pytest.mark.parametrize("page", WALKED)
def test_every_command_of_the_page_works_in_its_order(checkout: Checkout, page: str) -> None:
    lines = walk(page)
    assert len(lines) > 3
    for line in lines:
        typed(checkout, line)
    assert not (checkout.folder / ".sandbox").exists()


def test_bare_make_lists_what_a_person_may_want(checkout: Checkout) -> None:
    listed = set(re.findall(r"^  make ([a-z-]+)", typed(checkout, "make"), re.MULTILINE))
    assert {"setup", "plan", "up", "verify", "destroy", "test"} <= listed


def test_the_pages_that_are_made_are_todays(checkout: Checkout) -> None:
    checkout.succeed("record", "h200", PART="docs")
    changed = subprocess.run(
        ["git", "diff", "--name-only"], cwd=checkout.folder, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""


TOKEN = "hf_canaryofthenewcomer"


class NewMachine(Project):
    """A clone on a machine without any state of gcloud's, Pulumi's or kubectl's, and a Google at the other end."""

    def __init__(self, folder: Path) -> None:
        for name in ("clone", "backend", "home", "pulumi"):
            (folder / name).mkdir()
        super().__init__(copy_checkout(folder / "clone").folder, folder / "backend")
        self.clusters = folder / "clusters"
        (folder / "pulumi" / "plugins").symlink_to(Path(self.environment["PULUMI_HOME"]) / "plugins")
        kubectl = cluster_tools(lambda _: None).kubectl
        known = {name: text for name, text in self.environment.items() if not name.startswith(("CLOUDSDK_", "GOOGLE_"))}
        path = [str(CHECKOUT / "sandbox" / "bin"), str(kubectl.parent), known["PATH"]]
        known |= {
            "PATH": os.pathsep.join(path),
            "HOME": str(folder / "home"),
            "PULUMI_HOME": str(folder / "pulumi"),
            "SSL_CERT_FILE": str(self.clusters / "ca.pem"),
            "SANDBOX_CLUSTERS": str(self.clusters),
            # Nobody is there to be asked.
            "PULUMI_SKIP_CONFIRMATIONS": "true",
        }
        known.pop("KUBECONFIG")
        self.environment = known

    def types(self, line: str, google: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """`google`: variables that lead to a Google."""
        environment = {**self.environment, **google}
        return subprocess.run(
            line,
            shell=True,
            cwd=self.folder,
            env=environment,
            input=TOKEN,
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def google(folder: Path, clusters: Path) -> Iterator[dict[str, str]]:
    """Variables that lead the Pulumi engine, the checks and a login to a stand-in."""
    told, state = read_scenario(None), folder / "cloud.json"

    def seen() -> State:
        return Store(state).read() if state.is_file() else State()

    world = World("acme-inference", seen, Tables(told.families, told.reservations), told.google, ())
    with serve_google(world) as apis, serve_cloud(state, clusters, cluster_tools(lambda _: None)) as port:
        variables = dict(apis.environment)
        login = variables.pop("GOOGLE_APPLICATION_CREDENTIALS")
        yield {**variables, "SANDBOX_LOGIN": login, "PULUMI_DEBUG_PROVIDERS": f"gcp:{port}"}


def test_the_part_on_google_works_on_a_machine_without_any_login(tmp_path: Path) -> None:
    machine = NewMachine(tmp_path)
    lines = google_walk("README.md")
    # Whoever builds the cloud needs no second login for what is in the cluster.
    assert lines.index("gcloud auth application-default login") < lines.index("pulumi up")
    assert lines.index("pulumi up") < lines.index("gcloud auth login")
    said: dict[str, str] = {}
    with google(tmp_path, machine.clusters) as there:
        for line in lines:
            if line == "pulumi up":
                # The chart's registry is out of reach here.
                chart = f"pulumi config set --path leaderWorkerSet.chart {lws_chart(lambda _: None)}"
                assert machine.types(chart, there).returncode == 0
            run = machine.types(line.replace("<your Google Cloud project id>", "acme-inference"), there)
            assert run.returncode == 0, f"{line}\n{run.stdout}{run.stderr}"
            said[line] = run.stdout
    assert "gemma-3-1b" in said["pulumi stack output models"]
    assert all(TOKEN not in text for text in said.values())
