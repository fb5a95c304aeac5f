"""Decides what a pod of a server that spans nodes is given, so that its NCCL finds the fabric and nothing else."""

from catalog import DeviceMode, PodMount
from catalog.workloads import workloads
from planning.plan import FabricPlan, PodTransportPlan

SOCKET_INTERFACE = "eth0"
"""A pod's first interface, which every other pod can reach; the others only carry NCCL's data."""

_TUNER_OFF = "none"
_NETWORK_RESOURCE = "networking.gke.io.networks/"


def plan_transport(fabric: FabricPlan, server: str) -> PodTransportPlan:
    """The transport for the pods of that server."""
    rdma = {network.name for network in fabric.pod_networks if network.device_mode is DeviceMode.RDMA}
    beside = workloads().sidecar
    return PodTransportPlan(
        transport=fabric.transport,
        interfaces=fabric.interfaces,
        # GKE's webhook asks for rdma-0 and rdma-0.IP both; nodes that advertise the second alone would leave the pod
        # Pending. Zero of the first still leaves the second to place it (llm-d#1730).
        zero_resources=tuple(
            _NETWORK_RESOURCE + interface.network for interface in fabric.interfaces if interface.network in rdma
        ),
        mounts=fabric.mounts,
        claims=fabric.claims_of(server),
        sidecar=fabric.sidecar,
        sidecar_cpus=beside.cpus if fabric.sidecar else 0,
        sidecar_memory_gib=beside.memory_gib if fabric.sidecar else 0,
    )


def group_environment(fabric: FabricPlan | None) -> dict[str, str]:
    """What every pod of a group needs to find the others, and NCCL's settings of the fabric as data, not as a script.

    Without a plugin on the node `NCCL_NET` fails closed instead of falling back to TCP, so it is set only where the
    fabric is.
    """
    environment = {
        "GLOO_SOCKET_IFNAME": SOCKET_INTERFACE,
        "NCCL_SOCKET_IFNAME": SOCKET_INTERFACE,
    }
    if fabric is None:
        return environment
    environment |= fabric.environment
    # Says once, at the start, which network NCCL took: the one proof that the fabric is used.
    environment |= {"NCCL_DEBUG": "INFO", "NCCL_DEBUG_SUBSYS": "INIT,NET"}
    if "NCCL_TUNER_PLUGIN" not in fabric.environment:
        # Google's tuner was made for another NCCL than the image's; a transport that needs its own names it.
        environment["NCCL_TUNER_PLUGIN"] = _TUNER_OFF
    if environment["NCCL_TUNER_PLUGIN"] == _TUNER_OFF:
        environment.pop("NCCL_TUNER_CONFIG_PATH", None)
    return environment


def host_paths(mounts: tuple[PodMount, ...]) -> tuple[str, ...]:
    return tuple(mount.host_path for mount in mounts if mount.host_path)
