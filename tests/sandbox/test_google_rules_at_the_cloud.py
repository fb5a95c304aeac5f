"""Each of Google's rules that the plan keeps is kept by the stand-in too, in its own words, where a program gets by it.

The other half of tests/unit/google_rules.py: the same rules by their ids, broken at the cloud and not in a stack file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox.cloud import serve_cloud
from tests.sandbox.cloud_client import REMOVED, Built, Client, Refusal, changed, h200_platform
from tests.sandbox.cloud_rows_accelerators import IMAGE
from tests.sandbox.cloud_rows_capacity import (
    A4X,
    A4X_MAX,
    DRANET,
    FLEX,
    PLACED,
    SCALED,
    machine,
    reserved,
    reserved_machine,
    workload_policy,
)
from tests.sandbox.cloud_rows_gke import pools
from tests.unit.google_rules import ROWS

PLATFORM = h200_platform()


@dataclass(frozen=True)
class Attempt:
    """A node pool that a program without our checks would ask for, or its cluster, and what the cloud answers."""

    changes: dict[str, Any]
    refusal: str
    before: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    pool: str = "h200"


def of_version(version: str) -> dict[str, dict[str, Any]]:
    return {"cluster": {"masterVersion": version}}


COMPACT = {"placementPolicy": {"type": "COMPACT"}}
DOMAIN = workload_policy("1x72")

AT_THE_CLOUD = {
    "h200-on-demand": Attempt(pools(spot=REMOVED), "a3-ultragpu-8g is not offered on demand"),
    "b200-on-demand": Attempt(machine("a4-highgpu-8g", spot=REMOVED), "a4-highgpu-8g is not offered on demand"),
    "small-h100-on-demand": Attempt(machine("a3-highgpu-1g", spot=REMOVED), "a3-highgpu-1g is not offered on demand"),
    "small-h100-reserved": Attempt(reserved_machine("a3-highgpu-2g", "mine"), "is not offered by reservation"),
    "gb200-spot": Attempt(machine("a4x-highgpu-4g"), "is not offered as Spot; ways to have it: reservation"),
    "gb300-flex-start": Attempt(
        {**FLEX, **machine("a4x-maxgpu-4g-metal", spot=REMOVED, flexStart=True)}, "is not offered by flex-start"
    ),
    "gb200-without-sub-block": Attempt(reserved_machine("a4x-highgpu-4g", "mine"), "must consume a sub-block"),
    "shared-reservation-block": Attempt(
        pools(spot=REMOVED, reservationAffinity=reserved("projects/other-project/reservations/m/reservationBlocks/b")),
        "blocks of shared reservations are not supported",
    ),
    "sub-block-without-block": Attempt(
        pools(spot=REMOVED, reservationAffinity=reserved("mine/reservationSubBlocks/sub-1")), "Invalid reservation"
    ),
    "flex-start-fixed-count": Attempt(
        {**pools(spot=REMOVED, flexStart=True), "management": {"autoRepair": False}}, "start with 0 nodes"
    ),
    "flex-start-minimum": Attempt({**FLEX, "initialNodeCount": 1}, "start with 0 nodes"),
    "flex-start-auto-repair": Attempt({**FLEX, "management": {"autoRepair": True}}, "auto_repair to be false"),
    "flex-start-longer-than-seven-days": Attempt(
        {**FLEX, **pools(maxRunDuration="608400s")}, "exceeds the longest of flex-start"
    ),
    "compact-placement-limit": Attempt({**COMPACT, "nodeCount": 97}, "at most 96 nodes of a3-ultragpu-8g"),
    "compact-placement-not-offered": Attempt({**A4X, **COMPACT}, "a4x-highgpu-4g does not support compact placement"),
    "compact-placement-flex-start": Attempt(
        {**FLEX, **machine("a3-highgpu-8g", spot=REMOVED, flexStart=True), **COMPACT}, "compact placement by flex-start"
    ),
    "nvlink-domain-is-18-nodes": Attempt({**A4X, **PLACED, "nodeCount": 19}, "takes at most 18 nodes", DOMAIN),
    "gb200-autoscaled": Attempt({**A4X, **SCALED}, "does not support cluster autoscaling"),
    "zone-of-another-region": Attempt({"nodeLocations": ["us-east4-b"]}, "is not a zone of region"),
    "h200-persistent-disk": Attempt(pools(diskType="pd-balanced"), "it takes hyperdisk-balanced"),
    "rtx-pro-6000-persistent-disk": Attempt(
        machine("g4-standard-48", diskType="pd-ssd"), "it takes hyperdisk-balanced"
    ),
    "l4-hyperdisk": Attempt(machine("g2-standard-8", diskType="hyperdisk-balanced"), "it takes pd-balanced, pd-ssd"),
    "machine-of-another-accelerator": Attempt(
        pools(machineType="a3-megagpu-8g"), "has 8 x nvidia-h100-mega-80gb, but the node pool asks for 8 x nvidia-h200"
    ),
    "secondary-boot-disk-without-image-streaming": Attempt(
        pools(secondaryBootDisks=[{"diskImage": IMAGE, "mode": "CONTAINER_IMAGE_CACHE"}]), "requires image streaming"
    ),
    "upgrade-without-progress": Attempt({"upgradeSettings.maxUnavailable": 0}, "must not both be 0"),
    "too-many-pods": Attempt({"maxPodsPerNode": 257}, "between 8 and 256, got 257"),
    "too-few-pods": Attempt({"maxPodsPerNode": 7}, "between 8 and 256, got 7"),
    "bounds-out-of-order": Attempt(
        {"nodeCount": REMOVED, "autoscaling": {"totalMinNodeCount": 3, "totalMaxNodeCount": 1}},
        "totalMinNodeCount exceeds totalMaxNodeCount",
    ),
    "fabric-in-two-zones": Attempt(
        {},
        "is bound to zone us-central1-a, not us-central1-b",
        {"roce-vpc": {"networkProfile": "projects/p/global/networkProfiles/us-central1-a-vpc-roce"}},
    ),
    "dranet-beside-network-objects": Attempt(
        {**pools(labels=DRANET)},
        "cannot be combined with Device-type networks in one cluster",
        {"system": {"networkConfig": {"additionalNodeNetworkConfigs": [{"network": "n", "subnetwork": "s"}]}}},
    ),
    "dranet-for-tcpx": Attempt(
        machine("a3-highgpu-8g", labels=DRANET), "a3-highgpu-8g does not support GKE managed DRANET"
    ),
    "network-objects-on-bare-metal": Attempt(
        {**A4X_MAX, "networkConfig": {"additionalNodeNetworkConfigs": [{"network": "n", "subnetwork": "s"}] * 2}},
        "does not support multi-networking",
    ),
    "fabric-of-a-machine-without": Attempt(
        machine("g2-standard-8", labels=DRANET), "g2-standard-8 does not support GKE managed DRANET"
    ),
    "addresses-run-out": Attempt(
        {"nodeCount": 300},
        "IP_SPACE_EXHAUSTED: IP space of 'projects/sandbox-project/regions/us-central1/subnetworks/h200-roce-0'",
        {"roce-0": {"ipCidrRange": "192.168.128.0/24"}},
    ),
    "version-gone-from-the-channel": Attempt(
        {"minMasterVersion": "1.33"}, 'No valid versions with the prefix "1.33" found', pool="cluster"
    ),
    "rtx-pro-6000-version": Attempt(
        machine("g4-standard-48"),
        "g4-standard-48 is not supported in version 1.33.9-gke.1",
        of_version("1.33.9-gke.1"),
    ),
    "tcpx-blocked-versions": Attempt(
        machine("a3-highgpu-8g"), "a3-highgpu-8g is not supported in version", of_version("1.34.4-gke.1000000")
    ),
    "h200-version": Attempt({}, "it requires 1.31.4-gke.1183000", of_version("1.30.14-gke.1")),
    "flex-start-version": Attempt(FLEX, "Flex-start requires version", of_version("1.31.9-gke.1")),
    "dranet-version": Attempt(pools(labels=DRANET), "GKE managed DRANET requires version", of_version("1.33.9-gke.1")),
    "pool-name-too-long": Attempt({"name": "a" * 41}, "Invalid node pool name"),
    "pool-name-twice": Attempt({"name": "system"}, "already exists, alreadyExists"),
}

ELSEWHERE = {
    "two-fabrics": "Google lets two machines share networks; our names of them do not",
    "installer-of-another-transport": "a DaemonSet, of which the cloud knows nothing",
    "public-addresses": "Google takes privately used public ranges, with a warning in its console",
    "compute-domain-version": "the API server of an older cluster lacks the kind; the sandbox runs but one version",
}


@dataclass(frozen=True)
class Cloud:
    client: Client
    state_file: Path
    states: dict[str, str]
    built: dict[str, Built]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """All that a node pool stands on, to start from again for every attempt."""
    state_file = tmp_path_factory.mktemp("rules") / "cloud.json"
    with serve_cloud(state_file) as port, Client(port) as client:
        states: dict[str, str] = {}
        built: dict[str, Built] = {}
        for name, each in PLATFORM.items():
            states[name] = state_file.read_text() if built else ""
            built[name] = client.create(each.token, name, each.inputs)
        yield Cloud(client, state_file, states, built)


@pytest.mark.parametrize("rule", AT_THE_CLOUD)
def test_the_cloud_refuses_what_the_plan_refuses(rule: str, cloud: Cloud) -> None:
    attempt = AT_THE_CLOUD[rule]
    state = json.loads(cloud.states[attempt.pool])
    for name, changes in attempt.before.items():
        record = state["resources"][cloud.built[name].id]
        record["outputs"] = changed(record["outputs"], changes)
    cloud.state_file.write_text(json.dumps(state))
    each = PLATFORM[attempt.pool]
    with pytest.raises(Refusal) as refused:
        cloud.client.create(each.token, attempt.pool, changed(each.inputs, attempt.changes))
    assert attempt.refusal in str(refused.value)


def test_every_rule_of_the_plan_is_kept_at_the_cloud_or_is_said_not_to_be() -> None:
    assert {rule.id for rule in ROWS} == AT_THE_CLOUD.keys() | ELSEWHERE.keys()
    assert not AT_THE_CLOUD.keys() & ELSEWHERE.keys()
