"""The `quantization_config` of a Hugging Face `config.json`."""

from typing import Any, cast

from catalog._config_reader import UnreadableConfigError, mapping
from catalog.model import QuantisedPart, Quantization, WeightFormat


def quantization_of(config: dict[str, Any]) -> Quantization | None:
    if not config:
        return None
    method = str(config.get("quant_method", config.get("quant_algo", ""))).lower()
    block = _first_integer(config.get("weight_block_size"))
    match method:
        case "fp8" | "fbgemm_fp8":
            return Quantization(format=WeightFormat.FP8, block=block)
        case "mxfp4":
            return Quantization(format=WeightFormat.MXFP4, covers=QuantisedPart.EXPERTS)
        case "awq" | "gptq" | "gptq_marlin" | "awq_marlin" | "auto-round":
            bits = int(config.get("bits", config.get("w_bit", 4)))
            return Quantization(format=WeightFormat.INT8 if bits == 8 else WeightFormat.INT4)
        case "bitsandbytes":
            return Quantization(format=WeightFormat.INT4 if config.get("load_in_4bit") else WeightFormat.INT8)
        case "modelopt" | "modelopt_fp4" | "fp8_pb_wo" | "nvfp4":
            fp4 = "fp4" in str(config.get("quant_algo", method)).lower()
            return Quantization(format=WeightFormat.NVFP4 if fp4 else WeightFormat.FP8)
        case "compressed-tensors":
            return _compressed_tensors(config)
        case _:
            raise UnreadableConfigError(f"quantization_config: the method {method or 'unnamed'} is not modelled")


def _compressed_tensors(config: dict[str, Any]) -> Quantization:
    groups = [mapping(group) for group in mapping(config.get("config_groups")).values()]
    weights = mapping(groups[0].get("weights")) if groups else {}
    bits, floating = int(weights.get("num_bits", 8)), str(weights.get("type", "int")) == "float"
    if bits == 8:
        form = WeightFormat.FP8 if floating else WeightFormat.INT8
    else:
        form = WeightFormat.NVFP4 if floating else WeightFormat.INT4
    ignored = " ".join(str(name) for name in cast(list[Any], config.get("ignore") or []))
    covers = QuantisedPart.EXPERTS if "self_attn" in ignored else QuantisedPart.LINEAR
    block = _first_integer(weights.get("block_structure"))
    return Quantization(format=form, covers=covers, block=block)


def _first_integer(value: Any) -> int | None:
    if isinstance(value, list) and value and isinstance(cast(list[Any], value)[0], int):
        return int(cast(list[Any], value)[0])
    return None
