"""Decides what is protected, where the token is read, and whether the stack keeps to its bound of money."""

from config.cluster import Provided
from config.settings import Settings
from planning.errors import Findings
from planning.plan import CostPlan, ProtectionPlan, SecretManagerSecret, TokenPlan
from planning.plan.environment import CLUSTER

TOKEN = "hugging-face-token"
SERVING_ACCOUNT = "model-server"


def plan_protection(settings: Settings, findings: Findings) -> ProtectionPlan:
    """What is not ours is not ours to protect."""
    joined = settings.cluster.existing
    pools = () if settings.cluster.provides(Provided.NODE_POOLS) else tuple(pool.name for pool in settings.node_pools)
    names = (*(() if joined else (CLUSTER,)), *pools)
    for index, name in enumerate(settings.acknowledge_replacement):
        path = f"acknowledgeReplacement[{index}]"
        if name not in names:
            findings.warn(path, f"{name!r} is nothing that this stack makes; it has {', '.join(names) or 'nothing'}")
        elif not settings.protection:
            findings.warn(path, "nothing is protected here, so there is nothing to let go; write protection: true")
    if CLUSTER in pools:
        index = next(index for index, pool in enumerate(settings.node_pools) if pool.name == CLUSTER)
        findings.refuse(f"nodePools[{index}].name", "'cluster' is what protection calls the cluster", "Write another")
    if not settings.protection:
        return ProtectionPlan(protected=())
    return ProtectionPlan(protected=tuple(name for name in names if name not in settings.acknowledge_replacement))


def plan_token(settings: Settings, prefix: str, findings: Findings) -> TokenPlan:
    if settings.token is None:
        return TokenPlan(name=TOKEN, secret=None)
    wanted = settings.token.secret_manager
    if wanted.version == "latest":
        findings.warn(
            "token.secretManager.version",
            "latest is read when a pod starts, so a new version rolls no server; a number does when it is changed",
        )
    return TokenPlan(
        name=TOKEN,
        secret=SecretManagerSecret(
            project=wanted.project,
            secret=wanted.secret,
            version=wanted.version,
            account_id=f"{prefix}-serving",
            service_account=SERVING_ACCOUNT,
        ),
    )


def check_spend(settings: Settings, cost: CostPlan, findings: Findings) -> None:
    """Compares the limit with the cost of all nodes that the autoscaler may add, since a bill can be that high."""
    bound = settings.spend
    if bound is None or bound.max_usd_per_hour is None:
        return
    unknown = [item.label for item in cost.items if item.usd_per_hour_at_most is None]
    if unknown and not bound.allow_unknown_price:
        findings.refuse(
            "spend.maxUsdPerHour",
            f"no price is known of {', '.join(unknown)}, so nobody can say that it keeps to the bound",
            "Write spend.allowUnknownPrice: true to count that as nothing",
        )
    total = sum(item.usd_per_hour_at_most or 0.0 for item in cost.items)
    if total > bound.max_usd_per_hour:
        findings.refuse(
            "spend.maxUsdPerHour",
            f"the stack may cost {total:.2f} USD an hour, and the bound is {bound.max_usd_per_hour:.2f}",
            "Write a higher bound, or fewer nodes at most",
        )
