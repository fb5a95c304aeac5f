"""`python -m verification.preflight --stack NAME`: measures the fabric between two free nodes of a pool again."""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.manifests.labels import labelled
from components.manifests.nccl_preflight import preflight
from config import ConfigurationError, read_stack_file
from planning.plan import PreflightPlan
from planning.platform import plan_platform
from verification.cluster_checks import GPU, NODE_POOL_LABEL, condition
from verification.job_checks import INSTANCE, JOB_LABEL, PREFLIGHT, bandwidth
from verification.kubectl import Kubectl
from verification.results import CheckFailed, NotObservable

POLL_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures again; returns 0 if every pool's fabric was measured and is as it should be, 2 if nothing could be
    measured, else 1."""
    options = _parse(arguments)
    kubectl = Kubectl(shlex.split(options.kubectl))
    try:
        platform = plan_platform(read_stack_file(Path.cwd(), options.stack), options.stack)
        jobs = kubectl.items("jobs", "--all-namespaces", f"--selector={JOB_LABEL}={PREFLIGHT}")
    except (ConfigurationError, CheckFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    plans, stack_labels = platform.preflights, platform.labels
    if not plans:
        print(f"no pool of stack {options.stack} has a preflight: none begins with two nodes of a fabric")
    by_plan = {job["metadata"]["labels"].get(INSTANCE): job for job in jobs}
    return max([_report(kubectl, plan, stack_labels, by_plan.get(plan.name)) for plan in plans], default=0)


def _report(kubectl: Kubectl, plan: PreflightPlan, stack_labels: Mapping[str, str], last: dict[str, Any] | None) -> int:
    try:
        if last is None:
            raise CheckFailed("it never ran: bring the stack up first, which runs it")
        free = free_nodes(kubectl, plan)
        print(f"{plan.name}: running on two of the free nodes {', '.join(free)}, with {plan.tested_with}", flush=True)
        print(f"{plan.name}: {bandwidth(kubectl, run_again(kubectl, plan, stack_labels, last))}")
    except NotObservable as error:
        print(f"{plan.name}: not observable here: {error}")
    except CheckFailed as error:
        print(f"{plan.name}: FAILED: {error}", file=sys.stderr)
        return 1
    return 0


def free_nodes(kubectl: Kubectl, plan: PreflightPlan) -> list[str]:
    """Nodes of the pool whose GPUs are free. Raises CheckFailed, with the pods on the other nodes, if they are too
    few."""
    users: dict[str, list[str]] = {}
    for node in kubectl.items("nodes", f"--selector={NODE_POOL_LABEL}={plan.node_pool}"):
        users[node["metadata"]["name"]] = ["nobody, being cordoned"] if node["spec"].get("unschedulable") else []
    for pod in kubectl.items(
        "pods", "--all-namespaces", "--field-selector=status.phase!=Succeeded,status.phase!=Failed"
    ):
        node = pod["spec"].get("nodeName")
        if node in users and _gpus(pod) and pod["metadata"].get("labels", {}).get(JOB_LABEL) != PREFLIGHT:
            users[node].append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    free = [node for node, pods in users.items() if not pods]
    if len(free) < plan.nodes:
        taken = "; ".join(f"{node} is used by {', '.join(pods)}" for node, pods in users.items() if pods)
        raise CheckFailed(
            f"it needs {plan.nodes} nodes of pool {plan.node_pool} with all their GPUs free (free now: "
            f"{', '.join(free) or 'none'}): {taken or 'the pool has no others'}"
        )
    return free


def run_again(
    kubectl: Kubectl, plan: PreflightPlan, stack_labels: Mapping[str, str], last: dict[str, Any]
) -> dict[str, Any]:
    """The Job as the plan has it today, once it has ended. The old one makes room, since its pods find each other by
    its name."""
    metadata = last["metadata"]
    name, where = metadata["name"], f"--namespace={metadata['namespace']}"
    job = labelled(preflight(plan, name.removeprefix(f"{plan.name}-")), stack_labels)
    # Pulumi's own label as well: to it this is the Job that it made.
    labels = {**metadata["labels"], **job["metadata"].get("labels", {})}
    wanted = {**job, "metadata": {**job["metadata"], "labels": labels}}
    kubectl.run("delete", "job", name, where, "--wait", "--cascade=foreground")
    kubectl.run("create", "--filename=-", stdin=json.dumps(wanted))
    deadline = time.monotonic() + plan.deadline_seconds + 60
    while time.monotonic() < deadline:
        current = kubectl.get("job", name, where)
        if condition(current, "Complete") or condition(current, "Failed"):
            return current
        time.sleep(POLL_SECONDS)
    raise CheckFailed("it does not end")


def _gpus(pod: dict[str, Any]) -> bool:
    containers: list[dict[str, Any]] = pod["spec"]["containers"]
    return any(GPU in each.get("resources", {}).get("requests", {}) for each in containers)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m verification.preflight", description=__doc__)
    parser.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml in this folder, which has the test")
    parser.add_argument("--kubectl", default="kubectl", help="the command to run; default: %(default)s")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
