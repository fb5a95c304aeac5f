"""The part of a stack file about addresses, or about an existing network."""

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from config.effect import replaces_cluster
from config.intent import Intent, ProjectId

GoogleName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]


class ExistingNetworkSettings(Intent):
    """A VPC and a subnetwork that somebody else owns; they are read and checked, never changed or destroyed."""

    network: Annotated[GoogleName, Field(description="name of the VPC", examples=["shared-vpc"])]
    subnetwork: Annotated[
        GoogleName, Field(description="name of a subnetwork in the stack's region, for the nodes", examples=["gke"])
    ]
    pods_range: Annotated[GoogleName, Field(description="secondary range of that subnetwork", examples=["pods"])]
    services_range: Annotated[GoogleName, Field(description="another secondary range of it", examples=["services"])]
    project: Annotated[
        ProjectId | None,
        Field(description="host project of a Shared VPC; default: the stack's own", examples=["acme-network"]),
    ] = None


class NetworkSettings(Intent):
    """The addresses a stack may use. Every range of every VPC is cut from the one block."""

    address_block: Annotated[
        IPv4Network,
        replaces_cluster(),
        Field(
            description="private IPv4 block, /8 to /16, that no other network this one is connected to uses",
            examples=["10.64.0.0/12"],
        ),
    ] = IPv4Network("10.0.0.0/12")
    existing: Annotated[
        ExistingNetworkSettings | None,
        replaces_cluster(),
        Field(description="network to put the cluster into; default: a VPC of the stack's own"),
    ] = None

    @model_validator(mode="after")
    def _private_and_large_enough(self) -> "NetworkSettings":
        block = self.address_block
        if not block.is_private:
            raise ValueError(f"addressBlock: {block} is public address space; write a part of 10.0.0.0/8")
        if not 8 <= block.prefixlen <= 16:
            raise ValueError(f"addressBlock: {block} is a /{block.prefixlen}; write a block between /8 and /16")
        return self
