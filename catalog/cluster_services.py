"""Pods that GKE runs in a cluster and that network policies must let through."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml


class Pods(Entry):
    """Pods by namespace and labels."""

    namespace: str
    labels: dict[str, str]


class Server(Entry):
    """Where something listens, by TCP."""

    cidr: str
    port: int


class ClusterServices(Entry):
    api_server_tunnel: Pods
    name_servers: tuple[Pods, ...]
    name_server_addresses: tuple[str, ...] = Field(description="CIDRs")
    monitoring: Pods
    load_balancer_ranges: tuple[str, ...] = Field(description="CIDRs")
    metadata_servers: tuple[Server, ...]
    private_ranges: tuple[str, ...] = Field(description="CIDRs")
    serving_priority: int = Field(description="of model servers over whatever else may be preempted")


@cache
def cluster_services() -> ClusterServices:
    data = read_yaml(Path(__file__).parent / "cluster_services.yaml")
    return ClusterServices.model_validate(data, by_alias=True, by_name=False)
