"""The one door to aiconfigurator-core: the time of an engine's step, from the kernels that NVIDIA timed.

Only rows that were timed with vLLM itself, in the release that the catalogue names, are taken; the library would
otherwise fill gaps with those of another engine. Nothing is fetched: it knows the models whose config it contains.
"""

import logging
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from catalog import PINS
from catalog.model import Model
from catalog.performance import System, performance
from planning.performance.counterpart import counterparts
from planning.performance.steps import Deployment, LibraryMissing, Step, Unknown

_BACKEND = "vllm"
_REFUSALS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
"""What the library raises of a model or step that it cannot describe; it has no one class for that."""
_BLOCK = 16
"""Tokens of a cache block; vLLM's default."""
_INSTALL = "python -m pip install --require-hashes -r requirements-performance.txt"


class LibrarySteps:
    """One deployment of one model on one system, built at the first question."""

    def __init__(self, model: Model, system: System, deployment: Deployment) -> None:
        self._engine = _engine(model, system, deployment)

    def milliseconds(self, step: Step) -> float:
        """Raises Unknown where the tables have no row near the step."""
        length = (step.input_tokens, step.output_tokens)
        try:
            if not step.prompt_tokens:
                return float(self._engine.decode_step_latency(step.sequences, *length))
            if not step.sequences:
                return float(self._engine.predict_prefill_latency(1, step.input_tokens, step.prefix_tokens))
            taken: Any = self._engine.mixed_step_latency(
                step.prompt_tokens, step.sequences, *length, step.prefix_tokens
            )
            return float(taken)
        except _REFUSALS as error:
            raise Unknown(_reason(error)) from None


def require_library() -> None:
    """Raises LibraryMissing unless the pinned release is installed."""
    name, needed = performance().library, PINS.aiconfigurator_core
    try:
        installed = version(name)
    except PackageNotFoundError:
        raise LibraryMissing(f"needs {name} {needed}, which is not installed: {_INSTALL}") from None
    if installed != needed:
        raise LibraryMissing(f"needs {name} {needed}, and {installed} is installed: {_INSTALL}")


def _engine(model: Model, system: System, deployment: Deployment) -> Any:
    require_library()
    path = _counterpart(model, system, deployment)
    core, engine = _module(""), _module("sdk.engine")
    try:
        built = _built(path, deployment)
        spec = engine.build_engine_spec_json(
            built,
            model_path=path,
            system=system.name,
            backend=_BACKEND,
            backend_version=system.tables,
            kv_block_size=_BLOCK,
            systems_path=None,
            nextn=0,
            database=_database(system.name, system.tables),
        )
        return engine.EngineHandle(bytes(core.engine_spec_bincode_from_json(spec)))
    except _REFUSALS as error:
        raise Unknown(_reason(error)) from None


def _built(path: str, deployment: Deployment) -> Any:
    tensor, experts = deployment.tensor_parallel, deployment.expert_parallel
    config = _module("sdk.config_builders").build_model_config(
        tensor,
        deployment.pipeline_parallel,
        1,
        1 if experts else tensor,
        tensor if experts else 1,
        kvcache_quant_mode="fp8" if deployment.kv_cache_dtype.quantised else None,
    )
    return _module("sdk.models").get_model(path, config, _BACKEND)


def _counterpart(model: Model, system: System, deployment: Deployment) -> str:
    """The library's id of the model. Raises Unknown if it has no config of the same facts and formats."""
    for path in _names(model):
        try:
            if _agrees(model, _built(path, deployment).config):
                return path
        except _REFUSALS as error:
            raise Unknown(_reason(error)) from None
    raise Unknown(f"{performance().library} {PINS.aiconfigurator_core} has no model with the facts of {model.id}")


@lru_cache(maxsize=64)
def _names(model: Model) -> tuple[str, ...]:
    folder = Path(str(_module("").__file__)).parent / "model_configs"
    # Of a config that is not in this list it would ask Hugging Face, although the file is there.
    own: Any = _module("sdk.common").DefaultHFModels
    return tuple(name for name in counterparts(model, folder) if name in own)


def _agrees(model: Model, config: Any) -> bool:
    """Whether the library takes the weights for quantised exactly if they are: some of its configs are abridged."""
    modes = {config.gemm_quant_mode.name, config.moe_quant_mode.name if model.is_moe else "bfloat16"}
    return (modes != {"bfloat16"}) == (model.quantization is not None)


@lru_cache(maxsize=16)
def _database(system: str, tables: str) -> Any:
    database = _module("sdk.perf_database").get_database(system, _BACKEND, tables, shared_layer=False)
    if database is None:
        raise Unknown(f"{performance().library} has no tables of vLLM {tables} for {system}")
    return database


def _module(name: str) -> Any:
    """A module of the package, which takes a second to import and which a stack without an objective does not need."""
    # What it fills and what it cannot rank it tells a log that nobody reads here; what matters it raises.
    logging.getLogger("aiconfigurator_core").setLevel(logging.CRITICAL)
    try:
        return import_module("aiconfigurator_core" + (f".{name}" if name else ""))
    except ImportError as error:
        raise LibraryMissing(f"{performance().library} cannot be loaded: {error}") from None


def _reason(error: Exception) -> str:
    """The library's own words, without the places on this machine."""
    words = " ".join(str(error).split())
    return f"{performance().library}: {words.split(' at /')[0][:200]}"
