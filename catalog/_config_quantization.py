"""The `quantization_config` of a Hugging Face `config.json`, or the `hf_quant_config.json` that lies beside it."""

from collections.abc import Mapping
from typing import Any

from catalog._config_compressed import compressed_tensors
from catalog._config_integer import integer_groups
from catalog._config_modelopt import is_modelopt, modelopt
from catalog._config_parts import Checkpoint, cards_of_block, excepting, names_in, refuse_without, square_block
from catalog._config_reader import UnreadableConfigError, mapping
from catalog._formats import LinearPart, QuantisedPart, Quantization, WeightFormat
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
        config = {**beside, "quant_method": "modelopt"}
    elif config and beside and str(config.get("quant_algo", "")).upper() == "MIXED_PRECISION":
        inner = mapping(beside.get("quantization")) or dict(beside)
        config = {**{k: inner[k] for k in ("quantized_layers",) if k in inner}, **config}
    if not config:
        return None
    method = str(config.get("quant_method", "")).lower().replace("_", "-")
    match method:
        case "fp8" | "fbgemm-fp8":
            sides = config.get("weight_block_size")
            block = None if sides is None else square_block(sides)
            _refuse_old_fp8(config, method, block)
            skipped = names_in(config, "ignored_layers", "modules_to_not_convert")
            main = Quantization(
                format=WeightFormat.FP8,
                block=block,
                one_scale=method == "fp8" and block is None,
                behind_flag=method != "fp8",
                only_on=cards_of_block(block),
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
        case "modelopt" | "modelopt-fp4" | "modelopt-mixed" | "modelopt-mxfp8":
            return modelopt(config, checkpoint)
        case "compressed-tensors":
            return compressed_tensors(config, checkpoint)
        case "":
            # vLLM takes a config without quant_method for one that is not quantised (config/model.py, 0.33.0).
            return None
        case _:
            raise UnreadableConfigError(
                f"quantization_config: the method {method} is not modelled, or none of vLLM 0.33's"
            )


def _refuse_old_fp8(config: Mapping[str, Any], method: str, block: int | None) -> None:
    """vLLM 0.33.0, quantization/fp8.py, Fp8Config."""
    scheme = config.get("activation_scheme", "dynamic")
    if method == "fp8":
        refuse_without(config, method, ("activation_scheme",))
    if method == "fp8" and scheme not in ("static", "dynamic"):
        raise UnreadableConfigError(f"quantization_config: vLLM 0.33 serves no fp8 whose activation_scheme is {scheme}")
    if method == "fp8" and block is not None and scheme == "static":
        raise UnreadableConfigError("quantization_config: vLLM 0.33 serves no fp8 in blocks with a static scheme")
