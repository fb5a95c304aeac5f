"""How fast weights come from where, what a start takes beside vLLM's own work, and what it costs."""

from enum import StrEnum
from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.accelerator import Basis
from catalog.price import Price
from catalog.source import read_yaml

_FILE = Path(__file__).parent / "cold_start.yaml"


class WeightSource(StrEnum):
    """Where the pods of a model server have the checkpoint from."""

    HUB = "hub"
    BUCKET = "bucket"
    NODE_CACHE = "nodeCache"


class Rate(Entry):
    """What one node, or one process of it, reads."""

    mib_per_second: float = Field(gt=0)
    basis: Basis
    source: str


class Step(Entry):
    """What is done once before a server can start."""

    seconds: float = Field(gt=0)
    basis: Basis
    source: str


class NodeCache(Entry):
    """Where a node keeps what its pods share."""

    local_ssd: str = Field(description="folder of the node in which GKE mounts its local SSDs")
    folder: str = Field(description="the platform's own in it")
    sources: tuple[str, ...] = Field(description="keys of the catalogue's sources")


class Bucket(Entry):
    """What keeps weights in Cloud Storage needs."""

    service: str
    reader_roles: tuple[str, ...] = Field(description="of servers")
    writer_roles: tuple[str, ...] = Field(description="of what fills it")
    soft_delete_seconds: int = Field(description="for which Google keeps what was deleted")
    gib_month: dict[str, Price] = Field(description="of one GiB for a month, by region; none: not found")
    read: Rate = Field(description="of one node, by vLLM's loader for buckets")


class ColdStart(Entry):
    hub: Rate
    bucket: Bucket
    local_ssd: Rate = Field(description="of one disk")
    boot_disk: Rate
    loader: Rate = Field(description="of one process of vLLM")
    image: Step
    node: Step
    nat_gib: Price = Field(description="of one GiB through Cloud NAT")
    node_cache: NodeCache


@cache
def cold_start() -> ColdStart:
    return ColdStart.model_validate(read_yaml(_FILE), by_alias=True, by_name=False)
