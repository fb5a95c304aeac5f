"""Where the servers of a model have its weights from."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from catalog.cold_start import WeightSource
from config.intent import Intent


class HubWeights(Intent):
    """Every new pod downloads them from Hugging Face, into a volume that ends with it."""

    kind: Annotated[Literal[WeightSource.HUB], Field(description="each new pod downloads them")]


class BucketWeights(Intent):
    """A Job copies them to the stack's bucket once, and every server streams them from there onto its GPUs."""

    kind: Annotated[
        Literal[WeightSource.BUCKET], Field(description="the bucket of weightsBucket, which is filled once")
    ]


class NodeCacheWeights(Intent):
    """The first pod of a node downloads them onto the node's local SSDs, and every later one finds them there.

    What the servers compile is kept there too.
    """

    kind: Annotated[
        Literal[WeightSource.NODE_CACHE], Field(description="the node's local SSDs, which all pods of the model share")
    ]
    size_gib: Annotated[
        int | None,
        Field(ge=1, le=65536, description="GiB of the files on each node; default: by the size of the checkpoint"),
    ] = None


WeightsSettings = Annotated[HubWeights | BucketWeights | NodeCacheWeights, Field(discriminator="kind")]


class BucketSettings(Intent):
    """The bucket of Cloud Storage with the weights of all models that are to come from it."""

    existing: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-_a-z0-9]{1,61}[a-z0-9]$")] | None,
        Field(
            description="name of one that is there, for several stacks, which is read and filled and never deleted; "
            "default: one of the stack's own",
            examples=["acme-weights"],
        ),
    ] = None
    deletable: Annotated[
        bool, Field(description="that the stack's own bucket may be deleted, with all that is in it; update before")
    ] = False

    @model_validator(mode="after")
    def _deletes_its_own_alone(self) -> "BucketSettings":
        if self.existing is not None and self.deletable:
            raise ValueError("deletable: a bucket that exists is never deleted by a stack; leave this out")
        return self
