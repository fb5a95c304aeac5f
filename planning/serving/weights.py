"""Decides where the servers of a model have their weights from, with what each place takes and costs."""

import hashlib
import json
from collections.abc import Iterator

from catalog import Model, VllmRelease
from catalog.cold_start import WeightSource, cold_start
from catalog.engine_arguments import FlagTable, flag_table
from config.models import ModelSettings
from config.weights import NodeCacheWeights
from planning.errors import Findings
from planning.load_time import LoadTime, Reader, checkpoint_gib, load_time
from planning.plan import NodeCacheUse, WeightsOption, WeightsPlan
from planning.pools import ResolvedPool
from planning.serving.owned_arguments import canonical
from planning.serving.resources import PlacedModel
from planning.shape import ShapePlan

_WORTH_SECONDS = 60.0
"""A download that takes less is no reason to keep weights on a node."""
_READS_ELSEWHERE = ("--tokenizer", "--hf-config-path", "--config-format", "--load-format")
"""Flags that let vLLM read other files than those that are fetched."""


def plan_weights(
    placed: PlacedModel, release: VllmRelease, shape: ShapePlan, findings: Findings, *, pool_exists: bool
) -> WeightsPlan:
    """Where they come from; the part in the node's cache is still missing (`with_node_cache`).

    A place that the stack file names and that is not possible is refused by its key.
    """
    wanted, checkpoint, pool, path = placed.settings, placed.checkpoint, placed.pool, placed.path
    reader = Reader(shape.nodes, shape.gpus_per_node, pool.local_ssds)
    refused = _refusal(wanted, release, pool)
    if wanted.weights is not None:
        source, why = wanted.weights.kind, "the stack file says so"
        if source is WeightSource.NODE_CACHE and refused:
            findings.refuse(f"{path}.weights.kind", f"nodeCache is not possible: {refused}", "Write hub")
        if isinstance(wanted.weights, NodeCacheWeights):
            _check_room(wanted.weights, checkpoint, path, findings)
    else:
        source, why = _choice(checkpoint, shape, reader, refused, pool_exists=pool_exists)

    def option(each: WeightSource) -> WeightsOption:
        first, again = (load_time(checkpoint, shape.settings, reader, each, again=later) for later in (False, True))
        return WeightsOption(
            source=each,
            chosen=each is source,
            first=first,
            again=again,
            first_usd=_usd(first, checkpoint, shape),
            again_usd=_usd(again, checkpoint, shape),
            refused=refused if each is WeightSource.NODE_CACHE else None,
        )

    return WeightsPlan(source=source, why=why, node_cache=None, options=tuple(map(option, WeightSource)))


def with_node_cache(weights: WeightsPlan, placed: PlacedModel, room_gib: int, kernels: str) -> WeightsPlan:
    """The same with the server's part in the node's cache. `kernels` is the key of what it compiles."""
    if weights.source is not WeightSource.NODE_CACHE:
        return weights
    use = NodeCacheUse(
        host_path=f"{cache_root()}/{_folder(placed.settings)}",
        repositories=tuple(_repositories(placed.settings)),
        room_gib=room_gib,
        kernels=kernels,
    )
    return weights.model_copy(update={"node_cache": use})


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
    checkpoint: Model, shape: ShapePlan, reader: Reader, refused: str | None, *, pool_exists: bool
) -> tuple[WeightSource, str]:
    hub = load_time(checkpoint, shape.settings, reader)
    if refused:
        return WeightSource.HUB, refused
    if hub.fetch < _WORTH_SECONDS:
        return WeightSource.HUB, f"{checkpoint_gib(checkpoint):.0f} GiB are downloaded in {hub.fetch:.0f} s"
    if pool_exists:
        return WeightSource.HUB, "whether the pool that is joined mounts its local SSDs where GKE does is not known"
    servers = f"each of {shape.replicas} servers" if shape.replicas > 1 else "its server"
    return (
        WeightSource.NODE_CACHE,
        f"{servers} would download {checkpoint_gib(checkpoint):.0f} GiB in {hub.fetch:.0f} s at every start",
    )


def _refusal(wanted: ModelSettings, release: VllmRelease, pool: ResolvedPool) -> str | None:
    """The reason for which a node cannot keep them; None: it can."""
    if not pool.local_ssds:
        return f"{pool.machine.name} has no local SSD by itself"
    said = list(_elsewhere(wanted, flag_table(release.version)))
    return f"{', '.join(said)} lets vLLM read other files than those that are fetched" if said else None


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


def _usd(load: LoadTime, checkpoint: Model, shape: ShapePlan) -> float | None:
    """US dollars of one server: its GPUs while it starts, and what it fetches through Cloud NAT."""
    if shape.usd_per_hour is None:
        return None
    fetched = checkpoint_gib(checkpoint) * shape.nodes if load.fetch else 0.0
    return shape.usd_per_hour * load.total / 3600 + fetched * cold_start().nat_gib.usd
