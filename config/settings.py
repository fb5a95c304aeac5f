"""What a person writes in a stack file, as frozen types that refuse what they do not know.

Nothing here decides anything and nothing here knows Pulumi; defaults that are facts come from the catalogue.
"""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from config.intent import Intent, ProjectId, RegionName
from config.models import ModelSettings
from config.node_pools import NodePoolSettings

HUGGING_FACE_TOKEN = "huggingFaceToken"
"""The one secret key of a stack file. Its value never enters these models: only the Pulumi engine opens it."""

NAME_PREFIX = r"^[a-z]([-a-z0-9]{0,14}[a-z0-9])?$"
"""Leaves room for the longest role that follows it in the shortest of Google's name limits, 30 for an account id."""


class ReleaseChannel(StrEnum):
    RAPID = "rapid"
    REGULAR = "regular"
    STABLE = "stable"


class NetworkSettings(Intent):
    """The addresses a stack may use. Every range of every VPC is cut from the one block."""

    address_block: Annotated[
        IPv4Network,
        Field(description="private IPv4 block, /8 to /16, that no other network this one is connected to uses"),
    ] = IPv4Network("10.0.0.0/12")

    @model_validator(mode="after")
    def _private_and_large_enough(self) -> "NetworkSettings":
        block = self.address_block
        if not block.is_private:
            raise ValueError(f"addressBlock: {block} is public address space; write a part of 10.0.0.0/8")
        if not 8 <= block.prefixlen <= 16:
            raise ValueError(f"addressBlock: {block} is a /{block.prefixlen}; write a block between /8 and /16")
        return self


class SystemPoolSettings(Intent):
    """The nodes for everything that is no model: controllers, DNS, monitoring."""

    machine_type: Annotated[str | None, Field(description="a general-purpose machine; default: the catalogue's")] = None
    min_nodes_per_zone: Annotated[int, Field(ge=1, le=10)] = 1
    max_nodes_per_zone: Annotated[int, Field(ge=1, le=50)] = 3

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "SystemPoolSettings":
        if self.min_nodes_per_zone > self.max_nodes_per_zone:
            raise ValueError(
                f"minNodesPerZone: {self.min_nodes_per_zone} is more than maxNodesPerZone: {self.max_nodes_per_zone}"
            )
        return self


class ClusterSettings(Intent):
    release_channel: ReleaseChannel = ReleaseChannel.REGULAR
    version: Annotated[
        str | None,
        StringConstraints(pattern=r"^1\.\d+(\.\d+(-gke\.\d+)?)?$"),
        Field(
            description="GKE version, or the minor of it such as 1.36; default: what the accelerator is known to run"
        ),
    ] = None
    system_pool: SystemPoolSettings = SystemPoolSettings()


class LeaderWorkerSetSettings(Intent):
    """Where the LeaderWorkerSet chart comes from; its version is the catalogue's."""

    chart: Annotated[str | None, Field(description="OCI reference or folder; default: the official chart")] = None


class Settings(Intent):
    """A whole stack file."""

    project: Annotated[ProjectId | None, Field(description="needed to deploy, not to plan")] = None
    region: RegionName
    name_prefix: Annotated[
        Annotated[str, StringConstraints(pattern=NAME_PREFIX)] | None,
        Field(description="first part of every name in Google Cloud; default: the stack's name"),
    ] = None
    network: NetworkSettings = NetworkSettings()
    cluster: ClusterSettings = ClusterSettings()
    node_pools: Annotated[tuple[NodePoolSettings, ...], Field(min_length=1)]
    leader_worker_set: LeaderWorkerSetSettings = LeaderWorkerSetSettings()
    models: tuple[ModelSettings, ...] = ()
