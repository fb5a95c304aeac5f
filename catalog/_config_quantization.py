"""The `quantization_config` of a Hugging Face `config.json`, or the `hf_quant_config.json` that lies beside it."""

from collections.abc import Mapping
from typing import Any, cast

from catalog._config_integer import integer_groups
from catalog._config_modelopt import is_modelopt, modelopt
from catalog._config_parts import Checkpoint, excepting, is_everything, mixed, names_in
from catalog._config_reader import UnreadableConfigError, mapping, whole_number
from catalog._formats import KvCacheDtype, LinearPart, QuantisedPart, Quantization, WeightFormat
from catalog._module_names import Match

_VISION = frozenset({LinearPart.VISION})


def quantization_of(
    config: Mapping[str, Any], beside: Mapping[str, Any] | None, checkpoint: Checkpoint
) -> Quantization | None:
    """How the checkpoint is stored.

    vLLM reads the file beside the config only where the config says nothing (transformers_utils/config.py, 0.33.0).
    """
    beside = beside if beside and is_modelopt(beside) else None
    if not config and beside:
        inner = mapping(beside.get("quantization")) or dict(beside)
        config = {**inner, "quant_method": "modelopt"}
    elif config and beside and str(config.get("quant_algo", "")).upper() == "MIXED_PRECISION":
        inner = mapping(beside.get("quantization")) or dict(beside)
        config = {**{k: inner[k] for k in ("quantized_layers",) if k in inner}, **config}
    if not config:
        return None
    method = str(config.get("quant_method", "")).lower().replace("_", "-")
    match method:
        case "fp8" | "fbgemm-fp8":
            block = _first_integer(config.get("weight_block_size"))
            skipped = names_in(config, "ignored_layers", "modules_to_not_convert")
            main = Quantization(
                format=WeightFormat.FP8,
                block=block,
                one_scale=method == "fp8" and block is None,
                behind_flag=method != "fp8",
            )
            match = Match.EXACT if method == "fp8" else Match.COMPONENT
            return excepting(main, skipped, match, checkpoint, _VISION)
        case "mxfp4":
            return Quantization(format=WeightFormat.MXFP4, covers=QuantisedPart.EXPERTS)
        case "mxfp8":
            main = Quantization(format=WeightFormat.MXFP8)
            return excepting(main, names_in(config, "ignored_layers"), Match.WILDCARD, checkpoint)
        case "awq" | "gptq" | "gptq-marlin" | "awq-marlin" | "auto-awq" | "auto-gptq" | "auto-round" | "inc":
            return integer_groups(config, method, checkpoint)
        case "modelopt" | "modelopt-fp4" | "modelopt-mixed" | "modelopt-mxfp8" | "nvfp4":
            return modelopt(config, checkpoint)
        case "compressed-tensors":
            return _compressed_tensors(config, checkpoint)
        case "":
            # vLLM takes a config without quant_method for one that is not quantised (config/model.py, 0.33.0).
            return None
        case _:
            raise UnreadableConfigError(
                f"quantization_config: the method {method} is not modelled, or none of vLLM 0.33's"
            )


def _scheme_cache(scheme: Mapping[str, Any]) -> KvCacheDtype:
    if not scheme:
        return KvCacheDtype.AUTO
    if scheme.get("num_bits") == 8 and scheme.get("type") == "float":
        return KvCacheDtype.FP8_E4M3
    raise UnreadableConfigError(
        f"quantization_config: a KV cache of {scheme.get('num_bits')} bits ({scheme.get('type')}) is not modelled"
    )


def _compressed_tensors(config: Mapping[str, Any], checkpoint: Checkpoint) -> Quantization:
    """Groups of targets, and what they ignore (vLLM 0.33.0, quantization/compressed_tensors/compressed_tensors.py)."""
    schemes = [mapping(group) for group in mapping(config.get("config_groups")).values()]
    if not schemes:
        raise UnreadableConfigError("quantization_config: compressed-tensors without config_groups")
    groups: list[tuple[list[str], Quantization]] = []
    for scheme in schemes:
        targets = [str(target) for target in cast(list[Any], scheme.get("targets") or ["Linear"])]
        groups.append((targets, _scheme(mapping(scheme.get("weights")))))
    # Latent attention looks at no scheme (model_executor/layers/attention/attention.py, Attention alone).
    cache = _scheme_cache({} if checkpoint.names.latent else mapping(config.get("kv_cache_scheme")))
    skipped = names_in(config, "ignore")
    if len({scheme.format for _, scheme in groups}) > 1 or not is_everything(groups[0][0]):
        return mixed(groups, skipped, checkpoint, Match.EXPRESSION).model_copy(update={"kv_cache": cache})
    main = groups[0][1].model_copy(update={"kv_cache": cache})
    return excepting(main, skipped, Match.EXPRESSION, checkpoint, _VISION)


def _scheme(weights: Mapping[str, Any]) -> Quantization:
    bits = whole_number("quantization_config.weights.num_bits", weights.get("num_bits", 8))
    floating = str(weights.get("type", "int")) == "float"
    group = weights.get("group_size")
    block = _first_integer(weights.get("block_structure"))
    match bits, floating:
        case 8, True:
            if group == 32:
                return Quantization(format=WeightFormat.MXFP8)
            return Quantization(format=WeightFormat.FP8, block=block, one_scale=weights.get("strategy") == "tensor")
        case 4, True:
            return Quantization(format=WeightFormat.MXFP4 if group == 32 else WeightFormat.NVFP4)
        case 4 | 8, False:
            size = whole_number("quantization_config.weights.group_size", group) if group else None
            return Quantization(
                format=WeightFormat.INT4 if bits == 4 else WeightFormat.INT8,
                group=size if size and size > 0 else None,
                zero_points=weights.get("symmetric") is False,
            )
        case _:
            raise UnreadableConfigError(f"quantization_config: weights of {bits} bits are not modelled")


def _first_integer(value: Any) -> int | None:
    if isinstance(value, list) and value and isinstance(cast(list[Any], value)[0], int):
        return int(cast(list[Any], value)[0])
    return None
