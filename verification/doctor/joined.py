"""Checks of a VPC that another team owns: its ranges, whether the project is attached to its host, and the rights of
Google's agents."""

import ipaddress
from collections.abc import Iterator
from typing import Any

from planning.plan import ExistingNetworkPlan
from verification.doctor.google import Api, Missing
from verification.doctor.look import Look, Question
from verification.doctor.rows import Row
from verification.results import CheckFailed, NotObservable

_RESERVED_ADDRESSES = 4
"""The reserved addresses of a primary range: the network's, the gateway's, and the last two."""
_NETWORK_USER = "roles/compute.networkUser"
_HOST_AGENT = "roles/container.hostServiceAgentUser"


def network_questions(look: Look) -> Iterator[Question]:
    network = look.plan.network
    if not isinstance(network, ExistingNetworkPlan):
        return
    yield Question(network.subnetwork, Row.SUBNETWORK, lambda: _subnetwork(look, network))
    host = network.project
    if host is not None and host != look.project:
        yield Question(host, Row.SHARED_VPC, lambda: _attached(look, host))
        yield Question(host, Row.SERVICE_AGENTS, lambda: _agents(look, host, network))


def _path(look: Look, network: ExistingNetworkPlan) -> str:
    return f"projects/{network.project or look.project}/regions/{look.plan.region}/subnetworks/{network.subnetwork}"


def _subnetwork(look: Look, network: ExistingNetworkPlan) -> str:
    try:
        found = look.google.get(Api.COMPUTE, _path(look, network))
    except Missing:
        raise CheckFailed(
            f"there is no subnetwork {network.subnetwork} in {look.plan.region} of {network.project or look.project}: "
            "write its name in network.existing"
        ) from None
    if str(found["network"]).rpartition("/")[2] != network.vpc:
        raise CheckFailed(f"it is of the network {found['network']}: write that one in network.existing.network")
    ranges = {each["rangeName"]: each["ipCidrRange"] for each in found.get("secondaryIpRanges", [])}
    for field, name in (("podsRange", network.pods_range), ("servicesRange", network.services_range)):
        if name not in ranges:
            raise CheckFailed(
                f"it has no range {name}, only {', '.join(sorted(ranges)) or 'none'}: write network.existing.{field}, "
                "or have its owner add one"
            )
    nodes, pods = _size(found["ipCidrRange"]) - _RESERVED_ADDRESSES, _size(ranges[network.pods_range])
    seen = f"{found['ipCidrRange']} for nodes, {ranges[network.pods_range]} for pods"
    if nodes < network.nodes_needed or pods < network.pod_addresses_needed:
        raise CheckFailed(
            f"{seen}: {network.nodes_needed:,} nodes and {network.pod_addresses_needed:,} addresses of pods may be "
            "needed; have its owner widen them, or write another subnetwork"
        )
    return seen


def _size(cidr: str) -> int:
    return ipaddress.ip_network(cidr).num_addresses


def _attached(look: Look, host: str) -> str:
    try:
        found = look.google.get(Api.COMPUTE, f"projects/{look.project}/getXpnHost")
    except Missing:
        found = {}
    name = found.get("name")
    if name != host:
        raise CheckFailed(
            f"{look.project} is attached to {name or 'no host'}: have its owner run `gcloud compute shared-vpc "
            f"associated-projects add {look.project} --host-project={host}`"
        )
    return f"{look.project} is attached"


def _agents(look: Look, host: str, network: ExistingNetworkPlan) -> str:
    if look.number is None:
        raise NotObservable("the agents' names need the project's number, which Google did not say")
    gke = f"serviceAccount:service-{look.number}@container-engine-robot.iam.gserviceaccount.com"
    machines = f"serviceAccount:{look.number}@cloudservices.gserviceaccount.com"
    of_host = _members(look.google.post(Api.PROJECTS, f"projects/{host}:getIamPolicy", {}))
    of_subnetwork = _members(look.google.get(Api.COMPUTE, f"{_path(look, network)}/getIamPolicy"))
    lacking = [
        f"{member} has no {role}"
        for member, role in ((gke, _NETWORK_USER), (machines, _NETWORK_USER))
        if member not in of_host.get(role, set()) | of_subnetwork.get(role, set())
    ]
    lacking += [f"{gke} has no {_HOST_AGENT}"] if gke not in of_host.get(_HOST_AGENT, set()) else []
    if lacking:
        raise CheckFailed(f"{'; '.join(lacking)}: have the owner of {host} add each as a binding of the host project")
    return f"GKE's agent and the machines' may use {network.subnetwork}"


def _members(policy: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for binding in policy.get("bindings", []):
        # A binding with a condition may not apply where it is needed.
        if "condition" not in binding:
            found.setdefault(binding["role"], set()).update(binding.get("members", []))
    return found
