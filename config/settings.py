"""The contents of a stack file, as frozen types that refuse unknown keys.

Nothing here decides anything or knows Pulumi; defaults that are facts come from the catalogue.
"""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from config.access import AccessSettings
from config.cluster import ClusterSettings
from config.effect import replaces_cluster
from config.environment import AlertSettings, LabelKey, LabelValue, PreflightSettings, SpendSettings, TokenSettings
from config.images import ImageSettings
from config.intent import Count, Intent, ProjectId, RegionName, ResourceName
from config.models import ModelSettings
from config.network import NetworkSettings
from config.node_pools import NodePoolSettings
from config.weights import BucketSettings

HUGGING_FACE_TOKEN = "huggingFaceToken"
"""The one secret key of a stack file. Its value never enters these models; only the Pulumi engine reads it."""

NAME_PREFIX = r"^[a-z]([-a-z0-9]{0,14}[a-z0-9])?$"
"""The form of a name prefix. It leaves room for the longest role behind it in the shortest of Google's names, an
account id of 30 characters."""


class LeaderWorkerSetSettings(Intent):
    """Where the LeaderWorkerSet chart comes from; its version is the catalogue's."""

    chart: Annotated[str | None, Field(description="OCI reference or folder; default: the official chart")] = None


class DraDriverSettings(Intent):
    """Where the chart of NVIDIA's DRA driver comes from; its version is the catalogue's."""

    chart: Annotated[str | None, Field(description="address or folder; default: NVIDIA's own")] = None


class Settings(Intent):
    """A whole stack file."""

    project: Annotated[ProjectId | None, replaces_cluster(), Field(description="needed to deploy, not to plan")] = None
    region: Annotated[RegionName, replaces_cluster(), Field(description="of everything", examples=["us-central1"])]
    name_prefix: Annotated[
        Annotated[str, StringConstraints(pattern=NAME_PREFIX)] | None,
        replaces_cluster(),
        Field(description="first part of every name in Google Cloud; default: the stack's name", examples=["acme"]),
    ] = None
    labels: dict[LabelKey, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="on all that takes labels, at Google and in the cluster: for the bill",
        examples=["{team: search}"],
    )
    protection: Annotated[
        bool,
        Field(description="refuse to delete or replace the cluster, its VPCs and the GPU pools, by mistake or not"),
    ] = False
    acknowledge_replacement: Annotated[
        tuple[ResourceName, ...],
        Field(
            description="names of node pools, or cluster for the cluster and its VPCs: those that protection lets go",
            examples=["[h200]"],
        ),
    ] = ()
    acknowledge_idle: dict[ResourceName, Count] = Field(
        default_factory=dict,
        description="GPUs of a node pool that may be paid for and used by no model, by the name of the pool",
        examples=["{h200: 5}"],
    )
    spend: Annotated[SpendSettings | None, Field(description="what it may cost; default: anything")] = None
    alerts: Annotated[
        AlertSettings | None, Field(description="who is told of trouble, by Cloud Monitoring; default: nobody")
    ] = None
    token: Annotated[
        TokenSettings | None,
        Field(description=f"where the Hugging Face token is; default: the stack's own secret {HUGGING_FACE_TOKEN}"),
    ] = None
    network: Annotated[NetworkSettings, Field(description="the addresses it may use")] = NetworkSettings()
    cluster: Annotated[ClusterSettings, Field(description="the cluster it makes or joins")] = ClusterSettings()
    access: Annotated[AccessSettings, Field(description="who may call the models")] = AccessSettings()
    node_pools: Annotated[
        tuple[NodePoolSettings, ...], Field(min_length=1, description="one for each kind of machine with GPUs")
    ]
    images: Annotated[ImageSettings, Field(description="where container images come from")] = ImageSettings()
    weights_bucket: Annotated[
        BucketSettings | None,
        Field(
            description="{} keeps weights in Cloud Storage: models whose download takes a minute or more come from "
            "there, and those that say weights: {kind: bucket}; default: there is none"
        ),
    ] = None
    leader_worker_set: Annotated[
        LeaderWorkerSetSettings, Field(description="the controller of servers that span nodes")
    ] = LeaderWorkerSetSettings()
    dra_driver: Annotated[DraDriverSettings, Field(description="the driver of NVLink domains")] = DraDriverSettings()
    preflight: Annotated[
        PreflightSettings | None, Field(description="how much the test between nodes must measure; default: as planned")
    ] = None
    models: Annotated[tuple[ModelSettings, ...], Field(description="what is served")] = ()

    @model_validator(mode="after")
    def _joins_one_thing(self) -> "Settings":
        if self.cluster.existing and self.network.existing:
            raise ValueError("network.existing: a cluster that exists has its network; leave this out")
        return self
