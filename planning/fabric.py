"""Decides which networks lie between the accelerator nodes of a stack, and what a pod is given that talks over them."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from catalog import (
    Fabric,
    FabricMode,
    FabricNetwork,
    FabricVpc,
)
from catalog.google import google_platform
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.plan import (
    ComputeDomainPlan,
    DeviceClaimTemplate,
    FabricPlan,
    FabricVpcPlan,
    InterfacePlan,
    ModelServerPlan,
    NodePoolPlan,
    PodNetworkPlan,
    PreflightPlan,
    SubnetworkPlan,
)
from planning.plan.network import channel_template
from planning.pools import ResolvedPool


def fabric_pools(pools: tuple[ResolvedPool, ...], findings: Findings) -> tuple[ResolvedPool, ...]:
    """The pools with a fabric.

    Pods ask for a network by a name that is the cluster's own, such as `rdma-0`, and a RoCE VPC is bound to one zone;
    so all of them share one fabric, and must be of one accelerator, zone and mode.
    """
    for pool in pools:
        _check_installer(pool, findings)
    found = tuple(pool for pool in pools if pool.mode is not None)
    for other in found[1:]:
        _check_shares(found[0], other, findings)
    return found


def plan_fabric(
    pools: tuple[ResolvedPool, ...], prefix: str, ranges: AddressRanges, *, pod_networks_exist: bool
) -> FabricPlan | None:
    """The stack's one fabric, of the pools that have one."""
    if not pools or pools[0].mode is None:
        return None
    pool, mode = pools[0], pools[0].mode
    fabric, installer = pool.fabric, pool.installer
    objects = mode is FabricMode.NETWORK_OBJECTS
    named = [(network.interface, network.name) for network in fabric.networks if network.interface]
    return FabricPlan(
        gpu_type=pool.accelerator.gke_label,
        zone=pool.settings.zone,
        transport=fabric.transport,
        mode=mode,
        vpcs=() if mode is FabricMode.ACCELERATOR_NETWORK_PROFILE else _vpcs(pool, prefix, ranges),
        interfaces=tuple(InterfacePlan(interface=nic, network=name) for nic, name in named) if objects else (),
        makes_pod_networks=objects and bool(named) and not pod_networks_exist,
        claim_templates=() if objects else _claim_templates(fabric),
        compute_domain=pool.accelerator.nodes.dra_driver is not None,
        environment=fabric.environment,
        mounts=installer.workload_mounts if installer else (),
        sidecar=installer.sidecar if installer else None,
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


def _check_shares(first: ResolvedPool, other: ResolvedPool, findings: Findings) -> None:
    path, zones = other.path, (first.settings.zone, other.settings.zone)
    if other.accelerator.name != first.accelerator.name or len(set(zones)) > 1:
        findings.refuse(
            path,
            f"pool {other.name} ({other.accelerator.name} in {zones[1]}) cannot share the networks of pool "
            f"{first.name} ({first.accelerator.name} in {zones[0]})",
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


def _check_installer(pool: ResolvedPool, findings: Findings) -> None:
    key, usual, release = f"{pool.path}.ncclInstaller", pool.usual_installer, pool.installer
    if pool.mode is None:
        if pool.settings.nccl_installer:
            findings.refuse(key, f"{pool.machine.name} has no fabric that would use it", "Leave ncclInstaller out")
        return
    if release is None:
        return
    accelerator = pool.accelerator
    fits = release.transport is pool.fabric.transport and release.architecture is accelerator.architecture
    if not fits or (pool.settings.nccl_installer != usual and accelerator.gke_label not in release.gke_labels):
        findings.refuse(
            key,
            f"{release.name} is for {release.transport} on {release.architecture} ({', '.join(release.gke_labels)})",
            f"Leave it out for {usual}",
        )


def _vpcs(pool: ResolvedPool, prefix: str, ranges: AddressRanges) -> tuple[FabricVpcPlan, ...]:
    cidrs = ranges.fabric_subnetworks()
    objects = pool.mode is FabricMode.NETWORK_OBJECTS
    return tuple(
        FabricVpcPlan(
            name=f"{prefix}-{vpc.name}",
            mtu=vpc.mtu,
            network_profile=f"{pool.settings.zone}-{vpc.network_profile}" if vpc.network_profile else None,
            firewall=f"{prefix}-{vpc.name}-internal" if vpc.firewall_rules_allowed else None,
            source_range=str(ranges.fabric),
            pod_networks=tuple(
                _pod_network(network, vpc, prefix, cidrs, objects=objects)
                for network in pool.fabric.networks_of(vpc.name)
            ),
        )
        for vpc in pool.fabric.vpcs
    )


def _pod_network(
    network: FabricNetwork, vpc: FabricVpc, prefix: str, cidrs: Iterator[IPv4Network], *, objects: bool
) -> PodNetworkPlan:
    by_google = vpc.google_subnetwork if vpc.google_makes_subnetworks else None
    own = None if by_google else SubnetworkPlan(name=f"{prefix}-{network.name}", cidr=str(next(cidrs)))
    return PodNetworkPlan(
        name=network.name,
        device_mode=network.device_mode if objects else None,
        subnetwork=own,
        google_subnetwork=by_google.format(network=f"{prefix}-{vpc.name}") if by_google else None,
    )


def _claim_templates(fabric: Fabric) -> tuple[DeviceClaimTemplate, ...]:
    device_class = google_platform().dranet.rdma_device_class
    return (DeviceClaimTemplate(template="rdma", device_class=device_class, count=fabric.claimed_nics),)
