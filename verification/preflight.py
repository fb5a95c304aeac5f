"""`python -m verification.preflight`: measures the fabric between two free nodes of a pool once more."""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Sequence
from typing import Any

from verification.cluster_checks import GPU, condition
from verification.job_checks import JOB_LABEL, PREFLIGHT, bandwidth
from verification.kubectl import Kubectl
from verification.results import CheckFailed, NotObservable

POLL_SECONDS = 2.0
# What the API server adds to a Job; the rest is the Job as it was written.
_METADATA = ("name", "namespace", "labels", "annotations")
_CONTROLLER_LABELS = (
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if every pool's fabric was measured and is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m verification.preflight", description=__doc__)
    parser.add_argument("--kubectl", default="kubectl", help="the command to run; default: %(default)s")
    kubectl = Kubectl(shlex.split(parser.parse_args(arguments).kubectl))
    try:
        jobs = kubectl.items("jobs", "--all-namespaces", f"--selector={JOB_LABEL}={PREFLIGHT}")
    except CheckFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not jobs:
        print("no pool of this cluster has a preflight: no server of it spans nodes")
    return max([_report(kubectl, job) for job in jobs], default=0)


def _report(kubectl: Kubectl, job: dict[str, Any]) -> int:
    name = job["metadata"]["name"]
    try:
        require_free_nodes(kubectl, job)
        print(f"{name}: running", flush=True)
        print(f"{name}: {bandwidth(kubectl, run_again(kubectl, job))}")
    except NotObservable as error:
        print(f"{name}: not observable here: {error}")
    except CheckFailed as error:
        print(f"{name}: FAILED: {error}", file=sys.stderr)
        return 1
    return 0


def require_free_nodes(kubectl: Kubectl, job: dict[str, Any]) -> None:
    """Raises CheckFailed with who is on which node, if fewer nodes than the Job needs have all their GPUs free."""
    selector: dict[str, str] = job["spec"]["template"]["spec"].get("nodeSelector", {})
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    users: dict[str, list[str]] = {}
    for node in kubectl.items("nodes", f"--selector={labels}"):
        users[node["metadata"]["name"]] = ["nobody, being cordoned"] if node["spec"].get("unschedulable") else []
    for pod in kubectl.items(
        "pods", "--all-namespaces", "--field-selector=status.phase!=Succeeded,status.phase!=Failed"
    ):
        node = pod["spec"].get("nodeName")
        if node in users and _gpus(pod) and pod["metadata"].get("labels", {}).get(JOB_LABEL) != PREFLIGHT:
            users[node].append(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    needed = job["spec"].get("completions", 1)
    free = [node for node, pods in users.items() if not pods]
    if len(free) < needed:
        taken = "; ".join(f"{node} is used by {', '.join(pods)}" for node, pods in users.items() if pods)
        raise CheckFailed(
            f"it needs {needed} nodes with all their GPUs free, and {len(free)} are: {taken or 'no others'}"
        )


def run_again(kubectl: Kubectl, job: dict[str, Any]) -> dict[str, Any]:
    """The Job, once it has ended anew. The old one makes room, since its pods find each other by its name."""
    metadata = job["metadata"]
    where = f"--namespace={metadata['namespace']}"
    kubectl.run("delete", "job", metadata["name"], where, "--wait", "--cascade=foreground")
    kubectl.run("create", "--filename=-", stdin=json.dumps(as_written(job)))
    deadline = time.monotonic() + job["spec"].get("activeDeadlineSeconds", 1800) + 60
    while time.monotonic() < deadline:
        current = kubectl.get("job", metadata["name"], where)
        if condition(current, "Complete") or condition(current, "Failed"):
            return current
        time.sleep(POLL_SECONDS)
    raise CheckFailed("it does not end")


def as_written(job: dict[str, Any]) -> dict[str, Any]:
    """Without what the API server and the Job's controller have added."""
    spec = {key: value for key, value in job["spec"].items() if key != "selector"}
    template = spec["template"]
    labels = {
        key: value for key, value in template["metadata"].get("labels", {}).items() if key not in _CONTROLLER_LABELS
    }
    return {
        "apiVersion": job["apiVersion"],
        "kind": job["kind"],
        "metadata": {key: job["metadata"][key] for key in _METADATA if key in job["metadata"]},
        "spec": {**spec, "template": {**template, "metadata": {**template["metadata"], "labels": labels}}},
    }


def _gpus(pod: dict[str, Any]) -> bool:
    containers: list[dict[str, Any]] = pod["spec"]["containers"]
    return any(GPU in each.get("resources", {}).get("requests", {}) for each in containers)


if __name__ == "__main__":
    sys.exit(main())
