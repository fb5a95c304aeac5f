"""What a stack file's engine arguments do to a model's memory: formats chosen at load, adapters, draft models."""

from catalog import MODELS, Model
from catalog.model import QuantisedPart, Quantization, WeightFormat
from config.engine import EngineSettings
from planning.errors import Findings
from planning.load_time import checkpoint_gib
from planning.shape import PerformanceMode

# vLLM's methods that take a 16-bit checkpoint and quantise it while it is loaded; the others need one that is.
_AT_LOAD = {
    "fp8": Quantization(format=WeightFormat.FP8),
    "fp8_per_tensor": Quantization(format=WeightFormat.FP8),
    "fp8_per_channel": Quantization(format=WeightFormat.FP8),
    "fp8_per_block": Quantization(format=WeightFormat.FP8, block=128),
    "mxfp8": Quantization(format=WeightFormat.MXFP8),
    "int8_per_channel_weight_only": Quantization(format=WeightFormat.INT8),
    "experts_int8": Quantization(format=WeightFormat.INT8, covers=QuantisedPart.EXPERTS),
}
_DTYPES = {
    "bfloat16": WeightFormat.BFLOAT16,
    "float16": WeightFormat.FLOAT16,
    "half": WeightFormat.FLOAT16,
    "float32": WeightFormat.FLOAT32,
    "float": WeightFormat.FLOAT32,
}
_OWN_LAYERS = frozenset({"mtp", "deepseek_mtp", "qwen3_next_mtp", "qwen3_5_mtp", "glm4_moe_mtp", "mimo_mtp"})
_HEADS = frozenset({"eagle", "eagle3"})
_NEEDS_DRAFT = frozenset({"eagle", "eagle3", "draft_model", "dflash"})


def as_loaded(model: Model, engine: EngineSettings, path: str, findings: Findings) -> Model:
    """The model as it lies in GPU memory. Its checkpoint, which is fetched, stays what it is."""
    changes: dict[str, object] = {}
    if engine.dtype in _DTYPES:
        changes["dtype"] = _DTYPES[engine.dtype]
    method = engine.quantization
    if method is not None and model.quantization is None:
        if method in _AT_LOAD:
            changes["quantization"] = _AT_LOAD[method]
        else:
            findings.refuse(
                f"{path}.quantization",
                f"{method} reads a checkpoint that is quantised already, and {model.id} is not",
                f"Write the id of one that is, or one of {', '.join(_AT_LOAD)}",
            )
    elif method is not None:
        findings.warn(f"{path}.quantization", f"{model.id} is quantised already and says how; leave it out")
    return model.model_copy(update=changes) if changes else model


def adapter_slots(engine: EngineSettings) -> tuple[int, int]:
    """How many adapters a batch may mix, and the rank that each slot is made for."""
    return (0, 0) if engine.lora is None else (engine.lora.max_loras, engine.lora.max_lora_rank)


def performance_mode(engine: EngineSettings) -> PerformanceMode:
    """vLLM's preset; a word that it does not know was refused already."""
    known = engine.performance_mode in list(PerformanceMode)
    return PerformanceMode(engine.performance_mode) if known else PerformanceMode.BALANCED


def draft_tokens(engine: EngineSettings) -> int:
    """Tokens that one step drafts for each sequence."""
    return 0 if engine.speculative is None else engine.speculative.tokens


def drafts_itself(engine: EngineSettings) -> bool:
    """Whether the checkpoint's own layers draft: method mtp, without another model."""
    speculative = engine.speculative
    return speculative is not None and speculative.model is None and speculative.method in _OWN_LAYERS


def draft_layers(engine: EngineSettings) -> int:
    """Layers of attention that an EAGLE head adds to the cache: it is one layer like the model's own."""
    return int(engine.speculative is not None and engine.speculative.method in _HEADS)


def draft_model(engine: EngineSettings) -> str | None:
    """The model of the catalogue that drafts with a cache of its own; None where none does, or it is not known."""
    speculative = engine.speculative
    if speculative is None or speculative.method in _HEADS or speculative.model not in MODELS:
        return None
    return speculative.model


def draft_gib(engine: EngineSettings, path: str, findings: Findings) -> float:
    """GiB of weights that a draft model adds. One of unknown size is not counted, which is a warning."""
    speculative = engine.speculative
    if speculative is None:
        return 0.0
    if speculative.model is None:
        if speculative.method in _NEEDS_DRAFT:
            findings.refuse(f"{path}.engine.speculative.model", "is missing", f"{speculative.method} needs a draft")
        return 0.0
    if speculative.model_gib is not None:
        return speculative.model_gib
    if speculative.model in MODELS:
        return checkpoint_gib(MODELS[speculative.model])
    findings.warn(
        f"{path}.engine.speculative.model",
        f"the size of {speculative.model} is not known and its memory not counted; write modelGib",
    )
    return 0.0
