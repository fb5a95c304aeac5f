"""The `vision_config` of a Hugging Face `config.json`: a transformer over patches of an image, family by family."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from catalog._config_reader import Config, ConfigReader, UnreadableConfigError, mapping, whole_number
from catalog.model import Vision

_QWEN_TOKENS = 16384
"""The tokens of one image: the processors of Qwen2-VL and later allow that many (max_pixels 12,845,056 of 28 x 28 a
token, or longest_edge 16,777,216 of 32 x 32), and vLLM's profile run takes the largest image."""
_QWEN_WIDTHS = 15
"""Calibrated by the 2.51 GiB that vLLM logged for Qwen2.5-VL-72B at TP 4 (vllm-project/vllm issue 16570)."""


def vision_of(reader: ConfigReader, outer: Config) -> Vision | None:
    """The encoder; None where there is none. Raises UnreadableConfigError for one of a family that is not modelled."""
    config = mapping(outer.get("vision_config"))
    family = str(outer.get("model_type", ""))
    if not config and family not in _WITH_DEFAULTS:
        if family in _FAMILIES:
            raise UnreadableConfigError("config.json has no vision_config")
        return None
    if family not in _FAMILIES:
        raise UnreadableConfigError(f"vision_config: the image encoder of {family or 'this model'} is not modelled")
    return _FAMILIES[family](_Encoder(config), reader.integer("hidden_size"), outer)


class _Encoder:
    """Fields of a vision_config; a missing one is an error that names it."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> int:
        if self._fields.get(name) is None:
            raise UnreadableConfigError(f"vision_config has no {name}")
        return whole_number(f"vision_config.{name}", self._fields[name])

    def get(self, name: str, default: int) -> int:
        value = self._fields.get(name)
        return default if value is None else whole_number(f"vision_config.{name}", value)

    def count(self, name: str) -> int:
        """Entries of a list."""
        value = self._fields.get(name)
        return len(value) if isinstance(value, list) else 0  # pyright: ignore[reportUnknownArgumentType]


def _siglip(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Gemma 3: SigLIP at one size, and a projection."""
    width, inner = encoder.get("hidden_size", 1152), encoder.get("intermediate_size", 4304)
    depth, patch = encoder.get("num_hidden_layers", 27), encoder.get("patch_size", 14)
    patches = (encoder.get("image_size", 896) // patch) ** 2
    layers = depth * (4 * width * width + 2 * width * inner + 9 * width + inner)
    return Vision(
        parameters=layers,
        whole_parameters=(3 * patch * patch + patches) * width + width * hidden,
        hidden_size=width,
        intermediate_size=inner,
        patches_per_image=patches,
        tokens_per_image=whole_number("mm_tokens_per_image", outer.get("mm_tokens_per_image") or 256),
        cut_sizes=(inner,),
    )


def _qwen2(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Qwen2-VL: `embed_dim` is the encoder's width, `hidden_size` the language model's."""
    width = encoder["embed_dim"]
    return _qwen(encoder, hidden, _Layer(width, width * encoder.get("mlp_ratio", 4)))


def _qwen2_5(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Qwen2.5-VL: gated feed-forward layers."""
    width, inner = encoder.get("hidden_size", 1280), encoder.get("intermediate_size", 3420)
    return _qwen(encoder, hidden, _Layer(width, inner, gated=True))


def _qwen3(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Qwen3-VL and later: learned positions, and mergers of inner layers ("deepstack")."""
    levels = encoder.count("deepstack_visual_indexes")
    width = encoder["hidden_size"]
    vision = _qwen(encoder, hidden, _Layer(width, encoder["intermediate_size"]), mergers=1 + levels)
    whole = vision.whole_parameters + encoder["num_position_embeddings"] * width
    return vision.model_copy(update={"whole_parameters": whole, "deepstack_levels": levels})


@dataclass(frozen=True)
class _Layer:
    """One layer of an encoder of Qwen's."""

    width: int
    inner: int
    gated: bool = False

    @property
    def parameters(self) -> int:
        """Those that tensor parallel cuts."""
        inwards = 2 if self.gated else 1
        attention = 4 * self.width * self.width + 4 * self.width
        return attention + (inwards + 1) * self.width * self.inner + inwards * self.inner + self.width

    @property
    def norms(self) -> int:
        return (2 if self.gated else 4) * self.width


def _qwen(encoder: _Encoder, hidden: int, layer: _Layer, mergers: int = 1) -> Vision:
    """A merger joins neighbouring patches into one token."""
    merge = encoder.get("spatial_merge_size", 2) ** 2
    joined = layer.width * merge
    merger = joined * joined + joined + joined * hidden + hidden
    channels = encoder.get("in_channels", encoder.get("in_chans", 3))
    patch = channels * encoder.get("temporal_patch_size", 2) * encoder["patch_size"] ** 2
    return Vision(
        parameters=layer.parameters * encoder["depth"] + mergers * merger,
        whole_parameters=patch * layer.width + layer.norms * encoder["depth"],
        hidden_size=layer.width,
        intermediate_size=layer.inner,
        patches_per_image=_QWEN_TOKENS * merge,
        tokens_per_image=_QWEN_TOKENS,
        widths_in_flight=_QWEN_WIDTHS,
        cut_sizes=(layer.inner, joined),
    )


def _gemma4(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Gemma 4: the encoder is not cut, every rank holds it whole."""
    width, inner, depth = encoder["hidden_size"], encoder["intermediate_size"], encoder["num_hidden_layers"]
    layer = 4 * width * width + 3 * width * inner + 4 * width + 2 * encoder["head_dim"]
    positions = 2 * encoder["position_embedding_size"] * width
    tokens = whole_number("vision_soft_tokens_per_image", outer.get("vision_soft_tokens_per_image") or 280)
    return Vision(
        whole_parameters=depth * layer + positions + 3 * encoder["patch_size"] ** 2 * width + width * hidden,
        hidden_size=width,
        intermediate_size=inner,
        patches_per_image=tokens * encoder["pooling_kernel_size"] ** 2,
        tokens_per_image=tokens,
    )


def _kimi(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Kimi K2.5: MoonViT and a merger of four patches."""
    width, inner, depth = encoder["vt_hidden_size"], encoder["vt_intermediate_size"], encoder["vt_num_hidden_layers"]
    layer = 4 * width * width + 4 * width + 2 * width * inner + inner + width + 4 * width
    joined = 4 * width
    positions = encoder["init_pos_emb_height"] * encoder["init_pos_emb_width"] * width
    return Vision(
        parameters=depth * layer,
        whole_parameters=positions
        + 3 * encoder["patch_size"] ** 2 * width
        + joined * joined
        + joined * hidden
        + joined
        + hidden,
        hidden_size=width,
        intermediate_size=inner,
        patches_per_image=16384,
        tokens_per_image=4096,
        widths_in_flight=_QWEN_WIDTHS,
    )


def _intern(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """InternVL: InternViT, and a projection of four patches. An image is cut into up to 12 tiles and a small copy."""
    width, inner, depth = encoder["hidden_size"], encoder["intermediate_size"], encoder["num_hidden_layers"]
    layer = 4 * width * width + 2 * width * inner + 9 * width + inner
    patches = (encoder["image_size"] // encoder["patch_size"]) ** 2
    joined = 4 * width
    projection = joined * hidden + hidden * hidden + 2 * hidden + 2 * joined
    tiles = 13
    return Vision(
        parameters=depth * layer + (3 * encoder["patch_size"] ** 2 + patches + 1) * width,
        whole_parameters=projection,
        hidden_size=width,
        intermediate_size=inner,
        patches_per_image=patches * tiles,
        tokens_per_image=patches // 4 * tiles,
        cut_sizes=(inner,),
    )


def _llama4(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """Llama 4: an encoder, an adapter that joins four patches, and a projection. Of an image up to 16 tiles and one."""
    width, inner = encoder.get("hidden_size", 768), encoder.get("intermediate_size", 5632)
    depth, patch = encoder.get("num_hidden_layers", 34), encoder.get("patch_size", 14)
    patches = (encoder.get("image_size", 448) // patch) ** 2
    joined, output = encoder.get("projector_input_dim", 4096), encoder.get("projector_output_dim", 4096)
    layer = 4 * width * width + 2 * width * inner + 9 * width + inner
    tiles = 17
    return Vision(
        parameters=depth * layer
        + inner * joined
        + joined * output
        + encoder.get("vision_output_dim", 7680) * hidden
        + 3 * patch * patch * width,
        whole_parameters=(patches + 1) * width,
        hidden_size=width,
        intermediate_size=inner,
        patches_per_image=patches * tiles,
        tokens_per_image=patches // 4 * tiles,
        cut_sizes=(inner,),
    )


def _minimax(encoder: _Encoder, hidden: int, outer: Config) -> Vision:
    """MiniMax M3: a profile run takes a video of 500 frames in pairs, each of 768 tokens (mm_preprocess.py of 0.33)."""
    pairs, tokens = 250, 768
    return Vision(
        hidden_size=encoder["hidden_size"],
        intermediate_size=encoder["intermediate_size"],
        patches_per_image=pairs * tokens * 4,
        tokens_per_image=pairs * tokens,
        widths_in_flight=_QWEN_WIDTHS,
    )


_WITH_DEFAULTS = frozenset({"llama4"})
"""Families whose class has an encoder even where the config says nothing of it (transformers 5.24.0)."""
_FAMILIES: dict[str, Callable[[_Encoder, int, Config], Vision]] = {
    "gemma3": _siglip,
    "qwen2_vl": _qwen2,
    "qwen2_5_vl": _qwen2_5,
    "qwen3_vl": _qwen3,
    "qwen3_vl_moe": _qwen3,
    "qwen3_5": _qwen3,
    "qwen3_5_moe": _qwen3,
    "gemma4": _gemma4,
    "kimi_k25": _kimi,
    "kimi_k3": _kimi,
    "minimax_m3_vl": _minimax,
    "internvl_chat": _intern,
    "llama4": _llama4,
}
