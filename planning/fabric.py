"""Decides which networks lie between the accelerator nodes of a stack, and what a pod is given that talks over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from catalog import (
    INSTALLER_RELEASES,
    Accelerator,
    FabricMode,
    FabricNetwork,
    FabricVpc,
    InstallerRelease,
    PodMount,
    Sidecar,
)
from catalog import Fabric as CatalogFabric
from catalog.google import google_platform
from config.settings import Settings
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.node_pools import machine_of, mode_of
from planning.plan import (
    ComputeDomainPlan,
    DeviceClaimTemplate,
    FabricMount,
    FabricPlan,
    FabricSidecar,
    FabricVpcPlan,
    InterfacePlan,
    ModelServerPlan,
    NodePoolPlan,
    PodNetworkPlan,
    PreflightPlan,
    SubnetworkPlan,
)
from planning.plan.network import channel_template


@dataclass(frozen=True)
class FabricPool:
    """A pool of the stack file whose machines have a fabric."""

    index: int
    name: str
    zone: str
    accelerator: Accelerator
    mode: FabricMode
    installer: InstallerRelease | None
    """The installer of its NCCL plugin; None: the transport has none."""


def fabric_pools(settings: Settings, findings: Findings) -> tuple[FabricPool, ...]:
    """The pools with a fabric.

    Pods ask for a network by a name that is the cluster's own, such as `rdma-0`, and a RoCE VPC is bound to one zone;
    so all of them share one fabric, and must be of one accelerator, zone and mode.
    """
    found: list[FabricPool] = []
    for index, pool in enumerate(settings.node_pools):
        try:
            accelerator, machine = machine_of(pool)
        except KeyError:
            continue
        mode = mode_of(pool)
        if mode is None:
            if pool.nccl_installer:
                findings.refuse(
                    f"nodePools[{index}].ncclInstaller",
                    f"{machine.name} has no fabric that would use it",
                    "Leave ncclInstaller out",
                )
            continue
        installer = _installer(index, pool.nccl_installer, accelerator, findings)
        found.append(FabricPool(index, pool.name, pool.zone, accelerator, mode, installer))
    for other in found[1:]:
        _check_shares(found[0], other, findings)
    return tuple(found)


def plan_fabric(
    pools: tuple[FabricPool, ...], prefix: str, ranges: AddressRanges, *, pod_networks_exist: bool
) -> FabricPlan | None:
    """The stack's one fabric."""
    if not pools:
        return None
    pool = pools[0]
    fabric, mode, installer = pool.accelerator.fabric, pool.mode, pool.installer
    objects = mode is FabricMode.NETWORK_OBJECTS
    named = [(network.interface, network.name) for network in fabric.networks if network.interface]
    return FabricPlan(
        gpu_type=pool.accelerator.gke_label,
        zone=pool.zone,
        transport=fabric.transport.value,
        mode=mode,
        vpcs=() if mode is FabricMode.ACCELERATOR_NETWORK_PROFILE else _vpcs(pool, prefix, ranges),
        interfaces=tuple(InterfacePlan(interface=nic, network=name) for nic, name in named) if objects else (),
        makes_pod_networks=objects and bool(named) and not pod_networks_exist,
        claim_templates=() if objects else _claim_templates(fabric),
        compute_domain=pool.accelerator.nodes.dra_driver is not None,
        environment=fabric.environment,
        mounts=tuple(map(_mount, installer.workload_mounts)) if installer else (),
        sidecar=_sidecar(installer.sidecar) if installer and installer.sidecar else None,
        whole_node_pods=fabric.whole_node_pods,
    )


def plan_compute_domains(
    fabric: FabricPlan | None,
    pools: tuple[NodePoolPlan, ...],
    models: tuple[ModelServerPlan, ...],
    preflights: tuple[PreflightPlan, ...],
) -> tuple[ComputeDomainPlan, ...]:
    """The compute domains: one for each server or test that spans nodes. Its pods share memory over NVLink, and pods of
    others must not."""
    if fabric is None or not fabric.compute_domain:
        return ()
    on_fabric = {pool.name for pool in pools if pool.uses_fabric}
    servers = [model for model in models if model.shape.nodes > 1 and model.node_pool in on_fabric]
    return tuple(
        ComputeDomainPlan(name=each.name, namespace=each.namespace, channel_template=channel_template(each.name))
        for each in (*preflights, *servers)
    )


def _check_shares(first: FabricPool, other: FabricPool, findings: Findings) -> None:
    path = f"nodePools[{other.index}]"
    if (other.accelerator.name, other.zone) != (first.accelerator.name, first.zone):
        findings.refuse(
            path,
            f"pool {other.name} ({other.accelerator.name} in {other.zone}) cannot share the networks of pool "
            f"{first.name} ({first.accelerator.name} in {first.zone})",
            "Keep one accelerator with a fabric, in one zone, in a stack",
        )
    elif other.mode is not first.mode:
        findings.refuse(
            f"{path}.fabric",
            f"{other.mode} excludes the {first.mode} of pool {first.name}: a cluster hands out NICs in one way",
            f"Write fabric: {first.mode}",
        )
    elif other.installer != first.installer:
        findings.refuse(
            f"{path}.ncclInstaller",
            f"differs from pool {first.name}, and servers of both find their plugin in one place",
            "Write the same ncclInstaller for both",
        )


def _installer(index: int, wanted: str | None, accelerator: Accelerator, findings: Findings) -> InstallerRelease | None:
    usual = accelerator.fabric.installer
    name = wanted or usual
    if name is None:
        return None
    release = INSTALLER_RELEASES[name]
    fits = release.transport is accelerator.fabric.transport and release.architecture is accelerator.architecture
    if not fits or (wanted != usual and accelerator.gke_label not in release.gke_labels):
        findings.refuse(
            f"nodePools[{index}].ncclInstaller",
            f"{name} is for {release.transport} on {release.architecture} ({', '.join(release.gke_labels)})",
            f"Leave it out for {usual}",
        )
    return release


def _vpcs(pool: FabricPool, prefix: str, ranges: AddressRanges) -> tuple[FabricVpcPlan, ...]:
    cidrs = ranges.fabric_subnetworks()
    fabric = pool.accelerator.fabric
    return tuple(
        FabricVpcPlan(
            name=f"{prefix}-{vpc.name}",
            mtu=vpc.mtu,
            network_profile=f"{pool.zone}-{vpc.network_profile}" if vpc.network_profile else None,
            firewall=f"{prefix}-{vpc.name}-internal" if vpc.firewall_rules_allowed else None,
            source_range=str(ranges.fabric),
            pod_networks=tuple(
                _pod_network(network, vpc, pool.mode, prefix, cidrs) for network in fabric.networks_of(vpc.name)
            ),
        )
        for vpc in fabric.vpcs
    )


def _pod_network(
    network: FabricNetwork, vpc: FabricVpc, mode: FabricMode, prefix: str, cidrs: Iterator[IPv4Network]
) -> PodNetworkPlan:
    objects = mode is FabricMode.NETWORK_OBJECTS and network.device_mode is not None
    by_google = vpc.google_subnetwork if vpc.google_makes_subnetworks else None
    own = None if by_google else SubnetworkPlan(name=f"{prefix}-{network.name}", cidr=str(next(cidrs)))
    return PodNetworkPlan(
        name=network.name,
        device_mode=network.device_mode.value if objects and network.device_mode else None,
        subnetwork=own,
        google_subnetwork=by_google.format(network=f"{prefix}-{vpc.name}") if by_google else None,
    )


def _claim_templates(fabric: CatalogFabric) -> tuple[DeviceClaimTemplate, ...]:
    device_class = google_platform().dranet.rdma_device_class
    return (DeviceClaimTemplate(template="rdma", device_class=device_class, count=fabric.claimed_nics),)


def _mount(mount: PodMount) -> FabricMount:
    return FabricMount(name=mount.name, host_path=mount.host_path, mount_path=mount.mount_path)


def _sidecar(sidecar: Sidecar) -> FabricSidecar:
    return FabricSidecar(
        name=sidecar.name,
        image=sidecar.image.reference,
        command=sidecar.command,
        environment=sidecar.environment,
        mounts=tuple(map(_mount, sidecar.mounts)),
        capabilities=sidecar.capabilities,
        device_annotation=sidecar.device_annotation,
        devices=sidecar.devices,
    )
