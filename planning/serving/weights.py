"""Decides where the servers of a model have their weights from, with what each place takes and costs."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from catalog import Model, VllmRelease
from catalog.cold_start import WeightSource, cold_start
from catalog.engine_arguments import FlagTable, flag_table
from config.models import ModelSettings
from config.weights import NodeCacheWeights
from planning.errors import Findings
from planning.load_time import LoadTime, Reader, checkpoint_gib, load_time
from planning.plan import BucketUse, NodeCacheUse, WeightsBucketPlan, WeightsOption, WeightsPlan
from planning.pools import ResolvedPool
from planning.serving.arguments import STREAMER
from planning.serving.bucket import bucket_use
from planning.serving.owned_arguments import canonical
from planning.serving.resources import PlacedModel
from planning.shape import ShapePlan

_WORTH_SECONDS = 60.0
"""A download that takes less is no reason to keep weights on a node."""
_LOADER_SETTINGS = "--model-loader-extra-config"
_READS_ELSEWHERE = ("--tokenizer", "--hf-config-path", "--config-format", "--load-format")
"""Flags that let vLLM read other files than those that are fetched."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """What the stack has for weights, besides the hub."""

    region: str
    bucket: WeightsBucketPlan | None
    pool_exists: bool
    """Whether the pool is joined, so that nobody knows where it mounts local SSDs."""


def plan_weights(
    placed: PlacedModel, release: VllmRelease, shape: ShapePlan, places: Places, findings: Findings
) -> WeightsPlan:
    """Where they come from; the part in the node's cache is still missing (`with_node_cache`).

    A place that the stack file names and that is not possible is refused by its key.
    """
    wanted, checkpoint, pool, path = placed.settings, placed.checkpoint, placed.pool, placed.path
    reader = Reader(
        shape.nodes, shape.gpus_per_node, pool.local_ssds, keeps_kernels=_keeps_kernels(placed, places.pool_exists)
    )
    refused = {
        WeightSource.HUB: None,
        WeightSource.BUCKET: _no_bucket(wanted, release, places),
        WeightSource.NODE_CACHE: _no_node_cache(wanted, release, pool),
    }
    if wanted.weights is not None:
        source, why = wanted.weights.kind, "the stack file says so"
        # Without a bucket the stack as a whole was refused.
        if refused[source] and (source is not WeightSource.BUCKET or places.bucket):
            findings.refuse(f"{path}.weights.kind", f"{source.value} is not possible: {refused[source]}", "Write hub")
        if isinstance(wanted.weights, NodeCacheWeights):
            _check_room(wanted.weights, checkpoint, path, findings)
    else:
        source, why = _choice(checkpoint, shape, reader, refused, pool_exists=places.pool_exists)
    if source is WeightSource.NODE_CACHE and wanted.engine.revision is None:
        findings.warn(
            f"{path}.engine.revision",
            "is not set: nodes that are filled at different times may hold different commits; write a commit",
        )

    def option(each: WeightSource) -> WeightsOption:
        first, again = (load_time(checkpoint, shape.settings, reader, each, again=later) for later in (False, True))
        return WeightsOption(
            source=each,
            chosen=each is source,
            first=first,
            again=again,
            first_usd=_usd(first, checkpoint, shape),
            again_usd=_usd(again, checkpoint, shape),
            usd_month=_usd_month(checkpoint, places.region) if each is WeightSource.BUCKET else 0.0,
            refused=refused[each],
        )

    return WeightsPlan(
        source=source,
        why=why,
        bucket=_bucket_use(wanted, places) if source is WeightSource.BUCKET else None,
        node_cache=None,
        options=tuple(map(option, WeightSource)),
    )


def _bucket_use(wanted: ModelSettings, places: Places) -> BucketUse | None:
    return bucket_use(places.bucket, wanted.model, wanted.engine.revision) if places.bucket else None


def with_node_cache(
    weights: WeightsPlan, placed: PlacedModel, room_gib: int, kernels: str, *, pool_exists: bool
) -> WeightsPlan:
    """The same with the server's part in the node's cache. `kernels` is the key of what it compiles.

    Of a server whose weights are in the bucket the node keeps what it compiles, where it can.
    """
    fetches = weights.source is WeightSource.NODE_CACHE
    if not fetches and not (weights.bucket and _keeps_kernels(placed, pool_exists)):
        return weights
    use = NodeCacheUse(
        host_path=f"{cache_root()}/{_folder(placed.settings)}",
        repositories=tuple(_repositories(placed.settings)) if fetches else (),
        room_gib=room_gib if fetches else 0,
        kernels=kernels,
    )
    return weights.model_copy(update={"node_cache": use})


def _keeps_kernels(placed: PlacedModel, pool_exists: bool) -> bool:
    return placed.pool.local_ssds > 0 and not pool_exists


def kernels_key(
    placed: PlacedModel, image: str, command_lines: tuple[tuple[str, ...], ...], environment: dict[str, str]
) -> str:
    """The name of a folder for compiled kernels: another model, card, image, command line or variable is another."""
    made_of = [placed.settings.model, placed.pool.accelerator.gke_label, image, command_lines, environment]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def chosen_load(weights: WeightsPlan) -> LoadTime:
    """What a first start takes by the place that was chosen."""
    return next(option.first for option in weights.options if option.chosen)


def cache_root() -> str:
    """The platform's folder on the local SSDs of a node."""
    place = cold_start().node_cache
    return f"{place.local_ssd}/{place.folder}"


def _folder(wanted: ModelSettings) -> str:
    """The folder's name: servers of one model share it, whatever they are called."""
    return wanted.model.replace("/", "--")


def _repositories(wanted: ModelSettings) -> Iterator[str]:
    engine = wanted.engine
    yield f"{wanted.model}@{engine.revision}" if engine.revision else wanted.model
    if engine.speculative is not None and engine.speculative.model is not None:
        yield engine.speculative.model
    if engine.lora is not None:
        yield from (adapter.path for adapter in engine.lora.adapters)


def _choice(
    checkpoint: Model,
    shape: ShapePlan,
    reader: Reader,
    refused: dict[WeightSource, str | None],
    *,
    pool_exists: bool,
) -> tuple[WeightSource, str]:
    hub = load_time(checkpoint, shape.settings, reader)
    if not refused[WeightSource.BUCKET] and hub.fetch >= _WORTH_SECONDS:
        return (
            WeightSource.BUCKET,
            f"{checkpoint_gib(checkpoint):.0f} GiB are downloaded once, which takes {hub.fetch:.0f} s, for all servers "
            "and new nodes",
        )
    if why := refused[WeightSource.NODE_CACHE]:
        return WeightSource.HUB, why
    if hub.fetch < _WORTH_SECONDS:
        return WeightSource.HUB, f"{checkpoint_gib(checkpoint):.0f} GiB are downloaded in {hub.fetch:.0f} s"
    if pool_exists:
        return WeightSource.HUB, "whether the pool that is joined mounts its local SSDs where GKE does is not known"
    servers = f"each of {shape.replicas} servers" if shape.replicas > 1 else "its server"
    return (
        WeightSource.NODE_CACHE,
        f"{servers} would download {checkpoint_gib(checkpoint):.0f} GiB in {hub.fetch:.0f} s at every start",
    )


def _no_node_cache(wanted: ModelSettings, release: VllmRelease, pool: ResolvedPool) -> str | None:
    """The reason for which a node cannot keep them; None: it can."""
    if not pool.local_ssds:
        return f"{pool.machine.name} has no local SSD by itself"
    said = list(_elsewhere(wanted, flag_table(release.version)))
    return f"{', '.join(said)} lets vLLM read other files than those that are fetched" if said else None


def _no_bucket(wanted: ModelSettings, release: VllmRelease, places: Places) -> str | None:
    """The reason for which they cannot come from the bucket; None: they can."""
    if places.bucket is None:
        return "the stack has no weightsBucket"
    if not release.streams_buckets:
        return f"vLLM {release.version} was not seen to read buckets"
    engine = wanted.engine
    if engine.lora is not None and engine.lora.adapters:
        return "vLLM reads engine.lora.adapters from the hub or a disk alone"
    if engine.speculative is not None and engine.speculative.model is not None:
        return "vLLM reads engine.speculative.model from the hub or a disk"
    table = flag_table(release.version)
    streams = engine.load_format == STREAMER
    said = [each for each in _elsewhere(wanted, table) if not (streams and each == "engine.loadFormat")]
    said += [word for word in engine.extra_args if canonical(word, table) == _LOADER_SETTINGS]
    return f"{', '.join(said)} lets vLLM read otherwise than from the bucket" if said else None


def _elsewhere(wanted: ModelSettings, table: FlagTable) -> Iterator[str]:
    if wanted.engine.load_format not in (None, "auto"):
        yield "engine.loadFormat"
    if wanted.engine.tokenizer_revision is not None:
        yield "engine.tokenizerRevision"
    words = [canonical(word, table) for word in wanted.engine.extra_args]
    yield from (flag for flag in _READS_ELSEWHERE if flag in words)


def _check_room(weights: NodeCacheWeights, checkpoint: Model, path: str, findings: Findings) -> None:
    needed = checkpoint_gib(checkpoint)
    if weights.size_gib is not None and weights.size_gib < needed:
        findings.refuse(
            f"{path}.weights.sizeGib",
            f"{weights.size_gib} GiB do not hold the checkpoint, which has {needed:.1f}",
            "Write more, or leave it out",
        )


def _usd_month(checkpoint: Model, region: str) -> float | None:
    """US dollars a month for the checkpoint in the bucket; None: the region's price is not known."""
    known = cold_start().bucket.gib_month.get(region)
    return checkpoint_gib(checkpoint) * known.usd if known else None


def _usd(load: LoadTime, checkpoint: Model, shape: ShapePlan) -> float | None:
    """US dollars of one server: its GPUs while it starts, and what it fetches through Cloud NAT."""
    if shape.usd_per_hour is None:
        return None
    fetched = checkpoint_gib(checkpoint) * shape.nodes if load.fetch else 0.0
    return shape.usd_per_hour * load.total / 3600 + fetched * cold_start().nat_gib.usd
