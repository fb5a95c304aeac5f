"""The devices of a node that pods can claim: GPUs, RDMA NICs and NVLink channels, each under its driver's names."""

from typing import Any

from sandbox.cloud.resources.pool_networks import ADDITIONAL, AUTO_PROFILE, PROFILE, uses_dranet
from sandbox.cloud.tables import Family, NicKind, Shape
from sandbox.cloud.values import Properties
from sandbox.cluster.devices import DRANET, Daemon, NodeDriver

NO_DEVICE_PLUGIN_LABEL = "gke-no-default-nvidia-gpu-device-plugin"

_GPUS = "gpu.nvidia.com"
_COMPUTE_DOMAINS = "compute-domain.nvidia.com"
_KUBELET_PLUGIN = "nvidia-dra-driver-gpu-kubelet-plugin"
_PCIE_ROOT = "resource.kubernetes.io/pcieRoot"
_MTU = 8896


def drivers_of(pool: Properties, family: Family, shape: Shape) -> list[NodeDriver]:
    """All DRA drivers that a node of this pool can have, each with its devices."""
    drivers: list[NodeDriver] = []
    if uses_dranet(pool) and family.managed_dranet:
        waits_for = Daemon(family.nic_daemon) if family.nic_daemon else None
        drivers.append(NodeDriver(DRANET, _nics(pool, shape), waits_for))
    if family.accelerator:
        drivers.append(NodeDriver(_GPUS, _gpus(family, shape), Daemon(_KUBELET_PLUGIN, "gpus")))
    if family.accelerator_topology:
        drivers.append(NodeDriver(_COMPUTE_DOMAINS, _channels(), Daemon(_KUBELET_PLUGIN, "compute-domains")))
    return drivers


def _nics(pool: Properties, shape: Shape) -> list[dict[str, Any]]:
    """The NICs that are attached to networks: as many as the pool names, or all of them with an automatic profile."""
    automatic = pool.text(PROFILE) == AUTO_PROFILE
    attached = len(shape.nic_kinds) if automatic else len(pool.items(ADDITIONAL))
    nics = list(zip(shape.nic_kinds, shape.devices_per_nic, strict=True))[:attached]
    ordinary = [kind for kind, _ in nics if kind.ordinary]
    rdma = sum(devices for kind, devices in nics if not kind.ordinary)
    return [_nic(f"eth{index + 1}", kind, index, rdma=False) for index, kind in enumerate(ordinary)] + [
        _nic(name, NicKind.MRDMA, gpu, rdma=True) for name, gpu in _rdma_names(rdma, shape.accelerator_count)
    ]


def _rdma_names(count: int, gpus: int) -> list[tuple[str, int]]:
    """Names such as `gpu0rdma0`, each with the number of the GPU beside it."""
    each = max(count // max(gpus, 1), 1)
    return [(f"gpu{index // each}rdma{index % each}", index // each) for index in range(count)]


def _nic(name: str, kind: NicKind, root: int, *, rdma: bool) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        "ifName": {"string": name},
        "rdma": {"bool": rdma},
        "mtu": {"int": _MTU},
        "virtual": {"bool": False},
        "pciDevice": {"string": "ConnectX" if rdma else kind.value},
        "numaNode": {"int": 0 if root < 4 else 1},
    }
    if rdma:
        attributes |= {"rdmaDevice": {"string": f"mlx5_{root}"}, _PCIE_ROOT: {"string": _root(root)}}
    return {"name": name, "attributes": attributes}


def _gpus(family: Family, shape: Shape) -> list[dict[str, Any]]:
    return [
        {
            "name": f"gpu-{index}",
            "attributes": {
                "type": {"string": "gpu"},
                "productName": {"string": family.product or family.accelerator},
                "uuid": {"string": f"GPU-00000000-0000-0000-0000-{index:012d}"},
                _PCIE_ROOT: {"string": _root(index)},
            },
        }
        for index in range(shape.accelerator_count)
    ]


def _channels() -> list[dict[str, Any]]:
    """The devices of the NVLink driver: one IMEX channel for the workload, and one for the daemon that serves it."""
    return [
        {"name": "channel-0", "attributes": {"type": {"string": "channel"}, "id": {"int": 0}}},
        {"name": "daemon-0", "attributes": {"type": {"string": "daemon"}, "id": {"int": 0}}},
    ]


def _root(index: int) -> str:
    return f"pci0000:{index * 16:02x}"
