"""The catalogue is what the published configs say, and none of them is misread: each is right, or refused by its name.

They are read in short from tests/unit/configs/published.jsonl, which is held to aiconfigurator-core where that is.
"""

from typing import Any, cast

import pytest

from catalog.hugging_face import UnreadableConfigError, model_from_config
from catalog.model import MODELS, Model
from oracle import environment
from oracle.published import NoConfig, config_among, published, unknown
from oracle.question import Config
from planning.load_time import checkpoint_gib
from planning.weights import GIB, Sharding, stages_of, weight_bytes
from tests.unit.configs.published import configs, short

# Not modelled, with the true reason: what the refusal names.
REFUSED = {
    "MiniMaxAI/MiniMax-M3": "MiniMaxM3ForCausalLM is none that vLLM",
    "nvidia/Llama-3_3-Nemotron-Super-49B-v1": "vLLM 0.33 reads it by code of the checkpoint alone",
    "sgl-project/DeepSeek-V4-Flash-FP8": "model_type: deepseek_ref is none by which vLLM reads",
    "sgl-project/DeepSeek-V4-Pro-FP8": "model_type: deepseek_ref is none by which vLLM reads",
    "stepfun-ai/Step-3.7-Flash": "Step3p7FlashForCausalLM is none that vLLM",
    "stepfun-ai/Step-3.7-Flash-FP8": "Step3p7FlashForCausalLM is none that vLLM",
}
# The package's copies lack quant_method, so that vLLM itself serves them in 16 bits: no entries.
ABRIDGED = {
    "Qwen/Qwen3-32B-FP8-Static-PerTensor",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8",
    "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4",
}
# Its config cannot be read as a whole, and the entry is of its language model.
ENCODER_NOT_MODELLED = {"mistralai/Ministral-3-8B-Instruct-2512"}
_KNOWN_ELSEWHERE = {"id", "title", "checkpoint_gib", "gated", "licence", "minimum_vllm", "sources", "note"}
"""Fields of an entry that no config.json has."""


CONFIGS = configs()
BY_ID = {config.id: config for config in CONFIGS}


def made_of(model: Model) -> dict[str, Any]:
    return model.model_dump(exclude=_KNOWN_ELSEWHERE)


def read(config: Config) -> Model:
    return model_from_config(config.config, config.id, config.quantization)


def test_each_published_config_is_an_entry_or_refused_by_its_name() -> None:
    outcomes = {"right": 0, "refused": 0, "abridged": 0}
    for config in CONFIGS:
        if config.id in REFUSED:
            with pytest.raises(UnreadableConfigError, match=REFUSED[config.id]):
                read(config)
            outcomes["refused"] += 1
        elif config.id in ABRIDGED:
            assert read(config).quantization is None
            assert config.id not in MODELS
            outcomes["abridged"] += 1
        else:
            assert made_of(MODELS[config.id]) == made_of(read(config)), config.id
            outcomes["right"] += 1
    assert outcomes == {"right": 78, "refused": len(REFUSED), "abridged": len(ABRIDGED)}


@pytest.mark.skipif(environment.python() is None, reason="vLLM's own environment is not here: make record-models")
def test_the_configs_are_those_of_the_package() -> None:
    assert [config.id for config in CONFIGS] == [config.id for config in published()]
    for ours, theirs in zip(CONFIGS, published(), strict=True):
        assert _sorted(ours.config) == _sorted(short(theirs).config), ours.id
        assert _sorted(ours.quantization) == _sorted(short(theirs).quantization), ours.id


def _sorted(value: Any) -> Any:
    """Lists of names are written by patterns, which keeps no order."""
    if isinstance(value, dict):
        return {key: _sorted(inner) for key, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list) and all(isinstance(name, str) for name in cast(list[Any], value)):
        return sorted(cast(list[str], value))
    return cast(object, value)


def test_an_entry_that_was_read_names_the_config_it_was_read_from() -> None:
    named = [name for name in MODELS if any("aiconfigurator-core 0.12.0" in source for source in MODELS[name].sources)]
    assert len(named) >= 78


@pytest.mark.parametrize("name", MODELS)
def test_every_entry_is_what_its_config_says_or_fits_its_checkpoint(name: str) -> None:
    """The config is the published one, or what `oracle/configs.yaml` says of it."""
    model = MODELS[name]
    if unknown(name) or name in ENCODER_NOT_MODELLED:
        assert least_gib(model) <= checkpoint_gib(model) <= most_gib(model)
        return
    try:
        config = config_among(name, lambda package: BY_ID.get(package.replace("--", "/")))
    except NoConfig as missing:
        pytest.fail(str(missing))
    assert made_of(model) == made_of(read(config))


def test_a_width_that_is_wrong_fits_no_checkpoint() -> None:
    """Where no config is known, so that nothing else would tell."""
    without = [MODELS[name] for name in MODELS if unknown(name) or name in ENCODER_NOT_MODELLED]
    assert without
    for model in without:
        for wrong in (model.hidden_size // 2, model.hidden_size * 2):
            changed = model.model_copy(update={"hidden_size": wrong})
            assert not least_gib(changed) <= checkpoint_gib(model) <= most_gib(changed), model.id


def least_gib(model: Model) -> float:
    """Its weights, in GiB, with MLPs twice as wide as its layers where their width is not known."""
    return gib(model, 2.0)


def most_gib(model: Model) -> float:
    """The same with MLPs of four times the width, and an image encoder beside it."""
    return gib(model, 4.0) + 1.0


def gib(model: Model, width: float) -> float:
    if not model.counted:
        model = model.model_copy(update={"intermediate_size": int(width * model.hidden_size)})
    return weight_bytes(model, Sharding(), stages_of(model, 1)[0], draft=True) / GIB
