"""Where the servers of a model have its weights from."""

from typing import Annotated, Literal

from pydantic import Field

from catalog.cold_start import WeightSource
from config.intent import Intent


class HubWeights(Intent):
    """Every new pod downloads them from Hugging Face, into a volume that ends with it."""

    kind: Annotated[Literal[WeightSource.HUB], Field(description="each new pod downloads them")]


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


WeightsSettings = Annotated[HubWeights | NodeCacheWeights, Field(discriminator="kind")]
