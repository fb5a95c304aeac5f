"""Checks what the zone and the region offer: GKE versions, machines, accelerators and network profiles."""

from collections.abc import Iterator
from typing import Any

from catalog import gke_version_reaches
from planning.compatibility import gke_floors
from planning.errors import Findings
from planning.plan import ClusterPlan, NodePoolPlan
from planning.pools import resolve_pools
from verification.doctor.google import Api, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.results import CheckFailed

_STEADIEST = ("STABLE", "REGULAR", "RAPID")

_ZONES_OF_A_CLUSTER = 3
"""GKE puts the system pool into so many of a region's zones."""


def zone_questions(look: Look) -> Iterator[Question]:
    cluster = look.plan.cluster
    if isinstance(cluster, ClusterPlan):
        yield Question(cluster.name, Row.GKE_VERSION, lambda: _version(look, cluster))
        machine = cluster.system_pool.machine_type
        yield Question(cluster.system_pool.name, Row.MACHINE_TYPE, lambda: _system_machine(look, machine))
    else:
        yield Question(cluster.name, Row.CLUSTER, lambda: _standing(look))
    for pool in look.plan.node_pools:
        yield Question(pool.name, Row.MACHINE_TYPE, lambda pool=pool: _machine(look, pool))
        yield Question(pool.name, Row.ACCELERATOR, lambda pool=pool: _accelerator(look, pool))
    profiles = {vpc.network_profile for vpc in look.plan.fabric.vpcs if vpc.network_profile} if look.plan.fabric else ()
    for profile in sorted(profiles):
        yield Question(profile, Row.NETWORK_PROFILE, lambda profile=profile: _profile(look, profile))


def _version(look: Look, cluster: ClusterPlan) -> str:
    path = f"projects/{look.project}/locations/{cluster.location}/serverConfig"
    channels = {each["channel"]: each for each in look.google.get(Api.CONTAINER, path)["channels"]}
    name = cluster.release_channel.name
    if name not in channels:
        raise CheckFailed(f"there is no channel {name}, only {', '.join(sorted(channels))}")
    channel = channels[name]
    offered: list[str] = channel["validVersions"]
    if cluster.version is None:
        chosen = str(channel["defaultVersion"])
    else:
        fitting = [version for version in offered if _is_of(version, cluster.version)]
        if not fitting:
            raise CheckFailed(_not_offered(cluster, channels, offered))
        chosen = max(fitting, key=_numbers)
    for pool in resolve_pools(look.settings, Findings()):
        for what, floors in gke_floors(pool):
            if gke_version_reaches(chosen, floors) is False:
                raise CheckFailed(
                    f"the channel {name} gives {chosen}, too old for {what} of {pool.path}: "
                    f"write cluster.version: at least one of {', '.join(floors)}, in a channel that has it"
                )
    return f"{name} gives {chosen}"


def _not_offered(cluster: ClusterPlan, channels: dict[str, Any], offered: list[str]) -> str:
    minors = sorted({".".join(version.split(".")[:2]) for version in offered}, key=_numbers)
    having = [
        name
        for name in _STEADIEST
        if name in channels
        and any(_is_of(version, cluster.version or "") for version in channels[name]["validVersions"])
    ]
    instead = f", or cluster.releaseChannel: {having[0].lower()}" if having else ""
    return (
        f"the channel {cluster.release_channel.name} has no {cluster.version}, only {', '.join(minors) or 'nothing'} "
        f"today: write cluster.version: one of these{instead}"
    )


def _is_of(version: str, wanted: str) -> bool:
    return version == wanted or version.startswith((f"{wanted.rstrip('.')}.", f"{wanted}-"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.replace("-gke", "").split(".") if part.isdigit())


def _standing(look: Look) -> str:
    pools = look.standing_pools()
    if pools is None:
        raise CheckFailed(
            f"there is no cluster {look.plan.cluster.name} in {look.plan.cluster.location} of {look.project}: write "
            "its name and project in cluster.existing"
        )
    return f"there, with the node pools {', '.join(sorted(pools)) or 'none'}"


def _machine_type(look: Look, zone: str, name: str) -> dict[str, Any]:
    path = f"projects/{look.project}/zones/{zone}/machineTypes/{name}"
    return look.once(path, lambda: look.google.get(Api.COMPUTE, path))


def _system_machine(look: Look, machine: str) -> str:
    zones = sorted(str(zone).rpartition("/")[2] for zone in look.region()["zones"])
    found: list[str] = []
    for zone in zones:
        try:
            _machine_type(look, zone, machine)
        except Missing:
            continue
        found.append(zone)
    if len(found) < min(_ZONES_OF_A_CLUSTER, len(zones)):
        raise CheckFailed(
            f"{machine} is in {', '.join(found) or 'no zone'} of {look.plan.region}, and the system pool needs three "
            "zones: write another cluster.systemPool.machineType"
        )
    return f"{machine} in {', '.join(found)}"


def _machine(look: Look, pool: NodePoolPlan) -> str:
    try:
        machine = _machine_type(look, pool.zone, pool.machine_type)
    except Missing:
        raise CheckFailed(
            f"{pool.zone} has no {pool.machine_type}: write a zone that has it, which "
            f"`gcloud compute machine-types list --filter=name={pool.machine_type}` says"
        ) from None
    gpus = {
        str(each["guestAcceleratorType"]): each["guestAcceleratorCount"] for each in machine.get("accelerators", [])
    }
    seen = (
        f"{pool.machine_type} in {pool.zone}: {machine['guestCpus']} vCPUs, {machine['memoryMb'] / 1024:g} GiB, "
        f"{', '.join(f'{count} x {name}' for name, count in sorted(gpus.items())) or 'no GPU of its own'}"
    )
    if gpus and pool.gpu_type not in gpus:
        raise CheckFailed(f"{seen}, where the plan has {pool.gpu_type}: the catalogue is wrong, report it")
    return seen


def _accelerator(look: Look, pool: NodePoolPlan) -> str:
    try:
        found = look.google.get(
            Api.COMPUTE, f"projects/{look.project}/zones/{pool.zone}/acceleratorTypes/{pool.gpu_type}"
        )
    except Missing:
        raise CheckFailed(
            f"{pool.zone} has no {pool.gpu_type}: write a zone that has it, which "
            f"`gcloud compute accelerator-types list --filter=name={pool.gpu_type}` says"
        ) from None
    return f"{found['name']} in {pool.zone}"


def _profile(look: Look, profile: str) -> str:
    try:
        found = look.google.get(Api.COMPUTE, f"projects/{look.project}/global/networkProfiles/{profile}")
    except Missing:
        raise CheckFailed(
            f"Google has no profile {profile}, so the zone has no such fabric: write a zone that has one, which "
            "`gcloud compute network-profiles list` says"
        ) from None
    return f"{found['name']} is there"
