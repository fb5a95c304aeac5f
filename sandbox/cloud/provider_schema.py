"""What Google's Terraform provider says of its resources, under the names that Pulumi gives them.

`provider_schema.json` holds the provider's own words, read from its running code. pulumi-gcp wraps the same schema: it
writes names in camelCase, makes names of lists plural, and makes one object of a block that can occur once. Which name
it chose is read from pulumi_gcp's classes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from sandbox.cloud import schema
from sandbox.cloud.values import Value

FILE = Path(__file__).with_name("provider_schema.json")

TOKENS = {
    "google_artifact_registry_repository": "gcp:artifactregistry/repository:Repository",
    "google_artifact_registry_repository_iam_member": "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
    "google_compute_address": "gcp:compute/address:Address",
    "google_compute_disk": "gcp:compute/disk:Disk",
    "google_compute_firewall": "gcp:compute/firewall:Firewall",
    "google_compute_global_address": "gcp:compute/globalAddress:GlobalAddress",
    "google_compute_image": "gcp:compute/image:Image",
    "google_compute_managed_ssl_certificate": "gcp:compute/managedSslCertificate:ManagedSslCertificate",
    "google_compute_network": "gcp:compute/network:Network",
    "google_compute_network_attachment": "gcp:compute/networkAttachment:NetworkAttachment",
    "google_compute_region_network_endpoint_group": "gcp:compute/regionNetworkEndpointGroup:RegionNetworkEndpointGroup",
    "google_compute_reservation": "gcp:compute/reservation:Reservation",
    "google_compute_resource_policy": "gcp:compute/resourcePolicy:ResourcePolicy",
    "google_compute_router": "gcp:compute/router:Router",
    "google_compute_router_nat": "gcp:compute/routerNat:RouterNat",
    "google_compute_security_policy": "gcp:compute/securityPolicy:SecurityPolicy",
    "google_compute_subnetwork": "gcp:compute/subnetwork:Subnetwork",
    "google_container_cluster": "gcp:container/cluster:Cluster",
    "google_container_node_pool": "gcp:container/nodePool:NodePool",
    "google_iam_workload_identity_pool": "gcp:iam/workloadIdentityPool:WorkloadIdentityPool",
    "google_iam_workload_identity_pool_provider": "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
    "google_kms_crypto_key": "gcp:kms/cryptoKey:CryptoKey",
    "google_kms_key_ring": "gcp:kms/keyRing:KeyRing",
    "google_lustre_instance": "gcp:lustre/instance:Instance",
    "google_monitoring_alert_policy": "gcp:monitoring/alertPolicy:AlertPolicy",
    "google_monitoring_dashboard": "gcp:monitoring/dashboard:Dashboard",
    "google_monitoring_notification_channel": "gcp:monitoring/notificationChannel:NotificationChannel",
    "google_project_iam_member": "gcp:projects/iAMMember:IAMMember",
    "google_project_service": "gcp:projects/service:Service",
    "google_secret_manager_secret": "gcp:secretmanager/secret:Secret",
    "google_secret_manager_secret_iam_member": "gcp:secretmanager/secretIamMember:SecretIamMember",
    "google_secret_manager_secret_version": "gcp:secretmanager/secretVersion:SecretVersion",
    "google_service_account": "gcp:serviceaccount/account:Account",
    "google_service_account_iam_member": "gcp:serviceaccount/iAMMember:IAMMember",
    "google_storage_bucket": "gcp:storage/bucket:Bucket",
    "google_storage_bucket_iam_member": "gcp:storage/bucketIAMMember:BucketIAMMember",
    "google_storage_managed_folder": "gcp:storage/managedFolder:ManagedFolder",
}
"""The provider's name of each kind in the file, with Pulumi's name."""


@dataclass(frozen=True)
class Field:
    """What the provider says of one property."""

    type: str
    required: bool = False
    computed: bool = False
    """Whether Google's own value stays where the program gives none, so that removing the property changes nothing."""
    force_new: bool = False
    deprecated: bool = False
    suppresses: bool = False
    """Whether the provider's code accepts several spellings of the same value; the schema does not say which."""
    default: Value = None
    one_of: tuple[Value, ...] = ()
    min_items: int | None = None
    max_items: int | None = None
    conflicts: tuple[str, ...] = ()
    """Paths of properties that must not be given together with it."""
    requires: tuple[str, ...] = ()
    """Paths of properties that must be given together with it."""
    block: bool = False


@dataclass(frozen=True)
class ProviderSchema:
    """The properties of one kind, by their paths without list positions (`nodeConfig.taints.key`)."""

    fields: Mapping[str, Field]
    exactly_one: tuple[tuple[str, ...], ...]
    """Groups of properties of one block. Where the block is given, exactly one of each group must be given."""
    at_least_one: tuple[tuple[str, ...], ...]
    updates: bool
    """Whether the provider can change any property in place."""
    untranslated: tuple[str, ...] = ()
    """The provider's names for which pulumi_gcp has no class or property."""
    children: Mapping[str, Mapping[str, Field]] = field(default_factory=dict[str, Mapping[str, Field]])
    """The fields of each block by their own names; "" is the resource itself."""

    def governing(self, path: str) -> Field | None:
        """The field at a path without positions, or else the nearest known field around it, such as the map of a
        key."""
        while path and path not in self.fields:
            path = path.rpartition(".")[0]
        return self.fields.get(path)


@cache
def provider_schema(token: str) -> ProviderSchema:
    """The schema of a kind. Raises KeyError for a kind that the provider was not asked about."""
    kind = _file()["kinds"][_names()[token]]
    made = _Translation()
    made.block(kind["fields"], schema.arguments_class(token), "", "")
    fields = {path: _field(raw, made.names) for path, raw in made.fields.items()}
    return ProviderSchema(
        fields=fields,
        exactly_one=tuple(_translated(group, made.names) for group in kind.get("exactlyOneOf", ())),
        at_least_one=tuple(_translated(group, made.names) for group in kind.get("atLeastOneOf", ())),
        updates=kind["updates"],
        untranslated=tuple(made.untranslated),
        children=_children(fields),
    )


def source() -> str:
    """The provider's name and version, and when it was asked."""
    return f"{_file()['source']}; {_file()['asked']}"


@cache
def _file() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(FILE.read_text(encoding="utf-8")))


@cache
def _names() -> dict[str, str]:
    return {token: name for name, token in TOKENS.items()}


class _Translation:
    """Collects the fields of one kind under Pulumi's paths, and keeps the provider's own path of each."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}
        self.names: dict[str, str] = {}
        self.untranslated: list[str] = []

    def block(self, fields: Mapping[str, dict[str, Any]], cls: type, theirs: str, ours: str) -> None:
        known = schema.fields(cls)
        for name, raw in fields.items():
            chosen = next((each for each in _candidates(name) if each in known), None)
            if chosen is None:
                # A property that only Google sets is an output and not an argument.
                if not raw.get("readOnly"):
                    self.untranslated.append(theirs + name)
                continue
            self.fields[ours + chosen] = raw
            self.names[theirs + name] = ours + chosen
            if "block" in raw:
                self.block(raw["block"], schema.class_of(known[chosen]), f"{theirs}{name}.", f"{ours}{chosen}.")


def _candidates(name: str) -> Iterator[str]:
    """Pulumi's name for a property, and the names that it may use for a list."""
    first, *others = name.split("_")
    camel = first + "".join(part.capitalize() for part in others)
    yield from (camel, f"{camel}s", f"{camel}es", f"{camel[:-1]}ies")


def _translated(paths: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names[path] for path in paths)


def _field(raw: Mapping[str, Any], names: Mapping[str, str]) -> Field:
    return Field(
        type=raw["type"],
        required=raw.get("required", False),
        computed=raw.get("computed", False),
        force_new=raw.get("forceNew", False),
        deprecated=raw.get("deprecated", False),
        suppresses=raw.get("suppressesSomeDiffs", False),
        default=raw.get("default"),
        one_of=tuple(raw.get("oneOf", ())),
        min_items=raw.get("minItems"),
        max_items=raw.get("maxItems"),
        conflicts=_translated(raw.get("conflictsWith", ()), names),
        requires=_translated(raw.get("requiredWith", ()), names),
        block="block" in raw,
    )


def _children(fields: Mapping[str, Field]) -> dict[str, dict[str, Field]]:
    found: dict[str, dict[str, Field]] = {}
    for path, each in fields.items():
        block, _, name = path.rpartition(".")
        found.setdefault(block, {})[name] = each
    return found
