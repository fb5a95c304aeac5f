"""The faces of the graph's parts: what other parts may use of them, whether the stack makes a part or it exists
already."""

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
    """What every component in Google's project needs to know of its stack."""

    project: str
    region: str
    labels: dict[str, str]
    """The labels for all resources that can have labels."""
    services: ProjectServices
    in_google: pulumi.ResourceOptions
    """The options of what is in Google's project: its provider."""


class AnyNetwork(Protocol):
    """The VPC of the cluster's nodes, pods and services."""

    network_id: pulumi.Output[str]
    subnetwork_id: pulumi.Output[str]
    pods_range: str
    """The name of the subnetwork's secondary range for pods."""
    services_range: str
    way_out: Sequence[pulumi.Resource]
    """The resources that private nodes need before they can pull an image; empty where the network's owner provides
    them."""


class AnyCluster(Protocol):
    """A GKE cluster."""

    resource: container.Cluster
    system_pool: container.NodePool
    cluster_name: str
    location: str
    project: str
    identifier: str
    """The cluster's id, `projects/…/locations/…/clusters/…`."""
    endpoint: pulumi.Output[str]
    """The host name of its DNS endpoint."""
    node_service_account: pulumi.Output[str]
    """The e-mail address of the account that the stack's nodes run as."""
    private_nodes: pulumi.Input[bool]
    """Whether its nodes have only private addresses."""
    gone_with: pulumi.Resource | None
    """The resource whose deletion removes everything in the cluster. None: the cluster stays, so every object is
    deleted by itself."""
    ready: pulumi.Resource
    """The resource to depend on, for whatever needs the whole of it."""


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
        """One attachment for each NIC, in the machine's order, in which the node pool must name them."""
        ...


class AnyNodePool(Protocol):
    """Nodes of one accelerator machine."""

    plan: NodePoolPlan
    ready: pulumi.Resource
    """The resource to depend on, for whatever needs the whole of it."""


class AnyToken(Protocol):
    """The Hugging Face token in a namespace of servers."""

    @property
    def source(self) -> TokenSource:
        """How a pod gets the token."""
        ...

    @property
    def ready(self) -> pulumi.Resource:
        """The resource that must exist in the namespace before a pod can have the token."""
        ...
