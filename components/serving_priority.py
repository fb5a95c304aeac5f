"""The priority class of the model servers."""

from dataclasses import dataclass

import pulumi

from components.kubernetes_object import KubernetesObject
from components.manifests.common import priority_class
from planning.plan import PriorityClassPlan


@dataclass(frozen=True, kw_only=True)
class ServingPriorityArgs:
    plan: PriorityClassPlan


class ServingPriority(pulumi.ComponentResource):
    """Pods that wait for a GPU take it from whoever has a lower class."""

    name: str

    def __init__(self, name: str, args: ServingPriorityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ServingPriority", name, None, opts)
        self.name = args.plan.name
        KubernetesObject(f"{name}-class", priority_class(args.plan), pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
