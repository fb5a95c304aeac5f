"""The part of a stack file about the cluster: its versions, its add-ons, when it may change, or which existing one it
is."""

from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from config.effect import reaches_new_pools_only, replaces_cluster
from config.intent import Intent, ProjectId
from config.network import GoogleName


class ReleaseChannel(StrEnum):
    """How soon GKE's versions arrive."""

    # The members' names are Google's, here and in the next two.
    RAPID = "rapid"
    REGULAR = "regular"
    STABLE = "stable"


class ExclusionScope(StrEnum):
    """What does not happen by itself while an exclusion lasts."""

    NO_UPGRADES = "noUpgrades"
    NO_MINOR_UPGRADES = "noMinorUpgrades"
    NO_MINOR_OR_NODE_UPGRADES = "noMinorOrNodeUpgrades"


class SecurityPosture(StrEnum):
    """Google's checks of workloads."""

    DISABLED = "disabled"
    BASIC = "basic"


class Provided(StrEnum):
    """What a cluster that is there already has besides itself."""

    NODE_POOLS = "nodePools"
    POD_NETWORKS = "podNetworks"
    NCCL_INSTALLER = "ncclInstaller"


def _real_time(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Moment = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]Z$"),
    AfterValidator(_real_time),
]
"""A time in UTC. GKE accepts other forms too and answers in this one, so another form would look like a change at every
preview."""


class SystemPoolSettings(Intent):
    """The nodes for everything that is no model: controllers, DNS, monitoring."""

    machine_type: Annotated[
        str | None,
        Field(description="a general-purpose machine; default: the catalogue's", examples=["e2-standard-8"]),
    ] = None
    min_nodes_per_zone: Annotated[
        int, Field(ge=1, le=10, description="nodes in each of the region's three zones, at least")
    ] = 1
    max_nodes_per_zone: Annotated[
        int, Field(ge=1, le=50, description="nodes in each zone that the autoscaler may have, at most")
    ] = 3

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "SystemPoolSettings":
        if self.min_nodes_per_zone > self.max_nodes_per_zone:
            raise ValueError(
                f"minNodesPerZone: {self.min_nodes_per_zone} is more than maxNodesPerZone: {self.max_nodes_per_zone}"
            )
        return self


class MaintenanceWindow(Intent):
    """When GKE may do what it does by itself."""

    start: Annotated[
        Moment, Field(description="of the first window, UTC; its length counts", examples=["2026-01-03T01:00:00Z"])
    ]
    end: Annotated[Moment, Field(description="of the first window, UTC", examples=["2026-01-03T07:00:00Z"])]
    recurrence: Annotated[
        str,
        StringConstraints(pattern=r"^FREQ=(DAILY|WEEKLY)(;[A-Z]+=[A-Z0-9,]+)*$"),
        Field(description="an RFC 5545 rule; GKE wants 48 hours in each 32 days", examples=["FREQ=WEEKLY;BYDAY=SA,SU"]),
    ]

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "MaintenanceWindow":
        if self.end <= self.start:
            raise ValueError(f"end: {self.end} is not after start: {self.start}")
        return self


class MaintenanceExclusion(Intent):
    """A time in which GKE does less by itself."""

    name: Annotated[GoogleName, Field(description="that people will see in the console", examples=["launch"])]
    start: Annotated[Moment, Field(description="UTC", examples=["2026-11-20T00:00:00Z"])]
    end: Annotated[
        Moment | None,
        Field(description="UTC; default: the end of support of the version", examples=["2026-12-01T00:00:00Z"]),
    ] = None
    scope: Annotated[ExclusionScope, Field(description="what does not happen by itself meanwhile")] = (
        ExclusionScope.NO_MINOR_OR_NODE_UPGRADES
    )

    @model_validator(mode="after")
    def _has_an_end(self) -> "MaintenanceExclusion":
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end: {self.end} is not after start: {self.start}")
        if self.end is None and self.scope is ExclusionScope.NO_UPGRADES:
            raise ValueError("an exclusion of all upgrades lasts 30 days at most; write end")
        return self


class MaintenanceSettings(Intent):
    """When the cluster may change without being asked."""

    window: Annotated[MaintenanceWindow | None, Field(description="default: any time, all day and every day")] = None
    exclusions: Annotated[tuple[MaintenanceExclusion, ...], Field(max_length=20, description="times of less")] = ()
    upgrade_gpu_nodes: Annotated[
        bool,
        reaches_new_pools_only(),
        Field(
            description="let GKE upgrade GPU nodes by itself; false: they keep their version until its support ends, "
            "or until somebody upgrades them. Pools that are there are changed by gcloud (see operations.md)"
        ),
    ] = False


class AuthorizedNetwork(Intent):
    """Addresses from which the control plane's IP endpoint may be reached."""

    name: Annotated[GoogleName, Field(description="that people will see in the console", examples=["office"])]
    cidr: Annotated[IPv4Network, Field(description="IPv4 range", examples=["203.0.113.0/24"])]

    @model_validator(mode="after")
    def _is_not_everybody(self) -> "AuthorizedNetwork":
        if self.cidr.prefixlen == 0:
            raise ValueError("cidr: 0.0.0.0/0 authorises everybody; leave authorizedNetworks out, DNS needs none")
        return self


class ExistingClusterSettings(Intent):
    """A cluster that somebody else owns; it is read and checked, never changed or destroyed."""

    name: Annotated[GoogleName, Field(description="of the cluster", examples=["shared-gpu"])]
    project: Annotated[
        ProjectId | None,
        Field(
            description="whose cluster it is; default: the stack's own. Of another one it must provide its node pools",
            examples=["acme-platform"],
        ),
    ] = None
    location: Annotated[
        str | None,
        StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+(-[a-z])?$"),
        Field(description="its region or zone; default: the stack's region", examples=["us-central1"]),
    ] = None
    system_pool: Annotated[
        GoogleName, Field(description="one of its node pools, for the controllers", examples=["system"])
    ]
    provides: Annotated[
        tuple[Provided, ...],
        Field(description="what it has already; the rest is the stack's to make", examples=["[nodePools]"]),
    ] = ()


class ClusterSettings(Intent):
    """The cluster that the stack makes, or the one it joins."""

    release_channel: Annotated[ReleaseChannel, Field(description="how soon GKE's versions arrive")] = (
        ReleaseChannel.REGULAR
    )
    version: Annotated[
        str | None,
        StringConstraints(pattern=r"^1\.[0-9]+(\.[0-9]+(-gke\.[0-9]+)?)?$"),
        Field(
            description="GKE version, or the minor of it; default: what the accelerator is known to run",
            examples=["1.36"],
        ),
    ] = None
    system_pool: Annotated[SystemPoolSettings, Field(description="the nodes for everything that is no model")] = (
        SystemPoolSettings()
    )
    maintenance: Annotated[MaintenanceSettings, Field(description="when it may change without being asked")] = (
        MaintenanceSettings()
    )
    authorized_networks: Annotated[
        tuple[AuthorizedNetwork, ...],
        Field(max_length=100, description="opens the IP endpoint to these; default: none, the DNS endpoint and IAM"),
    ] = ()
    managed_prometheus: Annotated[
        bool, Field(description="collect metrics by Google's Managed Service for Prometheus, the GPUs' (DCGM) too")
    ] = True
    dataplane_observability: Annotated[
        bool, Field(description="Dataplane V2's metrics and flow relay, for who talks to whom")
    ] = True
    gateway_api: Annotated[bool, Field(description="install the Gateway API's standard channel")] = True
    gcs_fuse: Annotated[bool, Field(description="add-on that mounts Cloud Storage buckets in pods")] = False
    secret_manager: Annotated[
        bool, Field(description="add-on that mounts secrets of Secret Manager in pods; token.secretManager turns it on")
    ] = False
    cost_allocation: Annotated[bool, Field(description="break the bill down by namespace and label")] = True
    security_posture: Annotated[
        SecurityPosture, Field(description="Google's checks of workloads against known weaknesses")
    ] = SecurityPosture.BASIC
    existing: Annotated[
        ExistingClusterSettings | None,
        replaces_cluster(),
        Field(description="cluster to join; default: one of the stack's own"),
    ] = None

    def provides(self, part: Provided) -> bool:
        """Whether an existing cluster already has this part; a stack's own cluster has none, since the stack makes
        everything."""
        return self.existing is not None and part in self.existing.provides

    @model_validator(mode="after")
    def _an_existing_one_is_its_owners(self) -> "ClusterSettings":
        if self.existing is None:
            return self
        others = sorted(
            type(self).model_fields[name].alias or name for name in self.model_fields_set - {"existing", "version"}
        )
        if others:
            raise ValueError(f"{', '.join(others)}: what a cluster that exists is like is for its owner to say")
        return self
