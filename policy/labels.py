"""Rules for labels: they tell what runs, and who pays for what costs money."""

from collections.abc import Iterable, Mapping
from typing import Any

from policy.resource_types import CLUSTER, DEPLOYMENT, NODE_POOL
from policy.resources import Resource, Stack
from policy.rule import Level, Rule, stack_of

REQUIRED = "app.kubernetes.io/name"
PAYER = "cost-centre"
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "LeaderWorkerSet"})


def _workload(resource: Resource, _: Stack) -> Iterable[str]:
    if not resource.in_kubernetes or resource.kind not in _WORKLOADS:
        return
    if resource.unknown("metadata.labels") or resource.unknown(f"metadata.labels.{REQUIRED}"):
        return
    labels: Mapping[str, Any] = resource.get("metadata.labels") or {}
    if not labels.get(REQUIRED):
        yield f"has no label {REQUIRED}; name the program that runs"


def _payer(resource: Resource, stack: Stack) -> Iterable[str]:
    path = {CLUSTER: "resourceLabels", NODE_POOL: "nodeConfig.resourceLabels"}.get(resource.type)
    if not stack.production or path is None or resource.unknown(path):
        return
    labels: Mapping[str, Any] = resource.get(path) or {}
    if not labels.get(PAYER):
        yield f"has no label {PAYER}, by which the bill is split; write labels: {{{PAYER}: …}} in its stack file"


def _deployment(labels: Mapping[str, str]) -> Stack:
    metadata = {"name": "example", "labels": dict(labels)}
    properties: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}}
    return stack_of(Resource(type=DEPLOYMENT, name="example", properties=properties))


def _cluster(labels: Mapping[str, str]) -> Stack:
    properties = {"resourceLabels": dict(labels)}
    return stack_of(Resource(type=CLUSTER, name="example", properties=properties), name="production")


RULES = (
    Rule(
        id="labels-workload",
        level=Level.MANDATORY,
        reason="Dashboards, alerts and network policies find a workload by its recommended label.",
        check=_workload,
        failing=_deployment({"app": "example"}),
        passing=_deployment({REQUIRED: "vllm"}),
    ),
    Rule(
        id="labels-payer",
        level=Level.MANDATORY,
        reason="Production is the larger part of the bill; Google splits it by labels alone.",
        check=_payer,
        failing=_cluster({}),
        passing=_cluster({PAYER: "inference"}),
    ),
)
