"""Plans and manifests for the tests of this folder, from a few lines of a stack file."""

from typing import Any

from components.manifests.model_server import Templates, server
from components.manifests.server_pod import Role
from components.manifests.token import from_secret
from config.validate import validate
from planning.plan import ModelServerPlan, PlatformPlan
from planning.platform import plan_platform

TOKEN = from_secret("hugging-face-token")

H200 = {"name": "gpu", "accelerator": "h200", "zone": "us-central1-b", "nodes": 4, "capacity": {"kind": "spot"}}
H100_MEGA = {
    "name": "gpu",
    "accelerator": "h100-mega",
    "zone": "us-central1-a",
    "nodes": 4,
    "capacity": {"kind": "spot"},
}
L4 = {"name": "gpu", "accelerator": "l4", "zone": "us-central1-a", "nodes": 2, "capacity": {"kind": "spot"}}

GEMMA_1B = {"model": "google/gemma-3-1b-it"}
GEMMA_27B = {"model": "google/gemma-3-27b-it"}
ONE_GPU = {**GEMMA_1B, "tensorParallel": 1}
EIGHT_GPUS = {**GEMMA_27B, "tensorParallel": 8}
TWO_NODES = {**GEMMA_27B, "tensorParallel": 8, "pipelineParallel": 2}


def platform(
    *models: dict[str, Any],
    pool: dict[str, Any] = H200,
    callers: dict[str, Any] | None = None,
    **changes: Any,
) -> PlatformPlan:
    """The plan of a stack with these models, called model-0 and so on, on one pool."""
    named = [{"name": f"model-{index}", **model} for index, model in enumerate(models)]
    access = {"callers": callers or {}}
    values = {"region": "us-central1", "nodePools": [{**pool, **changes}], "models": named, "access": access}
    return plan_platform(validate("test", values, frozenset(), to_deploy=False), "test")


def planned(model: dict[str, Any], pool: dict[str, Any] = H200, **changes: Any) -> ModelServerPlan:
    return platform(model, pool=pool, **changes).models[0]


def templates(plan: ModelServerPlan) -> Templates:
    return Templates(plan, TOKEN)


def manifest(plan: ModelServerPlan) -> dict[str, Any]:
    return dict(server(plan, templates(plan)))


def pod(plan: ModelServerPlan, role: Role | None = None) -> dict[str, Any]:
    """The spec of the pod that answers requests, or of another role."""
    return templates(plan)[role or (Role.LEADER if plan.is_group else Role.SERVER)]["spec"]


def container(plan: ModelServerPlan, role: Role | None = None) -> dict[str, Any]:
    return pod(plan, role)["containers"][0]


def environment(plan: ModelServerPlan, role: Role | None = None) -> dict[str, str | None]:
    """The environment by name; a value is None where Kubernetes fills it in."""
    return {variable["name"]: variable.get("value") for variable in container(plan, role)["env"]}
