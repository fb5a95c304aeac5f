"""A cluster that somebody made becomes a stack's own, by docs/operations.md's commands and the real Pulumi engine."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from sandbox.cluster import ControlPlane
from sandbox.home import Home
from sandbox.paper import paper_pulumi_engine
from sandbox.project import PROJECT_ID
from sandbox.tools import cluster_tools, lws_chart
from sandbox.unfinished import import_command
from tests.sandbox.conftest import CHECKOUT, copy_checkout
from tests.sandbox.test_plain_way import TOKEN, Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

POOL, NAT = "gcp:container/nodePool:NodePool", "gcp:compute/routerNat:RouterNat"
LEFT_OUT = ("Service", "IAMMember")
"""Types that Google takes a second time as if it were the first, so that nobody need look for their ids."""


@dataclass(frozen=True)
class Given:
    """A whole dev platform at Google, of whose making no state is left."""

    project: Project
    cloud: int
    ids: dict[str, str]
    """By type and name at Google."""

    def pulumi(self, *arguments: str) -> str:
        run = self.project.pulumi(*arguments, cloud=self.cloud)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def steps(self) -> dict[str, dict[str, Any]]:
        """What a preview would do with Google's resources, by type and name in the program."""
        steps = json.loads(self.pulumi("preview", "--json"))["steps"]
        return {each["urn"].split("$")[-1]: each for each in steps if "gcp:" in each["urn"].split("::")[2]}


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = tmp_path_factory.mktemp("import")
    home = Home.of(CHECKOUT, "dev").beside(folder / "home")
    with paper_pulumi_engine(home, print) as running:
        running.up(print)
    resources = json.loads(home.cloud.read_text())["resources"]
    (folder / "backend").mkdir()
    project = Project(copy_checkout(folder / "checkout").folder, folder / "backend")
    for command in (
        ["stack", "init", "dev"],
        ["config", "set", "project", PROJECT_ID],
        ["config", "set", "--secret", "huggingFaceToken", TOKEN],
        ["config", "set", "--path", "leaderWorkerSet.chart", str(lws_chart(print))],
    ):
        assert project.pulumi(*command).returncode == 0
    ids = {f"{record['token']} {id_.split('/')[-1].split('@')[0]}": id_ for id_, record in resources.items()}
    # From here on there is a cluster behind the record, as there is at Google.
    project.environment |= {
        "PATH": os.pathsep.join([str(CHECKOUT / "sandbox" / "bin"), project.environment["PATH"]]),
        "SSL_CERT_FILE": str(home.clusters / "ca.pem"),
        "SANDBOX_CLUSTERS": str(home.clusters),
        "GOOGLE_APPLICATION_CREDENTIALS": str(home.application_default_credentials),
    }
    with serve_cloud(home.cloud, home.clusters, cluster_tools(print)) as port:
        yield Given(project, port, ids)
    ControlPlane(home.clusters / "dev-cluster").destroy()


def test_what_is_there_is_imported_under_the_programs_own_components(given: Given) -> None:
    file = given.project.folder / "import.json"
    given.pulumi("preview", "--import-file", str(file))
    listed = json.loads(file.read_text())
    entries: list[dict[str, Any]] = []
    for each in listed["resources"]:
        type_ = each["type"]
        if each.get("component") or type_ == "pulumi:providers:gcp":
            entries.append(each)
        elif type_.startswith("gcp:") and not type_.endswith(LEFT_OUT):
            (found,) = [id_ for key, id_ in given.ids.items() if key.startswith(f"{type_} ") and _is(each, key)]
            entries.append({**each, "id": found})
    file.write_text(json.dumps({**listed, "resources": entries}))
    given.pulumi("import", "--file", str(file), "--yes", "--generate-code=false", "--protect=false")
    state = json.loads(given.pulumi("stack", "export"))["deployment"]["resources"]
    (cluster,) = [each for each in state if each["type"] == "gcp:container/cluster:Cluster"]
    assert cluster["parent"].endswith("::inference-platform:components:GkeCluster::gke")
    assert cluster["id"] == given.ids["gcp:container/cluster:Cluster dev-cluster"]


def test_then_nothing_of_it_is_made_anew(given: Given) -> None:
    left = {key: step["op"] for key, step in given.steps().items()}
    assert {key.split("::")[0].endswith(LEFT_OUT) for key in left} == {True}
    assert set(left.values()) == {"create"}


def test_and_what_the_stack_file_says_otherwise_shows_before_it_is_done(given: Given) -> None:
    given.pulumi("config", "set", "--path", "cluster.releaseChannel", "rapid")
    step = given.steps()["gcp:container/cluster:Cluster::gke-cluster"]
    assert step["op"] == "update" and [*step["detailedDiff"]] == ["releaseChannel.channel"]


def test_a_creation_that_a_kill_cut_off_is_taken_in_by_the_pages_own_commands(given: Given) -> None:
    pool = _forget(given, [POOL, NAT])[POOL]
    page = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^  (pulumi stack export \| jq .*?)^  ```", page, re.MULTILINE | re.DOTALL)
    printed = given.project.run("sh", "-c", command)
    assert printed.returncode == 0, printed.stderr
    lines = {line.split("'")[1]: line for line in printed.stdout.splitlines()}
    assert set(lines) == {POOL, NAT}
    words = shlex.split(lines[POOL].replace(" ID ", f" {pool['id']} "))
    assert words == shlex.split(import_command(pool)), "the sandbox prints the page's command"
    given.pulumi(*words[1:], "--yes")
    given.pulumi("refresh", "--clear-pending-creates", "--yes", "--skip-preview")
    deployment = json.loads(given.pulumi("stack", "export"))["deployment"]
    assert [each["id"] for each in deployment["resources"] if each["urn"] == pool["urn"]] == [pool["id"]]
    # Nobody took this one in, and its note is forgotten all the same.
    assert not [each for each in deployment["resources"] if each["type"] == NAT]
    assert not deployment.get("pending_operations")
    assert {step["op"] for key, step in given.steps().items() if key.startswith(POOL)} <= {"same"}


def _forget(given: Given, types: list[str]) -> dict[str, dict[str, Any]]:
    """Leaves the state as if the engine had been killed while it made the last resource of each type; returns them."""
    (file,) = given.project.folder.parent.glob("backend/.pulumi/stacks/*/dev.json")
    content = json.loads(file.read_text())
    deployment = content["checkpoint"]["latest"]
    taken = {each["type"]: each for each in deployment["resources"] if each["type"] in types}
    assert set(taken) == set(types)
    deployment["resources"] = [each for each in deployment["resources"] if each not in taken.values()]
    deployment["pending_operations"] = [
        {"type": "creating", "resource": {key: part for key, part in each.items() if key not in ("id", "outputs")}}
        for each in taken.values()
    ]
    file.write_text(json.dumps(content))
    return taken


def _is(entry: dict[str, Any], key: str) -> bool:
    """Whether that is the pool that the entry is for; of every other type there is one."""
    return (
        not entry["type"].endswith(":NodePool")
        or entry["name"] == {"system": "gke-system", "l4": "l4-pool"}[key.rsplit(" ", 1)[1]]
    )
