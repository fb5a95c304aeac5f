"""One served model."""

from dataclasses import dataclass

import pulumi

from components.accelerator_node_pool import AcceleratorNodePool
from components.hugging_face_token import HuggingFaceToken
from components.kubernetes_object import KubernetesObject
from components.manifests import vllm as manifests
from planning.plan import ModelServerPlan


@dataclass(frozen=True, kw_only=True)
class VllmServerArgs:
    plan: ModelServerPlan
    node_pool: AcceleratorNodePool
    token: HuggingFaceToken


class VllmServer(pulumi.ComponentResource):
    """A Deployment of vLLM servers and the Service that finds them."""

    def __init__(self, name: str, args: VllmServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:VllmServer", name, None, opts)
        plan = args.plan
        self.deployment = KubernetesObject(
            f"{name}-deployment",
            manifests.deployment(plan, args.token.secret_name),
            # Its pods name the token's Secret, and wait for the pool's nodes, by strings only.
            pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.token, args.node_pool],
                custom_timeouts=pulumi.CustomTimeouts(
                    create=f"{plan.lifecycle.rollout_deadline}s", update=f"{plan.lifecycle.rollout_deadline}s"
                ),
            ),
        )
        KubernetesObject(
            f"{name}-service",
            manifests.service(plan),
            # A Service waits for endpoints, and these come with the servers.
            pulumi.ResourceOptions(parent=self, depends_on=[self.deployment]),
        )
        self.register_outputs({})
