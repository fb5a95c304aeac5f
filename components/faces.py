"""What each part of the graph is to the parts that stand on it, whether the stack makes it or it exists already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi
from pulumi_gcp import container

from components.manifests.token import TokenSource
from components.project_services import ProjectServices
from planning.plan import NodePoolPlan, PodNetworkPlan


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """What every component in Google's project is told of its stack."""

    project: str
    region: str
    labels: dict[str, str]
    """On all that takes labels."""
    services: ProjectServices


class AnyNetwork(Protocol):
    """The VPC that the cluster's nodes, pods and services are in."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    pods_range: str
    """Name of the subnetwork's secondary range for pods."""
    services_range: str
    way_out: Sequence[pulumi.Resource]
    """What private nodes need before they can pull an image; empty where its owner sees to that."""


class AnyCluster(Protocol):
    """A GKE cluster."""

    resource: container.Cluster
    system_pool: container.NodePool
    cluster_name: str
    location: str
    project: str
    identifier: str
    """`projects/…/locations/…/clusters/…`."""
    endpoint: pulumi.Output[str]
    """Host name of its DNS endpoint."""
    node_service_account: pulumi.Output[str]
    """E-mail address of the account that the stack's nodes run as."""
    private_nodes: pulumi.Input[bool]
    """Whether its nodes have addresses of the VPC alone."""
    gone_with: pulumi.Resource | None
    """With which all that lives in the cluster goes; None: the cluster stays, so every object is deleted by itself."""
    ready: pulumi.Resource
    """For what depends on the whole of it."""


@dataclass(frozen=True, kw_only=True)
class FabricAttachment:
    """One extra NIC of a node: the network objects of both sides that belong to it."""

    plan: PodNetworkPlan
    network_name: pulumi.Output[str]
    subnetwork_name: pulumi.Output[str]


class AnyFabric(Protocol):
    """The networks that carry the traffic between GPUs of different nodes."""

    @property
    def attachments(self) -> tuple[FabricAttachment, ...]:
        """In the order of the machine's NICs, which is the order the node pool must name them in."""
        ...


class AnyNodePool(Protocol):
    """Nodes of one accelerator machine."""

    plan: NodePoolPlan
    ready: pulumi.Resource
    """For what depends on the whole of it."""


class AnyToken(Protocol):
    """The Hugging Face token in a namespace of servers."""

    @property
    def source(self) -> TokenSource:
        """How a pod is given it."""
        ...

    @property
    def ready(self) -> pulumi.Resource:
        """What stands in the namespace before a pod can have it."""
        ...
