"""Statements about a change that a reader must know first, each with its gravity."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from review.events import UNKNOWN, Action, EventLog, PropertyChange, ResourceChange, Violation
from review.plans import ModelView, PlanView
from review.service import moved

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"


class Gravity(IntEnum):
    """How serious a statement is; the most serious comes first."""

    FAILED = 0
    FORBIDDEN = 1
    CLUSTER_LOST = 2
    POOL_LOST = 3
    MODEL_LOST = 4
    REPLACED = 5
    SERVICE = 6
    MODEL_RESTARTS = 7
    SIZE = 8
    ADDED = 9
    IN_PLACE = 10
    NOTHING = 11


@dataclass(frozen=True)
class Statement:
    gravity: Gravity
    text: str
    """One line of Markdown: names in backquotes, and the most serious words in bold."""

    @property
    def sign(self) -> str:
        if self.gravity <= Gravity.FORBIDDEN:
            return "⛔"
        if self.gravity <= Gravity.REPLACED:
            return "⚠️"
        return "✅" if self.gravity is Gravity.NOTHING else "🔹"


def statements(
    log: EventLog, before: PlanView | None, after: PlanView | None, violations: tuple[Violation, ...]
) -> tuple[Statement, ...]:
    """All statements about a change, the most serious first; at least one."""
    found = [*_failure(log), *_forbidden(violations), *_lost(log, before, after)]
    if before and after:
        found += [*_models(before, after), *_sizes(before, after), *_upgrades(before, after)]
    if not found:
        found += _otherwise(log)
    return tuple(sorted(found, key=lambda statement: statement.gravity))


def _failure(log: EventLog) -> Iterable[Statement]:
    if log.errors:
        yield Statement(Gravity.FAILED, f"**The preview failed**: {_cut(log.first_error)}")


def _forbidden(violations: tuple[Violation, ...]) -> Iterable[Statement]:
    rules = sorted({violation.rule for violation in violations if violation.mandatory})
    if rules:
        yield Statement(Gravity.FORBIDDEN, f"**{_count(len(rules), 'rule')} broken**: {_names(rules)}")


def _lost(log: EventLog, before: PlanView | None, after: PlanView | None) -> Iterable[Statement]:
    for change in log.changed:
        if change.type != CLUSTER:
            continue
        if change.action is Action.REPLACE:
            yield Statement(
                Gravity.CLUSTER_LOST,
                f"**Replaces the cluster {_google_name(change)}**{_because(change, log)}: everything on it goes down",
            )
        elif change.action is Action.DELETE:
            text = f"**Deletes the cluster {_google_name(change)}**, and everything on it"
            yield Statement(Gravity.CLUSTER_LOST, text)
    for change in log.changed:
        # A pool that is deleted with its cluster is told together with the cluster.
        follows = change.causes == ("cluster",)
        if change.type == NODE_POOL and change.action in (Action.REPLACE, Action.DELETE) and not follows:
            verb = "Replaces" if change.action is Action.REPLACE else "Deletes"
            yield Statement(
                Gravity.POOL_LOST,
                f"**{verb} node pool {_google_name(change)}**{_machines(change, before, after)}{_because(change, log)}"
                f"{_on_pool(change, before)}",
            )


def _because(change: ResourceChange, log: EventLog) -> str:
    """The properties that replace a resource, with list elements as one, and why a resource that they name is replaced
    too."""
    causes = [one for one in change.properties if one.replaces]
    if not causes:
        return ""
    first = causes[0]
    names = list(dict.fromkeys(one.path.split("[")[0] for one in causes))
    more = f", {_names(names[1:], most=2)}" if names[1:] else ""
    stands_on = _replaced(first, log)
    if stands_on:
        return f" because its `{names[0]}` is replaced{_because(stands_on, log)}{more}"
    values = f" ({first.before} → {first.after})" if first.before and first.after else ""
    return f" because of `{names[0]}`{values}{more}"


def _replaced(cause: PropertyChange, log: EventLog) -> ResourceChange | None:
    """The resource that a property names, if it is replaced too and so its new name is not known yet; else None."""
    if cause.after != UNKNOWN:
        return None
    return next(
        (
            change
            for change in log.changed
            if change.action is Action.REPLACE and cause.before.endswith(f"/{change.inputs.get('name')}")
        ),
        None,
    )


def _machines(change: ResourceChange, before: PlanView | None, after: PlanView | None) -> str:
    name = str(change.inputs.get("name", ""))
    old, new = (plan.pool_named(name) if plan else None for plan in (before, after))
    if old is None or new is None or old.machine_type == new.machine_type:
        return ""
    return f" ({old.machine_type} → {new.machine_type})"


def _on_pool(change: ResourceChange, before: PlanView | None) -> str:
    name = str(change.inputs.get("name", ""))
    models = [model.name for model in before.models if model.node_pool == name] if before else []
    if not models:
        return ""
    return f"; {_names(models)} {'stop' if len(models) > 1 else 'stops'} meanwhile"


def _google_name(change: ResourceChange) -> str:
    return f"`{change.inputs.get('name', change.name)}`"


def _models(before: PlanView, after: PlanView) -> Iterable[Statement]:
    for model in before.models:
        if after.model_named(model.name) is None:
            yield Statement(Gravity.MODEL_LOST, f"**Removes model `{model.name}`** ({model.model})")
    for model in after.models:
        old = before.model_named(model.name)
        if old is None:
            yield Statement(
                Gravity.ADDED,
                f"Adds model `{model.name}` ({model.model}): {model.shape}, {_count(model.replicas, 'replica')} "
                f"on pool `{model.node_pool}`",
            )
            continue
        service = moved(old.expected, model.expected)
        if service:
            yield Statement(Gravity.SERVICE, f"Model `{model.name}` {service}")
        restarts = list(_restarts(old, model))
        if restarts:
            yield Statement(Gravity.MODEL_RESTARTS, f"Restarts model `{model.name}`: {', '.join(restarts)}")
        if old.replicas != model.replicas:
            yield Statement(Gravity.SIZE, f"Model `{model.name}`: {old.replicas} → {model.replicas} replicas")


def _restarts(old: ModelView, new: ModelView) -> Iterable[str]:
    if old.model != new.model:
        yield f"{old.model} → {new.model}"
    if old.shape.vllm != new.shape.vllm:
        yield f"vLLM {old.shape.vllm} → {new.shape.vllm}"
    if str(old.shape) != str(new.shape):
        yield f"{old.shape} → {new.shape}"
    if old.node_pool != new.node_pool:
        yield f"pool `{old.node_pool}` → `{new.node_pool}`"
    context, longer = old.shape.settings.max_model_len, new.shape.settings.max_model_len
    if context != longer:
        yield f"context {context:,} → {longer:,} tokens"


def _sizes(before: PlanView, after: PlanView) -> Iterable[Statement]:
    for pool in after.node_pools:
        old = before.pool_named(pool.name)
        if old is None:
            text = f"Adds node pool `{pool.name}`: {pool.nodes} x {pool.machine_type}, {pool.provisioning}"
            yield Statement(Gravity.ADDED, text)
        elif old.nodes != pool.nodes:
            yield Statement(Gravity.SIZE, f"Node pool `{pool.name}`: {old.nodes} → {pool.nodes} nodes")


def _upgrades(before: PlanView, after: PlanView) -> Iterable[Statement]:
    """Changes that no update carries out: the provider sends a pool's maintenance policy only when it makes the
    pool."""
    keep, cluster = after.gpu_nodes_keep_version, after.cluster
    pools = [pool.name for pool in after.node_pools if before.pool_named(pool.name)]
    if keep is None or before.gpu_nodes_keep_version in (None, keep) or cluster is None or not pools:
        return
    flag = f"--{'add' if keep else 'remove'}-maintenance-exclusion-until-end-of-support"
    where = f"--cluster {cluster.name} --location {cluster.location}"
    yield Statement(
        Gravity.SIZE,
        f"**Leaves {_names(pools)} as {'they are' if len(pools) > 1 else 'it is'}**: only a new pool "
        f"{'keeps its version' if keep else 'is upgraded by GKE'}. For one that is there: "
        f"`gcloud container node-pools update {pools[0]} {where} {flag}`",
    )


def _otherwise(log: EventLog) -> Iterable[Statement]:
    real = [change for change in log.changed if change.custom]
    if not real:
        yield Statement(Gravity.NOTHING, "**Nothing changes**")
        return
    for action, gravity, words in (
        (Action.REPLACE, Gravity.REPLACED, "Replaces"),
        (Action.DELETE, Gravity.REPLACED, "Deletes"),
        (Action.UPDATE, Gravity.IN_PLACE, "Changes in place"),
        (Action.CREATE, Gravity.ADDED, "Creates"),
    ):
        names = [change.name for change in real if change.action is action and not change.runs_again]
        if names:
            yield Statement(gravity, f"{words} {_count(len(names), 'resource')}: {_names(names)}")
    jobs = [change.name for change in real if change.runs_again]
    if jobs:
        yield Statement(Gravity.IN_PLACE, f"Runs {_count(len(jobs), 'job')} again: {_names(jobs)}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _names(names: Iterable[str], most: int = 4) -> str:
    listed = list(dict.fromkeys(names))
    rest = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(f"`{name}`" for name in listed[:most]) + rest


def _cut(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
