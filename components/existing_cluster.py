"""A cluster that somebody else owns: read and checked, never changed or destroyed."""

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_gcp import container

from components.existing import said
from components.faces import StackContext
from components.gke_cluster import dns_endpoint
from components.node_identity import NodeIdentity, NodeIdentityArgs
from planning.plan import ExistingClusterPlan


@dataclass(frozen=True, kw_only=True)
class ExistingClusterArgs:
    plan: ExistingClusterPlan
    stack: StackContext
    """The stack, whose project may differ from the cluster's."""


class ExistingCluster(pulumi.ComponentResource):
    """An existing cluster. The stack's objects in it are deleted one by one."""

    cluster_name: str
    location: str
    project: str
    identifier: str
    endpoint: pulumi.Output[str]
    node_service_account: pulumi.Output[str]
    gone_with: pulumi.Resource | None = None
    ready: pulumi.Resource
    private_nodes: pulumi.Input[bool]

    def __init__(self, name: str, args: ExistingClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ExistingCluster", name, None, opts)
        plan = args.plan
        self.cluster_name = plan.name
        self.location = plan.location
        self.project = plan.project or args.stack.project
        self.identifier = f"projects/{self.project}/locations/{plan.location}/clusters/{plan.name}"
        self.ready = self
        # The APIs of an existing cluster are enabled; to wait for a service that is not enabled yet would hide the
        # cluster in a preview.
        read = pulumi.ResourceOptions(parent=self)
        self.resource = container.Cluster.get(f"{name}-cluster", self.identifier, opts=read)
        self.system_pool = container.NodePool.get(
            f"{name}-{plan.system_pool.name}", f"{self.identifier}/nodePools/{plan.system_pool.name}", opts=read
        )
        self.private_nodes = said(
            self.resource.private_cluster_config, lambda config: bool(config and config.enable_private_nodes)
        )
        # Everything that uses the cluster waits for the result of these checks.
        self.endpoint = pulumi.Output.all(
            version=self.resource.master_version,
            multi_networking=said(self.resource.enable_multi_networking, bool),
            datapath=said(self.resource.datapath_provider, str),
            workload_identity=said(self.resource.workload_identity_config, bool),
            secret_manager=said(self.resource.secret_manager_config, lambda config: bool(config and config.enabled)),
            managed_prometheus=said(self.resource.monitoring_config, _collects_metrics),
            endpoint=said(self.resource.control_plane_endpoints_config, dns_endpoint),
        ).apply(lambda found: _checked(plan, found))
        if plan.node_identity:
            identity = NodeIdentity(
                f"{name}-nodes",
                NodeIdentityArgs(plan=plan.node_identity, cluster_name=plan.name, stack=args.stack),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.node_service_account = identity.email
        self.register_outputs({"identifier": self.identifier, "endpoint": self.endpoint})


def _collects_metrics(config: container.outputs.ClusterMonitoringConfig | None) -> bool:
    return bool(config and config.managed_prometheus and config.managed_prometheus.enabled)


def _checked(plan: ExistingClusterPlan, found: dict[str, Any]) -> str:
    """The cluster's DNS endpoint. Raises RunError that lists everything about the cluster that does not suit the
    stack."""
    problems: list[str] = []
    if plan.version and not str(found["version"]).startswith(plan.version):
        problems.append(f"it runs {found['version']}, not {plan.version}")
    if plan.multi_networking and not found["multi_networking"]:
        problems.append("it has no multi-networking, which is chosen when a cluster is made, and the fabric needs it")
    if found["datapath"] != "ADVANCED_DATAPATH":
        problems.append("it has no Dataplane V2, so network policies would bind nobody")
    if not found["workload_identity"]:
        problems.append("it has no workload identity, so pods would be their nodes")
    if plan.secret_manager and not found["secret_manager"]:
        problems.append("it has no Secret Manager add-on, and token.secretManager needs it")
    if plan.managed_prometheus and not found["managed_prometheus"]:
        problems.append("it has no managed Prometheus, and alerts watch what that collects")
    if problems:
        raise pulumi.RunError(f"cluster.existing: {plan.name} will not do: {'; '.join(problems)}")
    return found["endpoint"]
