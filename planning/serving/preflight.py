"""Decides which pools are tested with NCCL over two nodes before a server uses them, with what, and what is enough."""

from dataclasses import dataclass

from catalog import Accelerator, InstallerRelease
from config.environment import PreflightSettings
from planning.engine import engine_of
from planning.errors import Findings
from planning.plan import FabricPlan, ModelServerPlan, NodePoolPlan, PreflightPlan, ServerNccl
from planning.pools import ResolvedPool
from planning.serving.namespaces import PREFLIGHT
from planning.serving.transport import group_environment, plan_transport

NODES = 2
NIC_FRACTION = 0.5
"""The floor as a share of the rate of a node's NICs. Two nodes were measured at 0.71 (TCPX) to 0.93 of it (TCPXO); a
node with half of its NICs reaches less than 0.5, and TCP, which NCCL takes without its plugin, about 0.02."""
NVLINK_FRACTION = 0.4
"""The floor as a share of the rate of a GPU's NVLink in one direction, where it joins the nodes. Google shows 0.53 of
it for two A4X nodes; what their NICs would give instead is at most 0.22."""
_MINIMUM = "preflight.minimumBusBandwidth"
_DEADLINE_SECONDS = 3600
"""The seconds for nodes that pull an image of some GiB, a test of minutes, and a node that is lost and comes back."""


@dataclass(frozen=True)
class MeasuredPool:
    """A pool that is tested, and the servers that span its nodes."""

    plan: NodePoolPlan
    servers: tuple[ServerNccl, ...]


def measured_pools(pools: tuple[NodePoolPlan, ...], models: tuple[ModelServerPlan, ...]) -> tuple[MeasuredPool, ...]:
    """Those that begin with two nodes of a fabric."""
    tested = (pool for pool in pools if pool.uses_fabric and not pool.waits and pool.nodes >= NODES)
    return tuple(MeasuredPool(pool, _servers(pool, models)) for pool in tested)


def plan_preflights(
    wanted: PreflightSettings | None,
    with_fabric: tuple[ResolvedPool, ...],
    fabric: FabricPlan | None,
    tested: tuple[MeasuredPool, ...],
    findings: Findings,
) -> tuple[PreflightPlan, ...]:
    """The tests: one for each of these pools."""
    installer = with_fabric[0].installer if with_fabric else None
    if fabric is None or installer is None or not tested:
        if wanted:
            findings.warn("preflight", "no pool begins with two nodes of a fabric, so nothing is measured")
        return ()
    floor = _floor(wanted, with_fabric[0].accelerator, findings)
    return tuple(_preflight(fabric, each, installer, floor) for each in tested)


def _preflight(
    fabric: FabricPlan, tested: MeasuredPool, installer: InstallerRelease, floor: tuple[float, str]
) -> PreflightPlan:
    pool = tested.plan
    name, (gbytes_per_second, reason) = f"nccl-{pool.name}", floor
    diagnostic = installer.diagnostic
    return PreflightPlan(
        name=name,
        namespace=PREFLIGHT,
        node_pool=pool.name,
        gpu_type=pool.gpu_type,
        gpus_per_node=pool.gpus_per_node,
        nodes=NODES,
        taints=pool.taints,
        image=diagnostic.image.reference,
        tested_with=f"{diagnostic.image.reference} and {installer.image.reference}",
        prepare=diagnostic.prepare,
        meet=diagnostic.meet,
        measure=diagnostic.measure,
        environment=group_environment(fabric),
        transport=plan_transport(fabric, name),
        deadline_seconds=_DEADLINE_SECONDS,
        floor_gbytes_per_second=gbytes_per_second,
        floor_reason=reason,
        servers=tested.servers,
    )


def floor_of(accelerator: Accelerator) -> float:
    """Peak of bus bandwidth in GB/s that two nodes of it must reach."""
    rate, fraction = _rate(accelerator)
    return round(fraction * rate, 1)


def _floor(settings: PreflightSettings | None, accelerator: Accelerator, findings: Findings) -> tuple[float, str]:
    """GB/s, and why."""
    rate, fraction = _rate(accelerator)
    wanted = settings.minimum_bus_bandwidth if settings else None
    if wanted is None:
        measured = accelerator.fabric.all_gather
        seen = f"; {measured.gbytes_per_second:g} were measured on two such nodes" if measured else ""
        return floor_of(accelerator), f"{fraction:g} of the {rate:g} GB/s that their fabric has{seen}"
    if wanted > rate:
        problem = f"the fabric has {rate:g} GB/s, so no test reaches {wanted:g}"
        findings.refuse(_MINIMUM, problem, f"Write at most {rate:g}")
    return wanted, f"{_MINIMUM} of the stack file; the plan's own is {floor_of(accelerator):g}"


def _rate(accelerator: Accelerator) -> tuple[float, float]:
    """GB/s in one direction, of a node's NICs or of a GPU where NVLink joins the nodes; and what of it is enough."""
    if accelerator.nodes.dra_driver is not None and accelerator.nvlink is not None:
        return accelerator.nvlink.gbytes_per_second / 2, NVLINK_FRACTION
    return accelerator.fabric.gbytes_per_second, NIC_FRACTION


def _servers(pool: NodePoolPlan, models: tuple[ModelServerPlan, ...]) -> tuple[ServerNccl, ...]:
    return tuple(
        ServerNccl(server=model.name, image=model.image, nccl=engine_of(model.shape.vllm).nccl)
        for model in models
        if model.node_pool == pool.name and model.is_group
    )
