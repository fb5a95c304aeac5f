"""Finds the config.json of a model of the catalogue: a published one, or the fields that this project knows of it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from catalog.hugging_face import read_json_object
from catalog.model import MODELS
from oracle import environment
from oracle.question import Config

_FIELDS = Path(__file__).parent / "configs.yaml"


class NoConfig(Exception):
    """Nothing published is known of a model; the message says what to do."""


def package() -> Path:
    """The folder of published configs in vLLM's environment."""
    return environment.site_packages() / "aiconfigurator_core" / "model_configs"


def published() -> list[Config]:
    """Every config of the package, by name."""
    names = [file.name.removesuffix("_config.json") for file in sorted(package().glob("*_config.json"))]
    return [_published(name) for name in names if not name.endswith("_hf_quant")]


def config_of(model: str) -> Config:
    """The config of a catalogue model. Raises NoConfig."""
    return config_among(model, _in_package)


def config_among(model: str, published: Callable[[str], Config | None]) -> Config:
    """The same from other copies of the published configs, which are asked for by their name in the package.

    Raises NoConfig.
    """
    known = _known().get(model, {})
    if "unknown" in known:
        raise NoConfig(f"{model}: {known['unknown']}")
    name = str(known.get("package", model.replace("/", "--")))
    if "fields" in known:
        return Config(model, str(known["source"]), known["fields"])
    found = published(name)
    if found is None:
        raise NoConfig(f"{model}: the package has no config.json of it; describe it in oracle/{_FIELDS.name}")
    config = {**found.config, **known.get("with", {})}
    for key in known.get("without", ()):
        config.pop(key, None)
    quantization = None if "quantization_config" in known.get("without", ()) else found.quantization
    return Config(model, found.source + (f", {known['because']}" if "because" in known else ""), config, quantization)


def unknown(model: str) -> str | None:
    """Why there is no config of a catalogue model, where that is known."""
    return _known().get(model, {}).get("unknown")


def catalogue() -> list[str]:
    """Models of the catalogue that can be asked about."""
    found: list[str] = []
    for model in MODELS:
        try:
            config_of(model)
        except NoConfig:
            continue
        found.append(model)
    return found


def of_file(file: Path) -> Config:
    """A config.json of one's own, with the hf_quant_config.json beside it. Raises ValueError, which names the file."""
    quantization = file.with_name("hf_quant_config.json")
    name = file.parent.name if file.name == "config.json" and file.parent.name else file.stem
    return Config(name, str(file), _object(file), _object(quantization) if quantization.exists() else None)


def _in_package(name: str) -> Config | None:
    return _published(name) if (package() / f"{name}_config.json").exists() else None


def _published(name: str) -> Config:
    source = f"{environment.CONFIGS} {environment.CONFIGS_VERSION}: {name}_config.json"
    quantization = package() / f"{name}_hf_quant_config.json"
    return Config(
        name.replace("--", "/"),
        source,
        _object(package() / f"{name}_config.json"),
        _object(quantization) if quantization.exists() else None,
    )


def _object(file: Path) -> dict[str, Any]:
    try:
        return read_json_object(file)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error


@cache
def _known() -> dict[str, dict[str, Any]]:
    return yaml.safe_load(_FIELDS.read_text(encoding="utf-8"))
