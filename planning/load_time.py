"""How long a model server takes to start: fetch the checkpoint, read it onto the GPUs, compile, capture CUDA graphs.

Meant for startup probes and deadlines, so every part is an upper bound; no source of weights was measured.
"""

from dataclasses import dataclass

from catalog import Basis
from catalog.cold_start import WeightSource, cold_start
from catalog.model import Model
from planning.decision import Decision
from planning.engine import ServeSettings, capture_sizes
from planning.recorded import recorded_gib
from planning.weights import GIB, Sharding, stages_of, weight_bytes


@dataclass(frozen=True)
class Reader:
    """Who reads the weights of one server."""

    nodes: int = 1
    gpus_per_node: int = 1
    local_ssds: int = 0
    """The number of each node; 0: weights are read from its boot disk."""
    keeps_kernels: bool = False
    """Whether its nodes keep what it compiles, although its weights are elsewhere."""

    @property
    def mib_per_second(self) -> float:
        """What one node reads from its disks: each of its processes, as far as the disks can."""
        facts = cold_start()
        disks = facts.local_ssd.mib_per_second * self.local_ssds if self.local_ssds else facts.boot_disk.mib_per_second
        return min(disks, facts.loader.mib_per_second * self.gpus_per_node)

    @property
    def sources(self) -> tuple[str, str]:
        facts = cold_start()
        return (facts.local_ssd if self.local_ssds else facts.boot_disk).source, facts.loader.source


# Measured with vLLM 0.24 on H200 and H100 (two starts at a time on 32 cores), rounded up to bound every row.
_IMPORT = 30.0
"""Seconds until vLLM is imported: 16 to 30."""
_INITIALISE = 20.0
"""Engine ready minus weights, compile and capture: 10 to 20."""
_COMPILE_BASE, _COMPILE_PER_LAYER = 12.0, 0.9
"""A cold torch.compile took 21 s for 27 layers, 34 for 26, 27 for 32, 44 for 64, 51 for 80 and 60 for 62."""
_COMPILE_CACHED = 10.0
_CAPTURE_PER_LAYER, _CAPTURE_PER_EXPERT_LAYER = 0.25, 0.8
"""Capturing 51 sizes took 6 s for 26 and 32 layers, 14 for 80; 21 for 27 and 48 layers of experts."""
_MEASURED_SIZES = 51
_RENDEZVOUS = 60.0
"""Several nodes find each other and set up NCCL; not measured."""


class LoadTime(Decision):
    """Seconds of each part of a start, from the start of the container on an empty node."""

    fetch: float
    """From the hub, per node; the whole checkpoint goes to each node. 0 from a bucket, which is filled before."""
    read: float
    """Onto the GPUs, from the node's disks or from the bucket."""
    start: float
    """Importing vLLM, setting up the engine and, over several nodes, NCCL."""
    compile: float
    """torch.compile's part."""
    capture: float
    """The capture of CUDA graphs."""
    basis: Basis
    """How far these can be trusted."""
    sources: tuple[str, ...]
    """Where the rates come from, one line each."""

    @property
    def total(self) -> float:
        return self.fetch + self.read + self.start + self.compile + self.capture


def checkpoint_gib(model: Model) -> float:
    """GiB to fetch: the checkpoint's size, or what its weights count to where that was not found."""
    if model.checkpoint_gib is not None:
        return model.checkpoint_gib
    if model.recorded_only:
        return recorded_gib(model)
    return weight_bytes(model, Sharding(), stages_of(model, 1)[0], draft=True) / GIB


def load_time(
    model: Model,
    settings: ServeSettings,
    reader: Reader,
    source: WeightSource = WeightSource.HUB,
    *,
    again: bool = False,
) -> LoadTime:
    """The time until the first request is served. `again`: on nodes that have started the same server before."""
    facts, gib, streams = cold_start(), checkpoint_gib(model), source is WeightSource.BUCKET
    kept = again and source is WeightSource.NODE_CACHE
    fetches = not (kept or streams)
    compiled = kept or (again and streams and reader.keeps_kernels)
    layers = model.layers
    dense = model.experts.dense_layers if model.experts else 0 if model.is_moe else layers
    sizes = len(capture_sizes(settings)) / _MEASURED_SIZES
    capture = (dense * _CAPTURE_PER_LAYER + (layers - dense) * _CAPTURE_PER_EXPERT_LAYER) * sizes
    compile_seconds = _COMPILE_CACHED if compiled else _COMPILE_BASE + layers * _COMPILE_PER_LAYER
    return LoadTime(
        fetch=gib * 1024 / facts.hub.mib_per_second if fetches else 0.0,
        # From a bucket each node streams all of it, and from its disks only its part.
        read=gib * 1024 / (facts.bucket.read.mib_per_second if streams else reader.mib_per_second * reader.nodes),
        start=_IMPORT + _INITIALISE + (_RENDEZVOUS if reader.nodes > 1 else 0.0),
        compile=0.0 if settings.enforce_eager else compile_seconds,
        capture=0.0 if settings.enforce_eager else capture,
        basis=Basis.EXTRAPOLATED,
        sources=(
            *((facts.hub.source,) if fetches else ()),
            *((facts.bucket.read.source,) if streams else reader.sources),
            "own measurements, 2026-11-24",
        ),
    )
