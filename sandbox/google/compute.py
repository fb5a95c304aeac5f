"""Compute Engine: machines, accelerators, network profiles, reservations, limits, subnetworks and instance groups."""

from sandbox.cloud.references import COMPUTE, last
from sandbox.cloud.resources.common import NODE_POOL, SUBNETWORK, number_of
from sandbox.cloud.resources.node_pool import group_name
from sandbox.cloud.resources.reservations import parse_reservation
from sandbox.cloud.tables import Family, Reservation, Shape, Status
from sandbox.google.limits import project_limits, regional_limits
from sandbox.google.projects import project_number
from sandbox.google.reply import Asked, Json, Reply, Routes, not_found, ok

compute = Routes("/compute/v1", "compute.googleapis.com")

_READ_IN = "projects/{project}/zones/{zone}"


def _identity(kind: str, id_: str) -> Json:
    """The fields that every resource of Compute Engine has."""
    name = last(id_)
    return {"kind": f"compute#{kind}", "id": number_of(id_, 18), "name": name, "selfLink": f"{COMPUTE}{id_}"}


def _offered(asked: Asked, machine: str) -> tuple[Family, Shape] | None:
    found = asked.tables.machine(machine)
    zone = asked.names["zone"]
    there = found is not None and asked.tables.locations.is_zone(zone) and found[0].offered_in(zone)
    return found if there else None


@compute("GET", f"/{_READ_IN}/machineTypes/{{machine}}", "compute.machineTypes.get")
def machine_type(asked: Asked) -> Reply:
    id_ = f"{_READ_IN.format(**asked.names)}/machineTypes/{asked.names['machine']}"
    found = _offered(asked, asked.names["machine"])
    if found is None or asked.lacks(id_):
        return not_found(id_)
    family, shape = found
    body = _identity("machineType", id_) | {
        "guestCpus": shape.vcpus,
        "memoryMb": shape.memory_gib * 1024,
        "zone": asked.names["zone"],
        "architecture": "ARM64" if family.arch == "arm64" else "X86_64",
        "isSharedCpu": False,
    }
    if family.accelerator:
        count = shape.accelerator_count
        body["accelerators"] = [{"guestAcceleratorType": family.accelerator, "guestAcceleratorCount": count}]
    return ok(body)


@compute("GET", f"/{_READ_IN}/acceleratorTypes/{{accelerator}}", "compute.acceleratorTypes.get")
def accelerator_type(asked: Asked) -> Reply:
    name, zone = asked.names["accelerator"], asked.names["zone"]
    id_ = f"{_READ_IN.format(**asked.names)}/acceleratorTypes/{name}"
    there = asked.tables.locations.is_zone(zone) and any(
        family.accelerator == name and family.offered_in(zone) for family in asked.tables.families
    )
    if not there or asked.lacks(id_):
        return not_found(id_)
    return ok(_identity("acceleratorType", id_) | {"zone": f"{COMPUTE}projects/{asked.project}/zones/{zone}"})


@compute("GET", "/projects/{project}/global/networkProfiles/{profile}", "compute.networkProfiles.get")
def network_profile(asked: Asked) -> Reply:
    id_ = f"projects/{asked.names['project']}/global/networkProfiles/{asked.names['profile']}"
    found = asked.tables.locations.profile(asked.names["profile"])
    if found is None or asked.lacks(id_):
        return not_found(id_)
    return ok(_identity("networkProfile", id_) | {"location": {"name": found[1], "scope": "ZONE"}})


@compute("GET", "/projects/{project}/regions/{region}", "compute.regions.get")
def region(asked: Asked) -> Reply:
    name = asked.names["region"]
    id_ = f"projects/{asked.names['project']}/regions/{name}"
    zones = asked.tables.locations.zones_of(name)
    if not zones:
        return not_found(id_)
    links = [f"{COMPUTE}projects/{asked.names['project']}/zones/{zone}" for zone in zones]
    return ok(_identity("region", id_) | {"status": "UP", "zones": links, "quotas": regional_limits(asked, name)})


@compute("GET", "/projects/{project}", "compute.projects.get")
def project(asked: Asked) -> Reply:
    id_ = f"projects/{asked.names['project']}"
    return ok(_identity("project", id_) | {"quotas": project_limits(asked)})


@compute("GET", "/projects/{project}/getXpnHost", "compute.projects.get")
def host(asked: Asked) -> Reply:
    """The host project of a Shared VPC; an empty object if the project is not attached to one."""
    found = asked.situation.host
    return ok(_identity("project", f"projects/{found}") if found else {})


def _reservation(asked: Asked) -> Reservation | None:
    project, name, zone = (asked.names[key] for key in ("project", "reservation", "zone"))
    for each in asked.reservations:
        if (each.name, each.zone, each.project or asked.project) == (name, zone, project):
            return each
    return None


def _in_use(asked: Asked, name: str, block: str | None = None, sub_block: str | None = None) -> int:
    """The number of machines that node pools use of the reservation, or of a part of it."""
    used = 0
    for _, pool in asked.state.of(NODE_POOL):
        values = pool.properties.texts("nodeConfig.reservationAffinity.values")
        named = parse_reservation(values[0]) if values else None
        if named and named.name == name and block in (None, named.block) and sub_block in (None, named.sub_block):
            zones = pool.properties.texts("nodeLocations")
            used += (pool.properties.number("nodeCount") or 0) * len(zones)
    return used


@compute("GET", f"/{_READ_IN}/reservations/{{reservation}}", "compute.reservations.get")
def reservation(asked: Asked) -> Reply:
    id_ = f"{_READ_IN.format(**asked.names)}/reservations/{asked.names['reservation']}"
    found = _reservation(asked)
    if found is None or asked.lacks(id_):
        return not_found(id_)
    sharing: Json = {"shareType": "LOCAL"}
    if found.shared and found.project not in (None, asked.project):
        number = project_number(asked.project)
        sharing = {"shareType": "SPECIFIC_PROJECTS", "projectMap": {number: {"projectId": number}}}
    specific = {
        "count": str(found.count),
        "inUseCount": str(found.in_use + _in_use(asked, found.name)),
        "instanceProperties": {"machineType": found.machine_type},
    }
    return ok(
        _identity("reservation", id_)
        | {
            "zone": f"{COMPUTE}projects/{asked.names['project']}/zones/{found.zone}",
            "status": "READY" if found.status is Status.ACTIVE else "CREATING",
            "specificReservation": specific,
            "specificReservationRequired": True,
            "shareSettings": sharing,
        }
    )


@compute("GET", f"/{_READ_IN}/reservations/{{reservation}}/reservationBlocks/{{block}}", "compute.reservations.get")
def block(asked: Asked) -> Reply:
    return _part(asked, "reservationBlock", asked.names["block"])


@compute(
    "GET",
    f"/{_READ_IN}/reservations/{{reservation}}/reservationBlocks/{{block}}/reservationSubBlocks/{{sub_block}}",
    "compute.reservations.get",
)
def sub_block(asked: Asked) -> Reply:
    return _part(asked, "reservationSubBlock", asked.names["block"], asked.names["sub_block"])


def _part(asked: Asked, kind: str, block: str, sub_block: str | None = None) -> Reply:
    found = _reservation(asked)
    id_ = f"{_READ_IN.format(**asked.names)}/reservations/{asked.names['reservation']}/reservationBlocks/{block}"
    id_ += f"/reservationSubBlocks/{sub_block}" if sub_block else ""
    there = found is not None and block in found.blocks and (sub_block is None or sub_block in found.blocks[block])
    if found is None or not there or asked.lacks(id_):
        return not_found(id_)
    parts = len(found.blocks) if sub_block is None else sum(map(len, found.blocks.values()))
    used = _in_use(asked, found.name, block, sub_block)
    body = _identity(kind, id_) | {"count": found.count // parts, "inUseCount": used, "status": "READY"}
    return ok({"resource": body})


@compute("GET", "/projects/{project}/regions/{region}/subnetworks/{subnetwork}", "compute.subnetworks.get")
def subnetwork(asked: Asked) -> Reply:
    id_ = "projects/{project}/regions/{region}/subnetworks/{subnetwork}".format(**asked.names)
    found = asked.state.get(SUBNETWORK, id_)
    if found is None or asked.lacks(id_):
        return not_found(id_)
    properties = found.properties
    ranges = [
        {"rangeName": each.text("rangeName"), "ipCidrRange": each.text("ipCidrRange")}
        for each in properties.items("secondaryIpRanges")
    ]
    network = last(properties.text("network") or "")
    return ok(
        _identity("subnetwork", id_)
        | {
            "network": f"{COMPUTE}projects/{asked.names['project']}/global/networks/{network}",
            "ipCidrRange": properties.text("ipCidrRange"),
            "secondaryIpRanges": [each for each in ranges if not asked.lacks(str(each["rangeName"]))],
            "region": f"{COMPUTE}projects/{asked.names['project']}/regions/{asked.names['region']}",
        }
    )


@compute(
    "GET",
    "/projects/{project}/regions/{region}/subnetworks/{subnetwork}/getIamPolicy",
    "compute.subnetworks.getIamPolicy",
)
def subnetwork_policy(asked: Asked) -> Reply:
    return ok({"version": 1, "etag": "BwXh0Zk1k5A="})


@compute("GET", f"/{_READ_IN}/instanceGroupManagers/{{group}}", "compute.instanceGroupManagers.get")
def instance_group(asked: Asked) -> Reply:
    id_ = f"{_READ_IN.format(**asked.names)}/instanceGroupManagers/{asked.names['group']}"
    for pool_id, pool in asked.state.of(NODE_POOL):
        if f"{group_name(pool_id, asked.names['zone'])}-grp" == asked.names["group"]:
            size = pool.properties.number("nodeCount") or 0
            return ok(_identity("instanceGroupManager", id_) | {"targetSize": size})
    return not_found(id_)
