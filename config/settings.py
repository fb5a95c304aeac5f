"""What a person writes in a stack file, as frozen types that refuse what they do not know.

Nothing here decides anything and nothing here knows Pulumi; defaults that are facts come from the catalogue.
"""

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel

from catalog import ACCELERATORS, Model
from catalog.model import KvCacheDtype

HUGGING_FACE_TOKEN = "huggingFaceToken"
"""The one secret key of a stack file. Its value never enters these models: only the Pulumi engine opens it."""

ProjectId = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9.-]+\.[a-z]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"),
    Field(description="Google Cloud project id (not its number or display name)", examples=["acme-inference"]),
]
RegionName = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+$")]
ZoneName = Annotated[str, StringConstraints(pattern=r"^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$")]
ResourceName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$")]


def _known_accelerator(name: str) -> str:
    if name not in ACCELERATORS:
        raise ValueError(f"no such accelerator; known are {', '.join(ACCELERATORS)}")
    return name


AcceleratorName = Annotated[str, AfterValidator(_known_accelerator)]


NAME_PREFIX = r"^[a-z]([-a-z0-9]{0,14}[a-z0-9])?$"
"""Leaves room for the longest role that follows it in the shortest of Google's name limits, 30 for an account id."""


class Intent(BaseModel):
    """A part of a stack file: frozen, camelCase keys, unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


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


class SpotCapacity(Intent):
    """Spot machines: cheap, and Google may take them back with 30 seconds' notice."""

    kind: Literal["spot"]


class OnDemandCapacity(Intent):
    """Ordinary machines, where Google sells the accelerator so."""

    kind: Literal["onDemand"]


Capacity = Annotated[SpotCapacity | OnDemandCapacity, Field(discriminator="kind")]


class NodePoolSettings(Intent):
    name: ResourceName
    accelerator: AcceleratorName
    machine_type: Annotated[str | None, Field(description="one of the accelerator's; default: the catalogue's")] = None
    zone: ZoneName
    nodes: Annotated[int, Field(ge=1, le=1000)]
    capacity: Capacity
    boot_disk_size_gib: Annotated[int, Field(ge=50, le=65536, description="GiB")] = 200


class Objective(StrEnum):
    LATENCY = "latency"
    THROUGHPUT = "throughput"


class ModelSettings(Intent):
    """One served model. The plan chooses what is not said, and checks what is."""

    name: Annotated[ResourceName, Field(description="names the Deployment and the Service")]
    model: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$"), Field(description="Hugging Face model id")]
    definition: Annotated[
        Model | None, Field(description="what the model is made of, if the catalogue has no entry; same fields")
    ] = None
    config_file: Annotated[
        str | None,
        Field(description="path of a Hugging Face config.json that says so instead, from the project's folder"),
    ] = None
    node_pool: Annotated[ResourceName | None, Field(description="default: the stack's only node pool")] = None
    vllm_version: Annotated[str | None, Field(description="a release in the catalogue; default: its pinned one")] = None
    cuda_compatibility: Annotated[
        bool, Field(description="run on a driver older than the image's, by CUDA's compatibility libraries")
    ] = False
    objective: Annotated[Objective, Field(description="what the shape is chosen for")] = Objective.THROUGHPUT
    min_context: Annotated[
        int | None, Field(ge=1, description="tokens that a request must be able to have; default: the model's context")
    ] = None
    min_concurrency: Annotated[int, Field(ge=1, description="requests of that context at once, over all replicas")] = 1
    replicas: Annotated[
        int | None, Field(ge=1, le=1000, description="servers; default: as many as minConcurrency needs")
    ] = None
    tensor_parallel: Annotated[int | None, Field(ge=1, description="GPUs that share each layer")] = None
    pipeline_parallel: Annotated[int | None, Field(ge=1, description="stages of layers")] = None
    expert_parallel: Annotated[bool | None, Field(description="whole experts on each GPU instead of slices")] = None
    max_model_len: Annotated[int | None, Field(ge=1, description="tokens; longest request")] = None
    max_num_seqs: Annotated[int | None, Field(ge=1, description="requests that run at once in a replica")] = None
    max_num_batched_tokens: Annotated[int | None, Field(ge=1, description="tokens of one step")] = None
    gpu_memory_utilization: Annotated[
        float | None, Field(gt=0, le=1, description="fraction of each GPU's memory that vLLM may use")
    ] = None
    kv_cache_dtype: KvCacheDtype = KvCacheDtype.AUTO

    @model_validator(mode="before")
    @classmethod
    def _name_the_definition(cls, data: Any) -> Any:
        """A definition need not repeat the id of the model it stands under."""
        if isinstance(data, dict):
            values = cast(dict[str, Any], data)
            definition = values.get("definition")
            if isinstance(definition, dict) and "id" not in definition and "model" in values:
                return {**values, "definition": {"id": values["model"], **cast(dict[str, Any], definition)}}
        return cast(Any, data)

    @model_validator(mode="after")
    def _described_once(self) -> "ModelSettings":
        if self.definition is not None and self.config_file is not None:
            raise ValueError("definition and configFile both say what the model is; keep one")
        return self


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
