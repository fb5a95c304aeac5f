"""Google's rules on the capacity of accelerator pools, reservations and placement: what breaks each."""

from typing import Any

from tests.sandbox.cloud_client import PROJECT, REMOVED, ZONE
from tests.sandbox.cloud_rows import PROVIDER, Row
from tests.sandbox.cloud_rows_gke import pools

SUB_BLOCK = "gb200/reservationBlocks/block-1/reservationSubBlocks/sub-block-1"
DRANET = {"cloud.google.com/gke-networking-dra-driver": "true"}


def reserved(value: str) -> dict[str, Any]:
    return {
        "consumeReservationType": "SPECIFIC_RESERVATION",
        "key": "compute.googleapis.com/reservation-name",
        "values": [value],
    }


def machine(name: str, **changes: Any) -> dict[str, Any]:
    """Changes that make the H200 pool one of another machine, without networks of its own."""
    return {
        "networkConfig": REMOVED,
        **pools(**{"machineType": name, "guestAccelerators": REMOVED, "diskType": REMOVED, **changes}),
    }


def reserved_machine(name: str, value: str = SUB_BLOCK, **changes: Any) -> dict[str, Any]:
    return machine(name, spot=REMOVED, reservationAffinity=reserved(value), **changes)


def workload_policy(topology: str) -> dict[str, dict[str, Any]]:
    policy = {"type": "HIGH_THROUGHPUT", "acceleratorTopology": topology}
    return {"policy": {"groupPlacementPolicy": REMOVED, "workloadPolicy": policy}}


PLACED = {"placementPolicy": {"type": "COMPACT", "policyName": "h200-compact"}}
SCALED = {"nodeCount": REMOVED, "autoscaling": {"minNodeCount": 0, "maxNodeCount": 2}}
FLEX = {
    **SCALED,
    "upgradeSettings": REMOVED,
    **pools(spot=REMOVED, flexStart=True),
    "management": {"autoRepair": False},
}
A4X = reserved_machine("a4x-highgpu-4g")
A4X_MAX = reserved_machine("a4x-maxgpu-4g-metal")
OLD = {"cluster": {"masterVersion": "1.32.1-gke.1000000"}}

POLICIES = [
    Row("policy-one-kind", "policy", {"workloadPolicy": {"type": "HIGH_THROUGHPUT"}}, "exactly one of"),
    Row(
        "policy-workload-topology",
        "policy",
        {"workloadPolicy": {"type": "HIGH_THROUGHPUT", "acceleratorTopology": "72"}},
        "'72'. Must be of the form 1x72",
    ),
    Row(
        "policy-workload-topology",
        "policy",
        {"workloadPolicy": {"type": "HIGH_AVAILABILITY", "acceleratorTopology": "1x72"}},
        "Requires type HIGH_THROUGHPUT",
    ),
    Row(
        "subnetwork-metal",
        "gvnic-subnet",
        {},
        "has a subnetwork of Google's own only, default-subnet-1-h200-gvnic",
        {"gvnic-vpc": {"networkProfile": f"projects/{PROJECT}/global/networkProfiles/{ZONE}-vpc-roce-metal"}},
    ),
]

CAPACITY = [
    Row(
        "pool-autoscaling-bounds",
        "system",
        {"nodeCount": REMOVED, "autoscaling": {"minNodeCount": 0, "maxNodeCount": 0}},
        "a maximum of at least 1 node",
    ),
    Row(
        "pool-autoscaling-initial",
        "system",
        {"nodeCount": REMOVED, "initialNodeCount": 9, "autoscaling": {"minNodeCount": 1, "maxNodeCount": 3}},
        "initial_node_count 9 is not between 1 and 3",
    ),
    # The API lists it, and shows it of such pools; the provider takes it of none.
    Row(
        PROVIDER,
        "h200",
        {**FLEX, "upgradeSettings": {"strategy": "SHORT_LIVED"}},
        'expected upgradeSettings.strategy to be one of ["SURGE" "BLUE_GREEN"], got SHORT_LIVED',
    ),
    Row("pool-sandbox-subset", "h200", {"queuedProvisioning": {"enabled": True}}, "has no queued provisioning"),
    Row("pool-autoscaling-machine", "h200", {**A4X, **SCALED}, "a4x-highgpu-4g does not support cluster autoscaling"),
    Row(
        "pool-flex-start-autoscaling",
        "h200",
        {**pools(spot=REMOVED, flexStart=True), "management": {"autoRepair": False}, "nodeCount": 0},
        "require autoscaling to be enabled",
    ),
    Row("pool-flex-start-version", "h200", FLEX, "Flex-start requires version 1.32.2-gke.1652000", OLD),
    Row("pool-run-duration", "h200", {**FLEX, **pools(maxRunDuration="7 days")}, "must be seconds such as"),
    Row("pool-run-duration", "h200", {**FLEX, **pools(maxRunDuration="604801s")}, "exceeds the longest of flex-start"),
    Row(
        "pool-spot-reservation",
        "h200",
        {**FLEX, **pools(reservationAffinity={"consumeReservationType": "ANY_RESERVATION"})},
        "ANY_RESERVATION cannot be combined with flexStart",
    ),
    Row(
        "pool-reservation-format",
        "h200",
        pools(spot=REMOVED, reservationAffinity=reserved("h200/blocks/1")),
        'Invalid reservation "h200/blocks/1"',
    ),
    Row(
        "pool-reservation-sub-block",
        "h200",
        reserved_machine("a4x-highgpu-4g", "gb200/reservationBlocks/block-1"),
        "must consume a sub-block of a reservation",
    ),
    Row(
        "pool-reservation-shared-block",
        "h200",
        pools(spot=REMOVED, reservationAffinity=reserved("projects/other-project/reservations/h/reservationBlocks/b")),
        "blocks of shared reservations are not supported",
    ),
    Row(
        "pool-nodes-per-pool",
        "h200",
        {**A4X, **PLACED, "nodeCount": 19},
        "takes at most 18 nodes",
        workload_policy("1x72"),
    ),
]

PLACEMENT = [
    Row("pool-placement-type", "h200", {"placementPolicy": {"type": "SPREAD"}}, "placementPolicy.type to be one of"),
    Row(
        "pool-compact-flex-start",
        "h200",
        {**FLEX, **machine("a3-highgpu-8g", spot=REMOVED, flexStart=True), "placementPolicy": {"type": "COMPACT"}},
        "a3-highgpu-8g does not support compact placement by flex-start",
    ),
    Row(
        "pool-compact-blue-green",
        "h200",
        {"placementPolicy": {"type": "COMPACT"}, "upgradeSettings": {"strategy": "BLUE_GREEN"}},
        "not supported with blue-green upgrades",
    ),
    Row("pool-workload-policy", "h200", A4X, "require a workload policy of type HIGH_THROUGHPUT"),
    Row("pool-workload-policy", "h200", {**A4X, **PLACED}, "with accelerator topology 1x72"),
    Row(
        "pool-workload-policy-machine",
        "h200",
        PLACED,
        "Accelerator topology 1x72 of the workload policy is not supported by machine type a3-ultragpu-8g",
        workload_policy("1x72"),
    ),
]

# What a project's own reservations do not hold; the cloud knows those of RESERVATIONS and no others.
RESERVATIONS = f"""
reservations:
  - {{name: h200, zone: {ZONE}, machineType: a3-ultragpu-8g, count: 1, blocks: {{block-1: [sub-block-1]}}}}
  - {{name: b200, zone: {ZONE}, machineType: a4-highgpu-8g, count: 8}}
  - {{name: later, zone: {ZONE}, machineType: a3-ultragpu-8g, count: 8, status: pending}}
  - {{name: others, project: other-project, zone: {ZONE}, machineType: a3-ultragpu-8g, count: 8}}
  - {{name: closed, project: other-project, zone: {ZONE}, machineType: a3-ultragpu-8g, count: 8, shared: false}}
  - {{name: busy, zone: {ZONE}, machineType: a3-ultragpu-8g, count: 8, inUse: 7}}
"""


def from_reservation(value: str, **changes: Any) -> dict[str, Any]:
    return {**pools(spot=REMOVED, reservationAffinity=reserved(value)), **changes}


RESERVED = [
    Row("pool-reservation-exists", "h200", from_reservation("h100"), "'h100' of project sandbox-project was not found"),
    Row("pool-reservation-exists", "h200", from_reservation("others"), "'others' of project sandbox-project"),
    Row("pool-reservation-exists", "h200", from_reservation("h200/reservationBlocks/block-2"), "was not found"),
    Row(
        "pool-reservation-exists",
        "h200",
        from_reservation("h200/reservationBlocks/block-1/reservationSubBlocks/sub-block-2"),
        "was not found",
    ),
    Row("pool-reservation-match", "h200", from_reservation("b200"), "Reservation b200 holds a4-highgpu-8g"),
    Row("pool-reservation-pending", "h200", from_reservation("later"), "The reservation later has not begun"),
    Row("pool-reservation-count", "h200", from_reservation("h200"), "holds 1 machines, the node pool asks for 2"),
    Row("pool-reservation-count", "h200", from_reservation("busy"), "8 machines, of which 7 are in use, the node pool"),
    Row(
        "pool-reservation-shared",
        "h200",
        from_reservation("projects/other-project/reservations/closed"),
        "Reservation closed of project other-project is not shared with project sandbox-project",
    ),
]

ACCEPTED = [
    from_reservation("h200/reservationBlocks/block-1/reservationSubBlocks/sub-block-1", nodeCount=1),
    from_reservation("later", nodeCount=0),
    from_reservation("projects/other-project/reservations/others"),
]
