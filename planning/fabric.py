"""Decides which networks lie between the accelerator nodes of a stack, and what lays their NCCL plugin on the nodes."""

from catalog import ACCELERATORS, INSTALLER_RELEASES, Accelerator, FabricVpc
from config.settings import Settings
from planning.addresses import AddressRanges
from planning.errors import Findings
from planning.node_pools import machine_of, taints_of
from planning.plan import (
    FabricPlan,
    FabricVpcPlan,
    HostFolder,
    NcclInstallerPlan,
    PodNetworkPlan,
    SubnetworkPlan,
)


def plan_fabric(
    settings: Settings, prefix: str, ranges: AddressRanges, findings: Findings
) -> tuple[FabricPlan | None, tuple[NcclInstallerPlan, ...]]:
    """The stack's one fabric and its installers.

    Pods ask for a network by a name that is the cluster's own, such as `rdma-0`, and a RoCE VPC is bound to one zone;
    so all pools of a stack that have a fabric share one, and must be of one accelerator and zone.
    """
    with_fabric = [
        (index, pool, accelerator)
        for index, pool in enumerate(settings.node_pools)
        for accelerator in [_with_fabric(index, settings)]
        if accelerator is not None
    ]
    if not with_fabric:
        return None, ()
    _, first, accelerator = with_fabric[0]
    for index, pool, other in with_fabric[1:]:
        if (other.name, pool.zone) != (accelerator.name, first.zone):
            findings.refuse(
                f"nodePools[{index}]",
                f"pool {pool.name} ({other.name} in {pool.zone}) cannot share the networks of pool {first.name} "
                f"({accelerator.name} in {first.zone})",
                "Keep one accelerator with a fabric, in one zone, in a stack",
            )
    cidrs = ranges.fabric_subnetworks()
    vpcs = tuple(
        FabricVpcPlan(
            name=f"{prefix}-{vpc.name}",
            mtu=_mtu(vpc),
            network_profile=f"{first.zone}-{vpc.network_profile}" if vpc.network_profile else None,
            firewall=f"{prefix}-{vpc.name}-internal" if vpc.firewall_rules_allowed else None,
            source_range=str(ranges.fabric),
            pod_networks=tuple(
                PodNetworkPlan(
                    name=network.name,
                    device_mode=network.device_mode.value if network.device_mode else "",
                    subnetwork=SubnetworkPlan(name=f"{prefix}-{network.name}", cidr=str(next(cidrs))),
                )
                for network in accelerator.fabric.networks_of(vpc.name)
            ),
        )
        for vpc in accelerator.fabric.vpcs
    )
    return FabricPlan(vpcs=vpcs), _installers(accelerator)


def _with_fabric(index: int, settings: Settings) -> Accelerator | None:
    pool = settings.node_pools[index]
    try:
        accelerator, machine = machine_of(pool)
    except KeyError:
        return None
    return ACCELERATORS[pool.accelerator] if accelerator.fabric_of(machine).networks else None


def _mtu(vpc: FabricVpc) -> int:
    if vpc.mtu is None:
        raise ValueError(f"the catalogue gives VPC {vpc.name} no MTU")
    return vpc.mtu


def _installers(accelerator: Accelerator) -> tuple[NcclInstallerPlan, ...]:
    if accelerator.fabric.installer is None:
        return ()
    release = INSTALLER_RELEASES[accelerator.fabric.installer]
    return (
        NcclInstallerPlan(
            name=release.daemon_set,
            namespace=release.namespace,
            image=release.image.reference,
            pause_image=release.pause_image.reference,
            command=release.command,
            copies=tuple((copy.source, copy.target) for copy in release.copies),
            sysctls=release.sysctls,
            folders=tuple(
                HostFolder(name=path.name, host_path=path.host_path, mount_path=path.mount_path)
                for path in release.host_paths
            ),
            gpu_types=(accelerator.gke_label,),
            taints=taints_of(accelerator),
        ),
    )
