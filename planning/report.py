"""A plan for people: what there will be, what it costs, how full the GPUs are, and why. As text or as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planning import pictures
from planning.cold_start_report import cold_start_table, starts_in
from planning.performance.report import service_table
from planning.plan import (
    AccessPlan,
    CostItem,
    CostPlan,
    ModelServerPlan,
    PlatformPlan,
    PoolUse,
    PreflightPlan,
    QuotaNeed,
)
from planning.plan.capacity import HOURS_PER_MONTH
from planning.table import Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it: tables, paragraphs of prose, or lines that must stay as they are."""

    title: str
    table: Table | None = None
    verbatim: tuple[str, ...] = ()
    points: tuple[str, ...] = ()


def sections(plan: PlatformPlan, stack: str) -> list[Section]:
    """The whole plan, most important first."""
    parts = [
        Section(f"Stack {stack}", points=tuple(_summary(plan))),
        Section("Warnings", points=tuple(f"{warning.path}: {warning.text}" for warning in plan.warnings)),
        Section("Models", table=_models(plan.models)),
        Section("Service objectives (estimates, no measurements)", table=service_table(plan.models)),
        Section("Cold start (bounds, in seconds)", table=cold_start_table(plan.models)),
        Section("GPU memory", verbatim=tuple(_memory_bars(plan.models))),
        Section("May call the models", table=_callers(plan.access)),
        Section("Node pools", table=_pools(plan)),
        Section("Nodes", verbatim=tuple(_nodes(plan.pool_use))),
        Section("Fabric test", points=tuple(_preflights(plan.preflights))),
        Section("Cost", table=_cost(plan)),
        Section("Quota needed", table=_quotas(plan)),
        Section("Addresses", table=_addresses(plan)),
        Section("Before you change", points=tuple(_effects(plan))),
        Section("Why", points=tuple(reason for model in plan.models for reason in _reasons(model))),
    ]
    return [part for part in parts if part.points or part.verbatim or (part.table and part.table.rows)]


def to_text(parts: Iterable[Section]) -> str:
    lines: list[str] = []
    for part in parts:
        lines += [part.title, "─" * len(part.title)]
        if part.table:
            lines += _aligned(part.table)
        lines += [*part.verbatim, *(f"• {point}" for point in part.points), ""]
    return "\n".join(lines)


def to_markdown(parts: Iterable[Section]) -> str:
    lines: list[str] = []
    for part in parts:
        lines += [f"### {part.title}", ""]
        if part.table:
            rows = [part.table.headers, ("---",) * len(part.table.headers), *part.table.rows]
            lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows] + [""]
        if part.verbatim:
            lines += ["```", *part.verbatim, "```", ""]
        if part.points:
            lines += [*(f"- {point}" for point in part.points), ""]
    return "\n".join(lines)


def _aligned(table: Table) -> list[str]:
    rows = [table.headers, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.headers))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _summary(plan: PlatformPlan) -> Iterable[str]:
    yield from _idle(plan.cost)
    gpus = sum(pool.max_nodes * pool.gpus_per_node for pool in plan.node_pools)
    yield (
        f"{len(plan.models)} model(s) on {gpus} GPUs of {sum(pool.max_nodes for pool in plan.node_pools)} node(s) "
        f"in {plan.region}" + (", none of them idle" if plan.cost.idle and not plan.cost.idle_share else "")
    )
    hour, month = plan.cost.usd_per_hour, plan.cost.usd_per_month
    most = plan.cost.usd_per_hour_at_most
    yield (
        f"cost: {_usd(hour)} per hour"
        + (f", {month:,.0f} USD per month" if month is not None else "")
        + (f"; at most {_usd(most)} per hour" if most != hour else "")
    )
    if plan.alerts:
        yield f"alerts go to {', '.join((*plan.alerts.emails, *plan.alerts.channels))}"


def _idle(cost: CostPlan) -> Iterable[str]:
    idle = [use for use in cost.idle if use.idle]
    if not idle:
        return
    hour = cost.idle_usd_per_hour
    month = "" if hour is None else f", {hour * HOURS_PER_MONTH:,.0f} USD per month"
    accepted = sum(use.acknowledged for use in idle)
    yield (
        f"⚠ {sum(use.idle for use in idle)} of {sum(use.gpus for use in cost.idle)} GPUs are idle "
        f"({100 * cost.idle_share:.0f} %): {_usd(hour)} per hour{month}"
        + (f"; {accepted} acknowledged" if accepted else "")
    )


def _preflights(preflights: Sequence[PreflightPlan]) -> Iterable[str]:
    for test in preflights:
        yield (
            f"pool {test.node_pool}: before a server is built on it, NCCL must reach {test.floor_gbytes_per_second:g} "
            f"GB/s between {test.nodes} nodes: {test.floor_reason}"
        )


def _models(models: Sequence[ModelServerPlan]) -> Table:
    return Table(
        (
            "model",
            "pattern",
            "shape",
            "replicas",
            "context",
            "KV tokens",
            "at once",
            "USD/h each",
            "starts in",
            "basis",
        ),
        tuple(
            (
                model.name,
                model.shape.pattern.value,
                shape_name(model),
                str(model.replicas),
                f"{model.shape.settings.max_model_len:,}",
                f"{model.shape.memory.kv_cache_tokens:,}",
                f"{model.shape.concurrency:.1f}",
                "unknown" if model.shape.usd_per_hour is None else f"{model.shape.usd_per_hour:.2f}",
                starts_in(model.weights),
                model.shape.memory.basis.value,
            )
            for model in models
        ),
    )


def shape_name(model: ModelServerPlan) -> str:
    """`TP 8 x PP 2`."""
    shape = model.shape
    return f"TP {shape.tensor_parallel}" + (f" x PP {shape.pipeline_parallel}" if shape.pipeline_parallel > 1 else "")


def _callers(access: AccessPlan) -> Table:
    pods = [
        (f"pods of {caller.namespace}" + "".join(f", {key}={value}" for key, value in caller.pod_labels.items()))
        for caller in access.callers
    ]
    whys = [caller.why for caller in (*access.callers, *access.caller_ranges)]
    return Table(("who", "for"), tuple(zip([*pods, *(each.cidr for each in access.caller_ranges)], whys, strict=True)))


def _memory_bars(models: Sequence[ModelServerPlan]) -> list[str]:
    rows: list[tuple[str, tuple[float, ...], float]] = []
    for model in models:
        memory = model.shape.memory
        used = (memory.weights_gib, memory.overhead_gib, memory.kv_cache_gib)
        rows.append((model.name, (*used, memory.total_gib - sum(used)), memory.total_gib))
    return pictures.memory_bars(rows)


def _pools(plan: PlatformPlan) -> Table:
    return Table(
        ("pool", "machine", "nodes", "GPUs", "zone", "capacity", "driver", "networks"),
        tuple(
            (
                pool.name,
                pool.machine_type,
                f"{pool.min_nodes} to {pool.max_nodes}" if pool.scales else str(pool.nodes),
                str(pool.max_nodes * pool.gpus_per_node),
                pool.zone,
                pool.provisioning.value,
                pool.gpu_driver_version,
                ", ".join(network.name for network in plan.fabric.pod_networks)
                if plan.fabric and pool.uses_fabric and plan.fabric.vpcs
                else "Google's own"
                if pool.uses_fabric
                else "none extra",
            )
            for pool in plan.node_pools
        ),
    )


def _nodes(uses: Sequence[PoolUse]) -> Iterable[str]:
    letters = pictures.letters_of(name for use in uses for node in use.used for name in node.gpus)
    for use in uses:
        used = [node.gpus for node in use.used]
        yield from pictures.node_map(use.pool, used, nodes=use.nodes, gpus_per_node=use.gpus_per_node, letters=letters)
    yield from pictures.letters_legend(letters)


def _cost(plan: PlatformPlan) -> Table:
    rows = [_cost_row(item) for item in plan.cost.items]
    rows.append(("all together", _usd(plan.cost.usd_per_hour), "", "list prices; traffic, storage and tax left out"))
    return Table(("what", "per hour", "price of", "note"), tuple(rows))


def _cost_row(item: CostItem) -> tuple[str, ...]:
    return (item.label, _usd(item.usd_per_hour), str(item.as_of or ""), item.note or "")


def _usd(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f} USD"


def _quotas(plan: PlatformPlan) -> Table:
    return Table(
        ("limit", "region", "first", "at most", "metric", "quota id", "note"),
        tuple(
            (
                need.limit.what,
                need.region or "all",
                _amount(need.at_first),
                _amount(need.amount),
                need.limit.metric or "unknown",
                _quota_id(need),
                _quota_note(need),
            )
            for need in plan.quotas
        ),
    )


def _amount(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _quota_id(need: QuotaNeed) -> str:
    """The quota's id, with what the limit is counted by, if that is more than the region."""
    name = need.limit.quota_id or need.limit.quota_metric or "unknown"
    return name + "".join(f" {key}={value}" for key, value in need.dimensions.items())


def _quota_note(need: QuotaNeed) -> str:
    held = f"{need.held_by_reservations:,} held by reservations already" if need.held_by_reservations else ""
    return "; ".join(filter(None, (held, "" if need.limit.certain else "not certain", need.limit.note)))


def _addresses(plan: PlatformPlan) -> Table:
    return Table(
        ("range", "CIDR", "needed", "capacity"),
        tuple((use.range, use.cidr, f"{use.needed:,}", f"{use.capacity:,}") for use in plan.addresses),
    )


def _effects(plan: PlatformPlan) -> Iterable[str]:
    for effect in dict.fromkeys(plan.effects.values()):
        fields = [path for path, does in plan.effects.items() if does == effect]
        yield f"a change {effect}: {', '.join(fields)}"
    yield "any other field changes in place"
    bucket = plan.weights_bucket
    if bucket and not bucket.exists:
        yield f"bucket {bucket.name} " + (
            "is deleted with the stack, with all that is in it"
            if bucket.deletable
            else "is protected: to delete it write weightsBucket.deletable: true, and update before"
        )


def _reasons(model: ModelServerPlan) -> Iterable[str]:
    memory = model.shape.memory
    yield f"{model.name}: {memory.basis.value}: {memory.basis_reason}"
    yield f"{model.name}: weights from {model.weights.source.value}: {model.weights.why}"
    for reason in model.shape.reasons:
        yield f"{model.name}: {reason}"
    for rejected in model.shape.rejected:
        yield f"{model.name}: not {rejected.shape}: {rejected.why}"
