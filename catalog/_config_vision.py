"""The `vision_config` of a Hugging Face `config.json`: a transformer over patches of an image."""

from typing import Any

from catalog._config_reader import Config, ConfigReader
from catalog.model import Vision


def vision_of(config: dict[str, Any], reader: ConfigReader, outer: Config) -> Vision | None:
    if not config:
        return None
    hidden = int(config.get("hidden_size", config.get("embed_dim", 1152)))
    inner = int(config.get("intermediate_size", 4 * hidden))
    depth = int(config.get("num_hidden_layers", config.get("depth", 27)))
    patch, image = int(config.get("patch_size", 14)), int(config.get("image_size", 896))
    patches = (image // patch) ** 2
    encoder = (
        depth * (4 * hidden * hidden + 2 * hidden * inner + 9 * hidden + inner) + (3 * patch * patch + patches) * hidden
    )
    return Vision(
        parameters=encoder + hidden * reader.integer("hidden_size"),
        hidden_size=hidden,
        intermediate_size=inner,
        patches_per_image=patches,
        tokens_per_image=int(outer.get("mm_tokens_per_image") or max(1, patches // 4)),
    )
