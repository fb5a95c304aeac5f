"""The part of a stack file about a served model."""

from enum import StrEnum
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from catalog import Model
from catalog.model import KvCacheDtype
from config.engine import EngineSettings
from config.intent import Count, Intent, ResourceName
from config.objective import ServiceObjective
from config.weights import WeightsSettings


class Objective(StrEnum):
    """What a shape is chosen for: how soon each request has its tokens, or how many tokens a US dollar gives."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


class Executor(StrEnum):
    """How the processes of a server that spans nodes find each other."""

    MP = "mp"
    RAY = "ray"


def _pinned(reference: str) -> str:
    tagged, _, digest = reference.partition("@")
    tag = tagged.rsplit("/", 1)[-1].partition(":")[2]
    if not digest and tag in ("", "latest"):
        raise ValueError("an image without a tag of its own is another one tomorrow; write a version or a digest")
    return reference


ImageReference = Annotated[
    str,
    StringConstraints(
        pattern=r"^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    ),
    AfterValidator(_pinned),
]
"""An image's name with its registry, as a pod spec needs it."""


class ModelSettings(Intent):
    """One served model. The plan chooses what is not said, and checks what is."""

    name: Annotated[ResourceName, Field(description="names the Deployment and the Service")]
    model: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$"), Field(description="Hugging Face model id")
    ]
    definition: Annotated[
        Model | None, Field(description="what the model is made of, if the catalogue has no entry; same fields")
    ] = None
    config_file: Annotated[
        str | None,
        Field(description="path of a Hugging Face config.json that says so instead, from the project's folder"),
    ] = None
    node_pool: Annotated[ResourceName | None, Field(description="default: the stack's only node pool")] = None
    vllm_version: Annotated[str | None, Field(description="a release in the catalogue; default: its pinned one")] = None
    image: Annotated[
        ImageReference | None,
        Field(description="an image derived from that release's, by tag or digest; default: the release's own"),
    ] = None
    distributed_executor: Annotated[
        Executor, Field(description="over several nodes; ray needs an image of your own that has it")
    ] = Executor.MP
    cuda_compatibility: Annotated[
        bool, Field(description="run on a driver older than the image's, by CUDA's compatibility libraries")
    ] = False
    objective: Annotated[Objective, Field(description="what the shape is chosen for")] = Objective.THROUGHPUT
    service_objective: Annotated[
        ServiceObjective | None,
        Field(description="how fast it must be under which load: the plan chooses shape, replicas and batch for it"),
    ] = None
    min_context: Annotated[
        Count | None, Field(description="tokens that a request must be able to have; default: the model's context")
    ] = None
    min_concurrency: Annotated[Count, Field(description="requests of that context at once, over all replicas")] = 1
    replicas: Annotated[
        int | None, Field(ge=1, le=1000, description="servers; default: as many as minConcurrency needs")
    ] = None
    tensor_parallel: Annotated[Count | None, Field(description="GPUs that share each layer")] = None
    pipeline_parallel: Annotated[Count | None, Field(description="stages of layers")] = None
    expert_parallel: Annotated[bool | None, Field(description="whole experts on each GPU instead of slices")] = None
    max_model_len: Annotated[Count | None, Field(description="tokens; longest request")] = None
    max_num_seqs: Annotated[Count | None, Field(description="requests that run at once in a replica")] = None
    max_num_batched_tokens: Annotated[Count | None, Field(description="tokens of one step")] = None
    gpu_memory_utilization: Annotated[
        float | None, Field(gt=0, le=1, description="fraction of each GPU's memory that vLLM may use")
    ] = None
    kv_cache_dtype: Annotated[
        KvCacheDtype, Field(description="how keys and values are kept; auto: as the model computes them")
    ] = KvCacheDtype.AUTO
    weights: Annotated[
        WeightsSettings | None, Field(description="where servers have the weights from; default: as the plan chooses")
    ] = None
    engine: Annotated[EngineSettings, Field(description="arguments of vLLM that the plan does not choose")] = (
        EngineSettings()
    )

    @model_validator(mode="before")
    @classmethod
    def _name_the_definition(cls, data: Any) -> Any:
        """Adds the model's id to its definition, which need not repeat it."""
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

    @model_validator(mode="after")
    def _one_objective(self) -> "ModelSettings":
        if self.service_objective is not None and "objective" in self.model_fields_set:
            raise ValueError("objective and serviceObjective both say what the shape is chosen for; keep one")
        return self

    @model_validator(mode="after")
    def _ray_is_in_the_image(self) -> "ModelSettings":
        if self.distributed_executor is Executor.RAY and self.image is None:
            raise ValueError("distributedExecutor ray needs image: vLLM's own images have no Ray")
        return self
