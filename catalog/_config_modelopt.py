"""NVIDIA's ModelOpt in a `quantization_config`, or in the `hf_quant_config.json` beside it."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._config_parts import Checkpoint, excepting, mixed, names_in, refuse_without
from catalog._config_reader import UnreadableConfigError, mapping
from catalog._formats import KvCacheDtype, LinearPart, Quantization, WeightFormat
from catalog._module_names import Match

# vllm/model_executor/layers/quantization/modelopt.py
_MODELOPT = {
    "FP8": WeightFormat.FP8,
    "FP8_PER_CHANNEL_PER_TOKEN": WeightFormat.FP8,
    "FP8_PB_WO": WeightFormat.FP8,
    "NVFP4": WeightFormat.NVFP4,
    "W4A16_NVFP4": WeightFormat.NVFP4_A16,
    "MXFP8": WeightFormat.MXFP8,
}
_ONLY_ON = {
    "FP8_PB_WO": frozenset({"9.0", "10.0", "10.3", "12.0"}),
    "FP8_PER_CHANNEL_PER_TOKEN": frozenset({"8.9", "9.0", "10.0", "10.3", "12.0"}),
}
"""Where these layers run on Marlin's kernel, vLLM 0.33.0 ends with "no attribute 'orig_dtype'" (kernels/linear/
scaled_mm/marlin.py; its own code, asked on 2026-11-29 for all but 10.3, whose kernels are those of 10.0)."""
_OF_ITS_OWN_FILE = {"FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4", "MIXED_PRECISION"}
"""Algorithms that vLLM takes from a file that ModelOpt signs as its producer (transformers_utils/
model_arch_config_convertor.py, _normalize_quantization_config, 0.33.0)."""
_NESTED_NVFP4_KEYS = (("group_size",), ("kv_cache_quant_algo",), ("exclude_modules",))
"""What the part that is named quantization has to say (modelopt.py, ModelOptNvFp4Config, 0.33.0)."""


def is_modelopt(beside: Mapping[str, Any]) -> bool:
    """vLLM takes the file for modelopt's by its producer or its own method, and else leaves it alone."""
    names = (beside.get("quant_method"), mapping(beside.get("producer")).get("name"))
    return any(str(name).lower().startswith("modelopt") for name in names)


def modelopt(config: Mapping[str, Any], checkpoint: Checkpoint) -> Quantization | None:
    signed = mapping(config.get("producer")).get("name") == "modelopt"
    nested = mapping(config.get("quantization"))
    config = {**config, **nested}
    if config.get("quant_algo") is None and ("quant_algo" in config or signed):
        return None  # the cache alone is meant, and vLLM then takes neither
    algorithm = str(config.get("quant_algo", "")).upper()
    if signed and algorithm not in _OF_ITS_OWN_FILE:
        raise UnreadableConfigError(f"quantization_config: vLLM 0.33 takes no {algorithm} from ModelOpt's own file")
    if nested and "NVFP4" in algorithm:
        refuse_without(nested, f"{algorithm} of modelopt", *_NESTED_NVFP4_KEYS)
    cache = _modelopt_cache(config)
    # An empty list comes first as well (modelopt.py, from_config).
    lists = ("exclude_modules",) if nested else ("ignore",) if "ignore" in config else ("exclude_modules",)
    skipped = names_in(config, *lists)
    if algorithm == "MIXED_PRECISION":
        stored = mapping(config.get("quantized_layers"))
        if not stored:
            raise UnreadableConfigError("quantization_config: MIXED_PRECISION without quantized_layers")
        groups = [([name], _scheme(str(mapping(how).get("quant_algo", "")))) for name, how in stored.items()]
        return mixed(_by_scheme(groups), skipped, checkpoint, Match.WILDCARD).model_copy(update={"kv_cache": cache})
    main = _scheme(algorithm).model_copy(update={"one_scale": algorithm == "FP8", "kv_cache": cache})
    return excepting(main, skipped, Match.WILDCARD, checkpoint, frozenset({LinearPart.OUTPUT_EMBEDDING}))


def _scheme(algorithm: str) -> Quantization:
    name = algorithm.upper()
    if name not in _MODELOPT:
        raise UnreadableConfigError(f"quantization_config: the algorithm {algorithm or 'unnamed'} is not modelled")
    block = 128 if name == "FP8_PB_WO" else None
    return Quantization(format=_MODELOPT[name], block=block, only_on=_ONLY_ON.get(name, frozenset()))


def _modelopt_cache(config: Mapping[str, Any]) -> KvCacheDtype:
    """vllm/utils/torch_utils.py, get_kv_cache_quant_algo_string: what it does not know is no wish."""
    said = config.get("kv_cache_scheme") or config.get("kv_cache_quant_algo")
    if isinstance(said, Mapping):
        scheme = cast(Mapping[str, Any], said)
        if scheme.get("type") != "float":
            return KvCacheDtype.AUTO
        said = "nvfp4" if scheme.get("num_bits") == 4 else "fp8" if _is_fixed_fp8(scheme) else None
    match str(said).lower():
        case "fp8":
            return KvCacheDtype.FP8_E4M3
        case "nvfp4":
            raise UnreadableConfigError("quantization_config: a KV cache in nvfp4 is not modelled")
        case _:
            return KvCacheDtype.AUTO


def _is_fixed_fp8(scheme: Mapping[str, Any]) -> bool:
    return scheme.get("num_bits") == 8 and scheme.get("dynamic") is False


def _by_scheme(groups: list[tuple[list[str], Quantization]]) -> list[tuple[list[str], Quantization]]:
    joined: dict[Quantization, list[str]] = {}
    for targets, scheme in groups:
        joined.setdefault(scheme, []).extend(targets)
    return [(targets, scheme) for scheme, targets in joined.items()]
