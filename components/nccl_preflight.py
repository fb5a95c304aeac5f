"""The test of the fabric between two nodes of a new pool."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.faces import AnyNodePool
from components.kubernetes_object import KubernetesObject
from components.manifests import nccl_preflight as manifests
from components.manifests import network_policies
from components.serving_namespace import ServingNamespace
from planning.plan import AccessPlan, PreflightPlan


@dataclass(frozen=True, kw_only=True)
class NcclPreflightArgs:
    plan: PreflightPlan
    access: AccessPlan
    node_pool: AnyNodePool
    namespace: ServingNamespace
    needs: Sequence[pulumi.Resource] = ()
    """The resources that install the plugin on the nodes and name their networks."""


class NcclPreflight(pulumi.ComponentResource):
    """The test, which runs when a pool is new, before anything else uses it.

    It does not run again when only its image or the installer changes: the pool is in use then, and a test that waits
    for two free nodes would stop the update. `make preflight` runs it by hand.
    """

    def __init__(self, name: str, args: NcclPreflightArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:NcclPreflight", name, None, opts)
        plan = args.plan
        # The object names its namespace by a string.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[args.namespace])
        policy = KubernetesObject(
            f"{name}-network-policy",
            network_policies.among(plan.name, plan.namespace, manifests.preflight_labels(plan), args.access),
            inside,
        )
        hosts = KubernetesObject(f"{name}-hosts", manifests.hosts(plan), inside)
        self.job = KubernetesObject(
            f"{name}-job",
            manifests.preflight(plan, _identity(args.node_pool)),
            pulumi.ResourceOptions(
                parent=self,
                # Its pods find each other, the plugin and the pool's nodes only by strings.
                depends_on=[policy, hosts, args.node_pool.ready, *args.needs],
                ignore_changes=["spec", "metadata.annotations"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{plan.deadline_seconds}s"),
            ),
        )
        self.register_outputs({})


def _identity(node_pool: AnyNodePool) -> str:
    """The identity of the pool's machines: other machines are a new pool, even with the same name."""
    plan = node_pool.plan
    text = f"{plan.name} {plan.machine_type} {plan.zone}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]
