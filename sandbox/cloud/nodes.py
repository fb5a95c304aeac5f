"""Makes the Node objects of a node pool as GKE does: labels, taints, capacity, and what pods may use of it."""

from typing import Any

from sandbox.cloud import reserved
from sandbox.cloud.node_devices import NO_DEVICE_PLUGIN_LABEL, drivers_of
from sandbox.cloud.references import last, project_of
from sandbox.cloud.resources.common import short_hash
from sandbox.cloud.resources.node_config import boot_disk, consumption
from sandbox.cloud.resources.node_pool import group_name
from sandbox.cloud.resources.pool_networks import AUTO_PROFILE, PROFILE
from sandbox.cloud.resources.reservations import parse_reservation
from sandbox.cloud.store import Record
from sandbox.cloud.tables import Consumption, Family, Shape, Tables, region_of
from sandbox.cloud.values import Properties
from sandbox.cluster.devices import ANNOTATION, annotation

POOL_LABEL = "cloud.google.com/gke-nodepool"

_GIB = 1024**3
_DEFAULT_BOOT_DISK_GIB = 100
_TAINT_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
_PROVISIONING = {Consumption.SPOT: "spot", Consumption.FLEX_START: "flex-start"}
# Newer machines report their place in the data centre; the nodes of one pool share a block here, as in a dense
# reservation.
_NODES_A_SUBBLOCK = 16


def nodes_of_pool(id_: str, pool: Record, tables: Tables) -> list[dict[str, Any]]:
    """All nodes that the pool has now, as objects that can be applied."""
    found = tables.machine(pool.properties.text("nodeConfig.machineType") or "")
    if found is None:
        return []
    per_zone = pool.properties.number("nodeCount") or 0
    return [
        _node(id_, pool.properties, found, zone, index)
        for zone in pool.properties.texts("nodeLocations")
        for index in range(per_zone)
    ]


def _node(id_: str, pool: Properties, machine: tuple[Family, Shape], zone: str, index: int) -> dict[str, Any]:
    name = f"{group_name(id_, zone)}-{short_hash(f'{id_} {zone} {index}', 4)}"
    capacity, allocatable = _resources(pool, *machine)
    taints = [_taint(item) for item in pool.items("nodeConfig.effectiveTaints")]
    drivers = drivers_of(pool, *machine)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                **_machine_labels(pool, *machine),
                **_pool_labels(id_, pool),
                **_place_labels(name, zone),
                **(_topology_labels(id_, name, index) if machine[0].topology_labels else {}),
                **pool.mapping("nodeConfig.labels"),
            },
            **({"annotations": {ANNOTATION: annotation(drivers)}} if drivers else {}),
        },
        "spec": {
            "providerID": f"gce://{project_of(id_)}/{zone}/{name}",
            **({"taints": taints} if taints else {}),
        },
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "nodeInfo": _node_info(machine[0], pool.text("version") or ""),
        },
    }


def _taint(item: Properties) -> dict[str, str]:
    effect = _TAINT_EFFECTS[item.text("effect") or "NO_SCHEDULE"]
    return {"key": item.text("key") or "", "value": item.text("value") or "", "effect": effect}


def _machine_labels(pool: Properties, family: Family, shape: Shape) -> dict[str, str]:
    machine_type = pool.text("nodeConfig.machineType") or ""
    labels = {
        "beta.kubernetes.io/arch": family.arch,
        "kubernetes.io/arch": family.arch,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/os": "linux",
        "beta.kubernetes.io/instance-type": machine_type,
        "node.kubernetes.io/instance-type": machine_type,
        "cloud.google.com/machine-family": machine_type.split("-")[0],
        "cloud.google.com/gke-cpu-scaling-level": str(shape.vcpus),
        "cloud.google.com/gke-memory-gb-scaling-level": str(shape.memory_gib),
        "cloud.google.com/gke-boot-disk": boot_disk(pool) or family.boot_disks[0],
    }
    if family.accelerator:
        driver = pool.text("nodeConfig.guestAccelerators[0].gpuDriverInstallationConfig.gpuDriverVersion") or "DEFAULT"
        labels |= {
            "cloud.google.com/gke-accelerator": family.accelerator,
            "cloud.google.com/gke-accelerator-count": str(shape.accelerator_count),
            "cloud.google.com/gke-gpu": "true",
            "cloud.google.com/gke-gpu-driver-version": "disabled" if driver.startswith("INSTALL") else driver.lower(),
        }
    if _local_ssd_gib(pool, shape):
        labels["cloud.google.com/gke-ephemeral-storage-local-ssd"] = "true"
    return labels


def _pool_labels(id_: str, pool: Properties) -> dict[str, str]:
    how = consumption(pool)
    labels = {
        POOL_LABEL: last(id_),
        "cloud.google.com/gke-container-runtime": "containerd",
        "cloud.google.com/gke-logging-variant": "DEFAULT",
        "cloud.google.com/gke-max-pods-per-node": str(pool.number("maxPodsPerNode") or 110),
        "cloud.google.com/gke-netd-ready": "true",
        "cloud.google.com/gke-os-distribution": "ubuntu" if _image(pool).startswith("UBUNTU") else "cos",
        "cloud.google.com/gke-provisioning": _PROVISIONING.get(how, "standard"),
        "cloud.google.com/gke-stack-type": "IPV4",
        "cloud.google.com/private-node": str(bool(pool.flag("networkConfig.enablePrivateNodes"))).lower(),
    }
    if how is Consumption.SPOT:
        labels["cloud.google.com/gke-spot"] = "true"
    if how is Consumption.FLEX_START:
        labels["cloud.google.com/gke-flex-start"] = "true"
    if how is Consumption.RESERVATION:
        labels |= _reservation_labels(pool.texts("nodeConfig.reservationAffinity.values")[0])
    if pool.text("nodeConfig.workloadMetadataConfig.mode") == "GKE_METADATA":
        labels["iam.gke.io/gke-metadata-server-enabled"] = "true"
    if pool.flag("nodeConfig.gcfsConfig.enabled"):
        labels["cloud.google.com/gke-image-streaming"] = "true"
    if pool.text(PROFILE) == AUTO_PROFILE:
        labels["gke.networks.io/accelerator-network-profile"] = AUTO_PROFILE
    if pool.text("nodeConfig.gpudirectStrategy"):
        labels["cloud.google.com/gke-gpudirect"] = (pool.text("nodeConfig.gpudirectStrategy") or "").lower()
    for disk in pool.items("nodeConfig.secondaryBootDisks"):
        labels |= _secondary_disk_label(disk)
    return labels


def _reservation_labels(value: str) -> dict[str, str]:
    found = parse_reservation(value)
    labels = {"cloud.google.com/reservation-affinity": "specific"}
    if found:
        labels["cloud.google.com/reservation-name"] = found.name
        labels |= {"cloud.google.com/reservation-blocks": found.block} if found.block else {}
        labels |= {"cloud.google.com/reservation-subblocks": found.sub_block} if found.sub_block else {}
    return {name: text[:63] for name, text in labels.items()}


def _secondary_disk_label(disk: Properties) -> dict[str, str]:
    """The label by which pods find nodes that have a disk with an image."""
    image = disk.text("diskImage") or ""
    key = f"cloud.google.com.node-restriction.kubernetes.io/{f'gke-secondary-boot-disk-{last(image)}'[:63]}"
    return {key: f"{disk.text('mode') or 'MODE_UNSPECIFIED'}.{project_of(image)}"}


def _image(pool: Properties) -> str:
    return (pool.text("nodeConfig.imageType") or "COS_CONTAINERD").upper()


def _place_labels(name: str, zone: str) -> dict[str, str]:
    region = region_of(zone)
    return {
        "kubernetes.io/hostname": name,
        "failure-domain.beta.kubernetes.io/region": region,
        "failure-domain.beta.kubernetes.io/zone": zone,
        "topology.gke.io/zone": zone,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    }


def _topology_labels(id_: str, name: str, index: int) -> dict[str, str]:
    return {
        "cloud.google.com/gce-topology-block": short_hash(id_, 32),
        "cloud.google.com/gce-topology-subblock": short_hash(f"{id_} {index // _NODES_A_SUBBLOCK}", 32),
        "cloud.google.com/gce-topology-host": short_hash(name, 32),
    }


def _resources(pool: Properties, family: Family, shape: Shape) -> tuple[dict[str, str], dict[str, str]]:
    """The node's capacity, and what GKE leaves of it for pods."""
    arm = family.arch == "arm64"
    storage, storage_left = _storage(pool, shape, arm=arm)
    physical = int(shape.memory_gib * _GIB)
    memory = reserved.memory_capacity(physical, arm=arm)
    left = memory - reserved.reserved_memory(physical)
    capacity = {
        "cpu": str(shape.vcpus),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": f"{storage // 1024}Ki",
        "pods": str(pool.number("maxPodsPerNode") or 110),
    }
    allocatable = {
        **capacity,
        "cpu": f"{shape.vcpus * 1000 - reserved.reserved_millicores(shape.vcpus)}m",
        "memory": f"{left // 1024}Ki",
        "ephemeral-storage": str(storage_left),
    }
    if family.accelerator and pool.mapping("nodeConfig.labels").get(NO_DEVICE_PLUGIN_LABEL) != "true":
        gpus = {"nvidia.com/gpu": str(shape.accelerator_count)}
        capacity, allocatable = capacity | gpus, allocatable | gpus
    pages = _huge_pages(pool)
    if pages:
        # The kernel reserves the memory of huge pages, so pods cannot use it in another way.
        left -= sum(pages.values()) * 1024
        sizes = {name: f"{kib}Ki" for name, kib in pages.items()}
        return capacity | sizes, {**allocatable, **sizes, "memory": f"{left // 1024}Ki"}
    return capacity, allocatable


def _huge_pages(pool: Properties) -> dict[str, int]:
    """The memory, in KiB, that is reserved as pages of each size."""
    config = "nodeConfig.linuxNodeConfig.hugepagesConfig"
    counts = {
        "hugepages-2Mi": (pool.number(f"{config}.hugepageSize2m") or 0) * 2 * 1024,
        "hugepages-1Gi": (pool.number(f"{config}.hugepageSize1g") or 0) * 1024**2,
    }
    return {name: kib for name, kib in counts.items() if kib}


def _local_ssd_gib(pool: Properties, shape: Shape) -> int:
    if shape.local_ssd:
        return shape.local_ssd.count * shape.local_ssd.gib
    return (pool.number("nodeConfig.ephemeralStorageLocalSsdConfig.localSsdCount") or 0) * 375


def _storage(pool: Properties, shape: Shape, *, arm: bool) -> tuple[int, int]:
    """The node's ephemeral storage and what pods may use of it, in bytes; it is on the local SSDs if there are any."""
    ssd = _local_ssd_gib(pool, shape)
    if ssd:
        disks = ssd // (shape.local_ssd.gib if shape.local_ssd else 375)
        capacity = reserved.local_ssd_capacity(ssd * _GIB, disks)
        return capacity, reserved.allocatable_on_local_ssds(capacity, disks)
    sizes = (pool.number("nodeConfig.bootDisk.sizeGb"), pool.number("nodeConfig.diskSizeGb"))
    size = next((size for size in sizes if size), _DEFAULT_BOOT_DISK_GIB) * _GIB
    capacity = reserved.boot_disk_capacity(size, arm=arm)
    return capacity, reserved.allocatable_on_boot_disk(size, capacity)


def _node_info(family: Family, version: str) -> dict[str, str]:
    return {
        "architecture": family.arch,
        "operatingSystem": "linux",
        "osImage": "Container-Optimized OS from Google",
        "kubeletVersion": f"v{version}",
        "containerRuntimeVersion": "containerd://2.1.5",
        "kernelVersion": "6.12.55+",
        "kubeProxyVersion": f"v{version}",
        "machineID": "",
        "systemUUID": "",
        "bootID": "",
    }
