"""`python -m maintenance.lint_manifests`: runs public linters over every pod of every stack, with the waivers that they
need.

A waiver is a row of the table in docs/serving.md: a check, the role of the pods that it is waived for, and the reason.
A finding without a row is an error, and so is a row that is no longer needed.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pulumi.automation.errors import CommandError

from config import stack_names
from maintenance.linters import checks, schemas
from maintenance.linters.checks import Finding
from maintenance.linters.pods import PodObject, Role, pod_objects, read
from maintenance.linters.tools import Linters, linters
from sandbox.home import Home
from sandbox.render import RenderError, render
from sandbox.scratch import scratch_folder
from sandbox.tools import ToolsError, cluster_tools, lws_chart

CHECKOUT = Path(__file__).parents[1]
_CONTEXT = ("Service", "NetworkPolicy", "PodDisruptionBudget")
"""The kinds by which the linters judge a pod."""
WAIVERS = CHECKOUT / "docs" / "serving.md"
_ROW = re.compile(r"^\| `(?P<check>[\w-]+)` \| (?P<roles>[a-z, ]+) \| (?P<reason>.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Waiver:
    check: str
    role: Role


def waivers() -> set[Waiver]:
    """The rows of the table: one waiver for each role that a row names."""
    text = WAIVERS.read_text(encoding="utf-8")
    return {Waiver(row["check"], Role(role.strip())) for row in _ROW.finditer(text) for role in row["roles"].split(",")}


def lint(tools: Linters, stack: str, say: Callable[[str], None]) -> list[tuple[PodObject | None, Finding]]:
    """The findings of the linters in a stack's manifests, each with the object that makes the pods in question."""
    with scratch_folder("lint") as work:
        problem = _render(stack, work / "rendered")
        if problem:
            return [(None, Finding("make render", "failed", "Stack", stack, problem))]
        manifests = read(work / "rendered")
        objects = pod_objects(manifests)
        found = [*checks.kubeconform(tools, _schemas(tools, work), _folder(work, "all", manifests))]
        homes = {each.manifest["metadata"]["namespace"] for each in objects}
        context = [m for m in manifests if m["kind"] in _CONTEXT and m["metadata"]["namespace"] in homes]
        pods = _folder(work, "pods", [each.manifest for each in objects] + context)
        found += [*checks.checkov(tools, pods), *checks.kube_score(tools, sorted(pods.glob("*.yaml")))]
    by_key = {each.key: each for each in objects}
    say(f"{stack}: {len(manifests)} objects, {len(objects)} that make pods, {len(found)} findings")
    return [(by_key.get((finding.kind, finding.name)), finding) for finding in found]


def _render(stack: str, out: Path) -> str | None:
    """Renders a stack; returns why that is not possible, or None."""
    said: list[str] = []
    try:
        render(Home.of(CHECKOUT, stack), out, said.append)
    except (CommandError, RenderError) as error:
        return next((line.partition("error:")[2].strip() for line in said if "error:" in line), str(error))
    return None


def _folder(work: Path, name: str, manifests: Sequence[dict[str, object]]) -> Path:
    folder = work / name
    folder.mkdir()
    for index, manifest in enumerate(manifests):
        (folder / f"{index:03}.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return folder


def _schemas(tools: Linters, work: Path) -> Path:
    folders = [
        lws_chart(lambda _: None) / "crds",
        cluster_tools(lambda _: None).gke_network_crds,
        *(CHECKOUT / "sandbox" / "charts").glob("*/crds"),
        CHECKOUT / "sandbox" / "cluster" / "kinds",
    ]
    kinds = [file for folder in folders for file in folder.rglob("*.yaml")]
    schemas.write(work / "schemas", tools.kubernetes_schemas, kinds)
    return work / "schemas"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m maintenance.lint_manifests", description=__doc__)
    parser.add_argument("stacks", nargs="*", help="default: all")
    stacks = parser.parse_args(arguments).stacks or stack_names(CHECKOUT)
    try:
        tools = linters(print)
        found = [each for stack in stacks for each in lint(tools, stack, print)]
    except ToolsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return judge(found, waivers(), whole=not arguments)


def judge(found: Sequence[tuple[PodObject | None, Finding]], allowed: set[Waiver], *, whole: bool) -> int:
    """Prints the findings without a waiver, those with one and their number, and, if all stacks were seen, waivers that
    are not needed."""
    used: Counter[Waiver] = Counter()
    failures: set[str] = set()
    for owner, finding in found:
        waiver = Waiver(finding.check, owner.role) if owner else None
        if waiver in allowed and waiver:
            used[waiver] += 1
        else:
            who = f"{owner.role} {owner.name}" if owner else f"{finding.kind} {finding.name}"
            failures.add(f"{finding.tool} {finding.check}: {who}: {finding.text}")
    for waiver, count in sorted(used.items(), key=lambda item: (item[0].check, item[0].role)):
        print(f"waived {count:4} x {waiver.check} on {waiver.role}")
    if whole:
        failures |= {f"docs/serving.md: nothing needs {w.check} on {w.role} any more" for w in allowed - set(used)}
    for failure in sorted(failures):
        print(failure, file=sys.stderr)
    print(f"{len(failures)} failed or critical")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
