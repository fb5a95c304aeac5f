"""The objects of one model server: Deployment or LeaderWorkerSet, its Services, its disruption budget."""

from typing import Any

from components.manifests import labels
from components.manifests.server_pod import Role, pod_template
from components.manifests.token import REVISION as TOKEN_REVISION
from components.manifests.token import TokenSource
from components.manifests.types import Manifest, ObjectMeta, PodTemplate
from planning.plan import ModelServerPlan


class Templates:
    """The pod templates of a server, each marked with the revision of all of them and with the token's."""

    def __init__(self, plan: ModelServerPlan, token: TokenSource) -> None:
        roles = (Role.LEADER, Role.WORKER) if plan.is_group else (Role.SERVER,)
        self._by_role = {role: pod_template(plan, role, token) for role in roles}
        self.revision = labels.revision_of(*self._by_role.values())
        for template in self._by_role.values():
            template["metadata"]["labels"][labels.REVISION] = self.revision
            template["metadata"]["annotations"][TOKEN_REVISION] = token.revision

    def __getitem__(self, role: Role) -> PodTemplate:
        return self._by_role[role]


def server(plan: ModelServerPlan, templates: Templates) -> Manifest:
    """The workload that runs the replicas: a Deployment, or a LeaderWorkerSet for groups."""
    return _group(plan, templates) if plan.is_group else _deployment(plan, templates)


def _deployment(plan: ModelServerPlan, templates: Templates) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(plan, plan.name, {"pulumi.com/timeoutSeconds": str(plan.lifecycle.rollout_deadline)}),
        "spec": {
            "replicas": plan.replicas,
            "progressDeadlineSeconds": plan.lifecycle.progress_deadline,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": plan.rollout.max_surge,
                    "maxUnavailable": plan.rollout.max_unavailable,
                },
            },
            "selector": {"matchLabels": labels.pods_of(plan)},
            "template": templates[Role.SERVER],
        },
    }


def _group(plan: ModelServerPlan, templates: Templates) -> Manifest:
    waiting = {
        "pulumi.com/waitFor": "condition=Available",
        "pulumi.com/timeoutSeconds": str(plan.lifecycle.rollout_deadline),
    }
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": _metadata(plan, plan.group_name, waiting),
        "spec": {
            "replicas": plan.replicas,
            # A leader waits for its workers to load, so they cannot wait for it to be ready.
            "startupPolicy": "LeaderCreated",
            "rolloutStrategy": {
                "type": "RollingUpdate",
                "rollingUpdateConfiguration": {
                    "maxSurge": plan.rollout.max_surge,
                    "maxUnavailable": plan.rollout.max_unavailable,
                    "partition": 0,
                },
            },
            "networkConfig": {"subdomainPolicy": "Shared"},
            "leaderWorkerTemplate": {
                "size": plan.shape.nodes,
                # vLLM cannot take back a lost rank, so all pods of the group must start again. But not while one of
                # them still pulls its image: a slow node would otherwise restart the others again and again.
                "restartPolicy": "RecreateGroupAfterStart",
                "leaderTemplate": templates[Role.LEADER],
                "workerTemplate": templates[Role.WORKER],
            },
        },
    }


def service(plan: ModelServerPlan) -> Manifest:
    """The Service for clients. It has the same name for both kinds of workload."""
    return _service(plan, plan.name, labels.answering_pods(plan))


def newest_service(plan: ModelServerPlan, revision: str) -> Manifest | None:
    """A Service that leads only to leaders of one revision, so that a smoke test never asks one that is about to be
    deleted; None for a Deployment.

    The Pulumi engine waits for the rollout of a Deployment, and from then on its own Service leads to the new pods
    alone. Of a group it waits for a condition that may still speak of the groups before the change.
    """
    if not plan.is_group:
        return None
    selector = {**labels.answering_pods(plan), labels.REVISION: revision}
    service = _service(plan, answering_service(plan), selector)
    service["metadata"]["labels"] = labels.SMOKE_TEST
    return service


def answering_service(plan: ModelServerPlan) -> str:
    """The name of the Service whose answer proves that the newest revision generates."""
    return f"{plan.name}-smoke" if plan.is_group else plan.name


def disruption_budget(plan: ModelServerPlan) -> Manifest | None:
    """The disruption budget; None for a single replica. It counts every pod of a group, since a group without one pod
    is lost."""
    if plan.min_available_pods is None:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(plan, plan.name),
        "spec": {
            "minAvailable": plan.min_available_pods,
            # A pod that was never ready does not keep its node from being drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels.pods_of(plan)},
        },
    }


def _service(plan: ModelServerPlan, name: str, selector: dict[str, str]) -> Manifest:
    deadline = {"pulumi.com/timeoutSeconds": str(plan.lifecycle.rollout_deadline)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(plan, name, deadline),
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [{"name": "http", "port": plan.port, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def _metadata(plan: ModelServerPlan, name: str, annotations: dict[str, Any] | None = None) -> ObjectMeta:
    metadata: ObjectMeta = {"name": name, "namespace": plan.namespace, "labels": labels.pods_of(plan)}
    return {**metadata, "annotations": annotations} if annotations else metadata
