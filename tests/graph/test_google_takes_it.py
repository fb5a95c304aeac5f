"""Google's provider takes every resource of every stack, and sees no difference once it is made."""

import json
from functools import cache
from typing import Any

import pytest

from sandbox.cloud import provider_checks
from sandbox.cloud.diff import differences
from sandbox.cloud.provider_schema import TOKENS, ProviderSchema, provider_schema
from sandbox.cloud.resources import KINDS
from sandbox.cloud.values import UNKNOWN, Properties
from tests.graph.conftest import STACKS
from tests.graph.existing import CLUSTER as SHARED
from tests.graph.existing import EXISTING
from tests.graph.recorder import NAMESPACE, PROJECT_ID, TOKEN, Graph, Registration, record
from tests.graph.recorder import UNKNOWN as NOT_KNOWN
from tests.unit.google_rules import changed, stack_values

CLUSTER = "gcp:container/cluster:Cluster"
NODE_POOL = "gcp:container/nodePool:NodePool"
POLICY = "gcp:compute/resourcePolicy:ResourcePolicy"
FLEX: dict[str, Any] = {
    "nodePools.0.capacity": {"kind": "flexStart"},
    "nodePools.0.nodes": {"min": 0, "max": 2},
    "nodePools.0.compactPlacement": None,
    "acknowledgeIdle": None,
}
PROFILE: dict[str, Any] = {"nodePools.0.fabric": "acceleratorNetworkProfile"}
EXCLUSION = {"name": "launch", "start": "2026-11-20T00:00:00Z", "end": "2026-12-01T00:00:00Z", "scope": "noUpgrades"}
OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("h200", FLEX),
    ("h200", PROFILE),
    ("h200", {"cluster.maintenance.exclusions": [EXCLUSION]}),
    ("h200", {"cluster.maintenance.upgradeGpuNodes": True}),
    ("gb200", {"cluster.maintenance.upgradeGpuNodes": True}),
)
"""Stacks that are not shipped."""
ANSWERED = {
    CLUSTER: (
        "addonsConfig.gcsFuseCsiDriverConfig",
        "addonsConfig",
        "controlPlaneEndpointsConfig.ipEndpointsConfig",
        "monitoringConfig.advancedDatapathObservabilityConfig",
        "monitoringConfig.managedPrometheus",
    ),
}
"""Blocks that may say no more than that something is off, and are sent all the same: Google answers with each of them,
and taking one out of a program would leave it on."""


@cache
def graph(stack: str, changes: str = "{}", *, preview: bool = False, private: bool | None = True) -> Graph:
    values = changed(stack_values(stack), json.loads(changes))
    ours = {f"{NAMESPACE}:{key}": item if isinstance(item, str) else json.dumps(item) for key, item in values.items()}
    token = {} if "token" in values else {f"{NAMESPACE}:huggingFaceToken": TOKEN}
    privacy = {} if private is None else {"privateClusterConfig": {"enablePrivateNodes": private}}
    return record(
        stack,
        preview=preview,
        config={f"{NAMESPACE}:project": PROJECT_ID, **token, **ours},
        existing={**EXISTING, SHARED: {**EXISTING[SHARED], **privacy}},
    )


def other(stack: str, changes: dict[str, Any], **options: Any) -> Graph:
    return graph(stack, json.dumps(changes), **options)


def googles(found: Graph) -> list[Registration]:
    return [each for each in found.registrations if each.type.startswith("gcp:")]


@pytest.fixture(params=[*((stack, {}) for stack in STACKS), *OTHERS], ids=lambda param: f"{param[0]} {[*param[1]]}")
def made(request: pytest.FixtureRequest) -> list[Registration]:
    return googles(other(*request.param))


def known(inputs: dict[str, Any]) -> dict[str, Any]:
    """With the stand-in's own mark for what is not known yet."""
    return json.loads(json.dumps(inputs).replace(json.dumps(NOT_KNOWN), json.dumps(UNKNOWN)))


def test_the_provider_refuses_nothing_that_a_stack_asks_for(made: list[Registration]) -> None:
    assert {each.type for each in made} <= set(TOKENS.values())
    refused = {each.name: provider_checks.check(each.type, known(each.inputs)) for each in made}
    assert {name: found for name, found in refused.items() if found} == {}


def test_a_stack_asks_for_nothing_that_the_provider_gives_up(made: list[Registration]) -> None:
    for each in made:
        fields = provider_schema(each.type).fields
        used = {path for path in fields if Properties(each.inputs)[path] is not None}
        assert [path for path in used if fields[path].deprecated] == []


def test_what_google_leaves_out_of_its_answer_is_no_difference(made: list[Registration]) -> None:
    for each in made:
        answer = _spoken(provider_schema(each.type), each.inputs, "", ANSWERED.get(each.type, ()))
        found = differences(
            KINDS[each.type],
            Properties(each.inputs),
            Properties(each.inputs),
            Properties(answer),
            each.options["ignoreChanges"],
        )
        assert found == [], each.name


def _spoken(schema: ProviderSchema, value: Any, path: str, answered: tuple[str, ...]) -> Any:
    """Without the blocks in which everything is off: Google's JSON has no zeroes, and no message without a field."""
    if not isinstance(value, dict):
        return value
    kept: dict[str, Any] = {}
    for name, item in value.items():
        bare = f"{path}.{name}" if path else name
        items = item if isinstance(item, list) else [item]
        spoken = [_spoken(schema, one, bare, answered) for one in items]
        field = schema.fields.get(bare)
        if field and field.block and bare not in answered and all(_silent(one) for one in spoken):
            continue
        kept[name] = spoken if isinstance(item, list) else spoken[0]
    return kept


def _silent(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_silent(item) for item in value.values())
    if isinstance(value, list):
        return all(_silent(item) for item in value)
    return not value


@pytest.mark.parametrize(("stack", "changes"), [*((stack, {}) for stack in STACKS), *OTHERS])
def test_no_node_has_an_address_that_the_internet_knows(stack: str, changes: dict[str, Any]) -> None:
    found = other(stack, changes)
    pools = found.of_type(NODE_POOL)
    with_networks = [pool.inputs["networkConfig"] for pool in pools if "networkConfig" in pool.inputs]
    assert pools and all(network.get("enablePrivateNodes") is True for network in with_networks)
    assert found["gke-cluster"].inputs["privateClusterConfig"] == {"enablePrivateNodes": True}


@pytest.mark.parametrize(("private", "said"), [(True, True), (False, False), (None, False)])
def test_in_a_joined_cluster_nodes_are_as_private_as_it_is(private: bool | None, said: bool) -> None:
    joined = {"cluster": {"existing": {"name": "shared", "systemPool": "system"}}, "network": None}
    for preview in (True, False):
        pool = other("h200", joined, private=private, preview=preview)["h200-pool"]
        assert pool.inputs["networkConfig"]["enablePrivateNodes"] is said


def test_a_pool_whose_nodes_run_out_leaves_its_upgrades_to_gke() -> None:
    pool = other("h200", FLEX)["h200-pool"].inputs
    assert pool["nodeConfig"]["flexStart"] is True
    assert "upgradeSettings" not in pool and "queuedProvisioning" not in pool


def test_exclusions_never_stand_without_a_window_and_never_go_with_it() -> None:
    for changes in ({}, {"cluster.maintenance.exclusions": [EXCLUSION]}):
        policy = other("h200", changes)["gke-cluster"].inputs["maintenancePolicy"]
        assert policy["recurringWindow"] == {
            "startTime": "2026-01-01T00:00:00Z",
            "endTime": "2026-01-02T00:00:00Z",
            "recurrence": "FREQ=DAILY",
        }
        assert len(policy.get("maintenanceExclusions", ())) == len(changes)


def test_no_preview_claims_that_a_pool_gets_another_maintenance_policy() -> None:
    frozen, free = (
        other("h200", {"cluster.maintenance.upgradeGpuNodes": value})["h200-pool"] for value in (False, True)
    )
    assert frozen.inputs["maintenancePolicies"] == [{"exclusionUntilEndOfSupports": [{"enabled": True}]}]
    assert "maintenancePolicies" not in free.inputs
    before, after = Properties(frozen.inputs), Properties(free.inputs)
    for one, two in ((before, after), (after, before)):
        assert differences(KINDS[NODE_POOL], one, two, Properties({}))
        assert differences(KINDS[NODE_POOL], one, two, Properties({}), free.options["ignoreChanges"]) == []


@pytest.mark.parametrize(("stack", "type_", "path"), [("h200", NODE_POOL, "nodeLocations"), ("gb200", POLICY, "name")])
def test_what_the_provider_would_get_wrong_in_place_is_made_anew(stack: str, type_: str, path: str) -> None:
    assert provider_schema(type_).fields[path].force_new is False
    ours = [each for each in graph(stack).of_type(type_) if each.name != "gke-system"]
    assert ours and all(path in each.options["replaceOnChanges"] for each in ours)


def test_a_workload_policys_type_may_be_missing_from_googles_answer() -> None:
    pool = graph("gb200")["gb200-pool"]
    answer = {**pool.inputs, "placementPolicy": {"policyName": pool.inputs["placementPolicy"]["policyName"]}}
    inputs = Properties(pool.inputs)
    found = differences(KINDS[NODE_POOL], inputs, inputs, Properties(answer), pool.options["ignoreChanges"])
    assert pool.inputs["placementPolicy"]["type"] == "COMPACT" and found == []


def test_machines_without_secure_boot_say_nothing_of_it() -> None:
    assert "shieldedInstanceConfig" not in graph("gb300")["gb300-pool"].inputs["nodeConfig"]
    shielded = graph("h200")["h200-pool"].inputs["nodeConfig"]["shieldedInstanceConfig"]
    assert shielded == {"enableSecureBoot": True, "enableIntegrityMonitoring": True}


def test_downloads_get_as_many_ports_as_they_open_connections() -> None:
    nat = graph("h200")["network-nat"].inputs
    assert nat["enableDynamicPortAllocation"] is True and nat["enableEndpointIndependentMapping"] is False
    assert (nat["minPortsPerVm"], nat["maxPortsPerVm"]) == (64, 65536)
