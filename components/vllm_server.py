"""One model server and what belongs to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.faces import AnyNodePool, AnyToken
from components.kubernetes_object import KubernetesObject
from components.leader_worker_set import LeaderWorkerSet
from components.manifests import model_server as manifests
from components.manifests import network_policies
from components.manifests.smoke_test import smoke_test
from planning.plan import ModelServerPlan


@dataclass(frozen=True, kw_only=True)
class VllmServerArgs:
    plan: ModelServerPlan
    node_pool: AnyNodePool
    token: AnyToken
    """The token in the server's own namespace."""
    priority_class: KubernetesObject
    leader_worker_set: LeaderWorkerSet
    needs: Sequence[pulumi.Resource] = ()
    """The resources that its pods name by strings: networks, claims, and software that must be on a node first."""


class VllmServer(pulumi.ComponentResource):
    """The servers, the Service that leads to them, and the test that they generate."""

    def __init__(self, name: str, args: VllmServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:VllmServer", name, None, opts)
        plan = args.plan
        templates = manifests.Templates(plan, args.token.source)
        # The objects name the namespace by a string, and the token is in it.
        in_namespace = pulumi.ResourceOptions(parent=self, depends_on=[args.token.ready])
        budget = manifests.disruption_budget(plan)
        if budget:
            KubernetesObject(f"{name}-disruption-budget", budget, in_namespace)
        # Its pods name the token's Secret, the class and the pool only by strings; a policy must exist before what it
        # applies to; and the controller brings a group's kind and webhooks.
        needs = [args.token.ready, args.priority_class, args.node_pool.ready, *args.needs]
        if plan.is_group:
            policy = KubernetesObject(f"{name}-network-policy", network_policies.group(plan), in_namespace)
            needs += [policy, args.leader_worker_set.chart]
        deadline = f"{plan.lifecycle.rollout_deadline}s"
        waits = pulumi.CustomTimeouts(create=deadline, update=deadline)
        self.server = KubernetesObject(
            f"{name}-server",
            manifests.server(plan, templates),
            pulumi.ResourceOptions(parent=self, depends_on=needs, custom_timeouts=waits),
        )
        # A Service waits for endpoints, which the servers provide.
        behind = pulumi.ResourceOptions(parent=self, depends_on=[self.server], custom_timeouts=waits)
        target = KubernetesObject(f"{name}-service", manifests.service(plan), behind)
        newest = manifests.newest_service(plan, templates.revision)
        if newest:
            target = KubernetesObject(f"{name}-smoke-service", newest, behind)
        self.smoke_test = KubernetesObject(
            f"{name}-smoke-test",
            smoke_test(plan, templates.revision, args.token.source),
            # The test asks by the Service's name.
            pulumi.ResourceOptions(parent=self, depends_on=[target]),
        )
        self.register_outputs({})
