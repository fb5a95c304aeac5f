"""A node pool's machines: whether type, accelerators, disks and capacity are what Google offers."""

import re

from sandbox.cloud.kinds import Request, Rules, Stage
from sandbox.cloud.resources import common
from sandbox.cloud.tables import Consumption, Family, Shape
from sandbox.cloud.values import Properties

DEFAULT_MACHINE = "e2-medium"
RESERVATION_KEY = "compute.googleapis.com/reservation-name"

_GKE = "Kubernetes Engine API reference"
_GPU_TYPES = "cloud.google.com/compute/docs/gpus"
_PROVISIONING = "cloud.google.com/compute/docs/instances/provisioning-models"
_RESERVATIONS = "cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations"
_FLEX = "cloud.google.com/kubernetes-engine/docs/how-to/dws-flex-start-training"

_SEVEN_DAYS = 7 * 24 * 3600

rules = Rules()


def machine(request: Request) -> tuple[Family, Shape] | None:
    """The machine type that is asked for; None if it is not known yet, or does not exist."""
    if request.inputs.unknown("nodeConfig.machineType"):
        return None
    return request.tables.machine(request.inputs.text("nodeConfig.machineType") or DEFAULT_MACHINE)


def machine_name(request: Request) -> str:
    return request.inputs.text("nodeConfig.machineType") or DEFAULT_MACHINE


def consumption(inputs: Properties) -> Consumption:
    """How a pool obtains its capacity. An affinity for any reservation falls back to on-demand machines."""
    if inputs.flag("nodeConfig.flexStart"):
        return Consumption.FLEX_START
    if inputs.flag("nodeConfig.spot") or inputs.flag("nodeConfig.preemptible"):
        return Consumption.SPOT
    if inputs.text("nodeConfig.reservationAffinity.consumeReservationType") == "SPECIFIC_RESERVATION":
        return Consumption.RESERVATION
    return Consumption.ON_DEMAND


def boot_disk(inputs: Properties) -> str | None:
    """The boot disk's type, which can be given in two places."""
    return inputs.text("nodeConfig.bootDisk.diskType") or inputs.text("nodeConfig.diskType")


def not_offered(machine_type: str, zone: str) -> str:
    return f'Error 400: Machine type with name "{machine_type}" does not exist in zone "{zone}"., badRequest'


@rules("pool-machine-type", _GPU_TYPES, Stage.CHECK)
def machine_type_exists(request: Request) -> str | None:
    if request.inputs.unknown("nodeConfig.machineType") or machine(request):
        return None
    return f'Error 400: Machine type with name "{machine_name(request)}" does not exist., badRequest'


@rules("pool-machine-zone", _GPU_TYPES, Stage.CHECK)
def machine_type_is_offered(request: Request) -> str | None:
    found = machine(request)
    for zone in request.inputs.texts("nodeLocations"):
        if found and not found[0].offered_in(zone):
            return not_offered(machine_name(request), zone)
    return None


@rules("pool-accelerators", _GPU_TYPES, Stage.CHECK)
def accelerators_are_the_machines(request: Request) -> str | None:
    found = machine(request)
    if found is None or request.inputs.unknown("nodeConfig.guestAccelerators"):
        return None
    family, shape = found
    name = machine_name(request)
    asked = [(item.text("type"), item.number("count")) for item in request.inputs.items("nodeConfig.guestAccelerators")]
    if family.accelerator is None:
        return f"Error 400: Machine type {name} does not support guest accelerators., badRequest" if asked else None
    # GKE fills in what is missing.
    if not asked or asked == [(family.accelerator, shape.accelerator_count)]:
        return None
    wanted = ", ".join(f"{count} x {kind}" for kind, count in asked)
    return (
        f"Error 400: Machine type {name} has {shape.accelerator_count} x {family.accelerator}, "
        f"but the node pool asks for {wanted}., badRequest"
    )


rules("pool-image-type", "cloud.google.com/kubernetes-engine/docs/concepts/node-images", Stage.CHECK)(
    common.one_of("nodeConfig.imageType", "COS_CONTAINERD", "UBUNTU_CONTAINERD", "cos_containerd", "ubuntu_containerd")
)


@rules("pool-driver-image", "cloud.google.com/kubernetes-engine/docs/how-to/gpus", Stage.CHECK)
def latest_driver_needs_cos(request: Request) -> str | None:
    path = "nodeConfig.guestAccelerators[0].gpuDriverInstallationConfig.gpuDriverVersion"
    image = (request.inputs.text("nodeConfig.imageType") or "COS_CONTAINERD").upper()
    if request.inputs.text(path) != "LATEST" or image == "COS_CONTAINERD":
        return None
    return f"Error 400: GPU driver version LATEST is not supported by image type {image}., badRequest"


@rules("pool-boot-disk", "cloud.google.com/compute/docs/disks, machine series support", Stage.CHECK)
def boot_disk_is_legal(request: Request) -> str | None:
    found = machine(request)
    disk = boot_disk(request.inputs)
    if found is None or disk is None or disk in found[0].boot_disks:
        return None
    return (
        f"Error 400: {disk} disk type cannot be used by {machine_name(request)} machine type; "
        f"it takes {', '.join(found[0].boot_disks)}., badRequest"
    )


@rules("pool-local-ssd", "cloud.google.com/compute/docs/disks/local-ssd", Stage.CHECK)
def local_ssds_are_the_machines(request: Request) -> str | None:
    found = machine(request)
    path = "nodeConfig.ephemeralStorageLocalSsdConfig.localSsdCount"
    count = request.inputs.number(path)
    if found is None or not count:
        return None
    shape = found[1]
    legal = (shape.local_ssd.count,) if shape.local_ssd else shape.optional_local_ssds
    if count in legal:
        return None
    return (
        f"Error 400: Machine type {machine_name(request)} takes {' or '.join(map(str, legal)) or 'no'} local SSDs, "
        f"not {count}., badRequest"
    )


@rules("pool-consumption", _PROVISIONING, Stage.CHECK)
def capacity_is_offered(request: Request) -> str | None:
    found = machine(request)
    paths = ("nodeConfig.spot", "nodeConfig.flexStart", "nodeConfig.reservationAffinity")
    if found is None or any(request.inputs.unknown(path) for path in paths):
        return None
    wanted = consumption(request.inputs)
    if wanted in found[0].consumption:
        return None
    offered = ", ".join(sorted(found[0].consumption))
    return (
        f"Error 400: Machine type {machine_name(request)} is not offered {_HOW[wanted]}; "
        f"ways to have it: {offered}., badRequest"
    )


_HOW = {
    Consumption.ON_DEMAND: "on demand",
    Consumption.SPOT: "as Spot",
    Consumption.FLEX_START: "by flex-start",
    Consumption.RESERVATION: "by reservation",
}


@rules(
    "pool-reservation-affinity", "cloud.google.com/kubernetes-engine/docs/how-to/consuming-reservations", Stage.CHECK
)
def reservation_is_named(request: Request) -> str | None:
    affinity = "nodeConfig.reservationAffinity"
    kind = request.inputs.text(f"{affinity}.consumeReservationType")
    if kind is None or request.inputs.unknown(affinity):
        return None
    names = request.inputs.texts(f"{affinity}.values")
    key = request.inputs.text(f"{affinity}.key")
    if kind == "SPECIFIC_RESERVATION":
        if key == RESERVATION_KEY and len(names) == 1:
            return None
        return f"Error 400: SPECIFIC_RESERVATION needs key {RESERVATION_KEY} and exactly one value., badRequest"
    if key or names:
        return f"Error 400: Reservation affinity {kind} takes neither key nor values., badRequest"
    return None


@rules("pool-spot-reservation", _PROVISIONING, Stage.CHECK)
def spot_takes_no_reservation(request: Request) -> str | None:
    kind = request.inputs.text("nodeConfig.reservationAffinity.consumeReservationType")
    wanted = consumption(request.inputs)
    if kind in (None, "NO_RESERVATION", "UNSPECIFIED") or wanted in (Consumption.RESERVATION, Consumption.ON_DEMAND):
        return None
    return f"Error 400: Reservation affinity {kind} cannot be combined with {wanted}; use NO_RESERVATION., badRequest"


@rules("pool-one-consumption", _FLEX, Stage.CHECK)
def consumption_is_one(request: Request) -> str | None:
    flags = ("nodeConfig.spot", "nodeConfig.preemptible", "nodeConfig.flexStart")
    chosen = [path.split(".")[1] for path in flags if request.inputs.flag(path)]
    return f"Error 400: {' and '.join(chosen)} cannot be combined., badRequest" if len(chosen) > 1 else None


@rules("pool-flex-start-repair", _FLEX, Stage.CHECK)
def flex_start_is_not_repaired(request: Request) -> str | None:
    # By the provider's default auto-repair is on.
    if not request.inputs.flag("nodeConfig.flexStart") or request.inputs.unknown("management.autoRepair"):
        return None
    if request.inputs.flag("management.autoRepair") is False:
        return None
    return "Error 400: Flex-start node pools require management.auto_repair to be false., badRequest"


@rules("pool-run-duration", _PROVISIONING, Stage.CHECK)
def run_duration_is_legal(request: Request) -> str | None:
    duration = request.inputs.text("nodeConfig.maxRunDuration")
    if duration is None:
        return None
    match = re.fullmatch(r"(\d+)s", duration)
    if match is None:
        return f'Error 400: Invalid max_run_duration "{duration}": must be seconds such as "3600s"., badRequest'
    if consumption(request.inputs) is not Consumption.FLEX_START or int(match[1]) <= _SEVEN_DAYS:
        return None
    return f"Error 400: max_run_duration {duration} exceeds the longest of flex-start, 7 days., badRequest"


@rules("pool-rdma-image", "cloud.google.com/ai-hypercomputer/docs/create/gke-ai-hypercompute-custom", Stage.CHECK)
def rdma_needs_cos(request: Request) -> str | None:
    found = machine(request)
    image = (request.inputs.text("nodeConfig.imageType") or "COS_CONTAINERD").upper()
    if found is None or image == "COS_CONTAINERD" or all(kind.ordinary for kind in found[1].nic_kinds):
        return None
    return f"Error 400: GPUDirect RDMA of {machine_name(request)} is not supported by image type {image}., badRequest"
