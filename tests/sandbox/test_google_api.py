"""What the program sends and the stand-in answers is what Google's APIs know, by their own discovery documents.

The provider's schema says what may be sent, the API what it knows; the two differ, and each difference has its reason.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.cloud import serve_cloud
from sandbox.cloud.provider_schema import Field, provider_schema
from sandbox.cloud.resources import KINDS
from sandbox.cloud.values import Value
from tests.sandbox.cloud_client import Client, build, h200_platform
from tests.sandbox.google_api import ELSEWHERE, MESSAGES, RENAMED, api_field, api_path, elsewhere, enumeration

SNAPSHOTS = sorted((Path(__file__).parents[1] / "graph" / "snapshots").glob("*.yaml"))
PLATFORM = h200_platform()

NOT_SAID = ("UNSPECIFIED", "UNKNOWN", "INVALID")
"""In names of the API's values for what nobody said; the provider takes none of them where it says nothing instead."""
CLUSTER, NODE_POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
_TIERS = dict.fromkeys(("FIXED_STANDARD", "STANDARD_OVERRIDES_FIXED_STANDARD"), "Google's answers alone have it")
_BINDINGS = ("POLICY_BINDINGS", "POLICY_BINDINGS_AND_PROJECT_SINGLETON_POLICY_ENFORCE")
_RUNS_OUT = {
    "SHORT_LIVED": "GKE's own choice for nodes that run out: shown, and refused by the provider when asked for"
}
_DRIVER = {"SPECIFIC": "newer than the provider; a driver by its number"}
_SANDBOX = {"MICROVM": "newer than the provider"}
ONLY_THE_API = {
    ("gcp:artifactregistry/repository:Repository", "mode"): dict.fromkeys(
        ("AOSS_REPOSITORY", "ASSURED_OSS_REPOSITORY"), "not taken by the provider"
    ),
    ("gcp:compute/address:Address", "networkTier"): _TIERS,
    ("gcp:compute/routerNat:RouterNat", "autoNetworkTier"): _TIERS,
    (CLUSTER, "binaryAuthorization.evaluationMode"): dict.fromkeys(_BINDINGS, "not taken by the provider"),
    (CLUSTER, "datapathProvider"): dict.fromkeys(
        ("MIGRATE_TO_ADVANCED_DATAPATH", "MIGRATE_TO_LEGACY_DATAPATH"),
        "a step of a migration, which the provider has not",
    ),
    (CLUSTER, "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion"): _DRIVER,
    (CLUSTER, "nodeConfig.sandboxConfig.type"): _SANDBOX,
    (CLUSTER, "nodePools.upgradeSettings.strategy"): _RUNS_OUT,
    (NODE_POOL, "nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion"): _DRIVER,
    (NODE_POOL, "nodeConfig.sandboxConfig.type"): _SANDBOX,
    (NODE_POOL, "upgradeSettings.strategy"): _RUNS_OUT,
}
"""Values that the API lists and the provider refuses, and why."""
_KUBELET = "kubeletConfig.insecureKubeletReadonlyPortEnabled"
_THREE = "a text, so that it can be neither on nor off"
_ONE = "the provider adds one to the list that the API has"
OTHER_TYPES = {
    (CLUSTER, "networkingMode"): "the provider's two words for the API's yes and no",
    (CLUSTER, f"nodeConfig.{_KUBELET}"): _THREE,
    (CLUSTER, "nodePoolAutoConfig.nodeKubeletConfig.insecureKubeletReadonlyPortEnabled"): _THREE,
    (CLUSTER, "nodePools.networkConfig.additionalPodNetworkConfigs.maxPodsPerNode"): "a message with the number in it",
    (NODE_POOL, f"nodeConfig.{_KUBELET}"): _THREE,
    (NODE_POOL, "networkConfig.additionalPodNetworkConfigs.maxPodsPerNode"): "a message with the number in it",
    ("gcp:projects/iAMMember:IAMMember", "member"): _ONE,
    ("gcp:artifactregistry/repositoryIamMember:RepositoryIamMember", "member"): _ONE,
    ("gcp:secretmanager/secretIamMember:SecretIamMember", "member"): _ONE,
    ("gcp:storage/bucketIAMMember:BucketIAMMember", "member"): _ONE,
    ("gcp:serviceaccount/iAMMember:IAMMember", "member"): _ONE,
}
"""Properties that the provider writes in another type than the API, and why."""


def leaves(token: str, value: Any, path: str = "") -> Iterator[tuple[str, Value]]:
    """Every value with its path without positions; a map of texts is one."""
    field = provider_schema(token).fields.get(path)
    if isinstance(value, dict) and not (field and field.type == "map"):
        for name, item in value.items():
            yield from leaves(token, item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(token, item, path)
    else:
        yield path, value


def strange(token: str, body: dict[str, Any]) -> list[str]:
    """What of a body the API does not know."""
    found: list[str] = []
    for path, value in leaves(token, body):
        if elsewhere(token, path):
            continue
        known = api_field(token, path)
        if known is None:
            found.append(f"{path}: no such field")
        elif isinstance(value, str) and enumeration(known) and value not in enumeration(known):
            found.append(f"{path}: no such value as {value}")
    return found


def both(token: str) -> Iterator[tuple[str, Field, dict[str, Any]]]:
    """The properties that the provider and the API have, with what each says of them."""
    for path, field in provider_schema(token).fields.items():
        known = None if elsewhere(token, path) else api_field(token, path)
        if known is not None:
            yield path, field, known


@pytest.mark.parametrize("snapshot", SNAPSHOTS, ids=lambda file: file.stem)
def test_google_knows_everything_that_a_stack_sends(snapshot: Path) -> None:
    resources: dict[str, Any] = yaml.safe_load(snapshot.read_text(encoding="utf-8"))["resources"]
    bodies = {key: body.get("inputs", {}) for key, body in resources.items() if key.startswith("gcp:")}
    assert bodies
    found = {key: strange(key.split(" ")[0], body) for key, body in bodies.items()}
    assert {key: what for key, what in found.items() if what} == {}


def test_google_knows_everything_that_the_stand_in_answers(tmp_path: Path) -> None:
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = build(client, PLATFORM)
    found = {name: strange(each.token, built[name].outputs) for name, each in PLATFORM.items()}
    assert {name: what for name, what in found.items() if what} == {}


def test_every_kind_of_the_stand_in_has_its_message() -> None:
    assert set(KINDS) <= set(MESSAGES)
    assert sum(len(list(both(token))) for token in MESSAGES) > 1000


@pytest.mark.parametrize("token", MESSAGES)
def test_the_provider_and_the_api_list_the_same_values_but_for_a_reason(token: str) -> None:
    for path, field, known in both(token):
        if field.one_of and enumeration(known):
            ours, theirs = {str(value) for value in field.one_of}, enumeration(known)
            said = {value for value in theirs if not any(word in value for word in NOT_SAID)}
            assert said - ours == ONLY_THE_API.get((token, path), {}).keys(), path
            assert ours <= theirs, path


@pytest.mark.parametrize("token", MESSAGES)
def test_the_provider_and_the_api_mean_the_same_type_but_for_a_reason(token: str) -> None:
    different = {path for path, field, known in both(token) if not _same_type(field, known)}
    assert different == {path for kind, path in OTHER_TYPES if kind == token}


def _same_type(field: Field, known: dict[str, Any]) -> bool:
    api = known.get("type", "object")
    if field.block:
        # A block that can be there once is an object of the API's, or the only element of a list.
        return api in ("object", "array")
    whole = "integer" if known.get("format") in ("int64", "uint64") else api
    legal = {
        "string": ("string",),
        "bool": ("boolean",),
        "int": ("integer",),
        "float": ("number",),
        "map": ("object",),
        "list": ("array",),
        "set": ("array",),
    }
    return whole in legal[field.type] or api in legal[field.type]


@pytest.mark.parametrize("token", RENAMED)
def test_a_name_is_another_only_where_the_api_has_not_the_providers(token: str) -> None:
    for path, theirs in RENAMED[token].items():
        assert api_path(token, path) == theirs != path
        assert api_field(token, path), path


def test_reasons_are_of_what_the_provider_has() -> None:
    assert all(path in provider_schema(token).fields for token, path in (*ONLY_THE_API, *OTHER_TYPES))
    assert set(ELSEWHERE) - {""} <= set(MESSAGES)
