"""Ten changes of one stack file, each as a person would make it, for the reports kept beside this file."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import yaml

STACK = "review"

_BASE = """
config:
  pulumi:disable-default-providers: ["*"]
  inference-platform:region: us-central1
  inference-platform:nodePools:
    - name: large
      accelerator: h200
      zone: us-central1-b
      nodes: 2
      capacity: {kind: spot}
    - name: small
      accelerator: l4
      zone: us-central1-a
      nodes: 1
      capacity: {kind: spot}
  inference-platform:models:
    - name: gemma-3-27b
      model: google/gemma-3-27b-it
      nodePool: large
      tensorParallel: 2
      vllmVersion: 0.24.0
    - name: gemma-3-1b
      model: google/gemma-3-1b-it
      nodePool: small
"""

_POOLS = "inference-platform:nodePools"
_MODELS = "inference-platform:models"
Config = dict[str, Any]


def base() -> Config:
    return yaml.safe_load(_BASE)


def changed(name: str) -> Config:
    """The whole stack file after the change of that name."""
    content = deepcopy(base())
    CHANGES[name](content["config"])
    return content


def _new_model(config: Config) -> None:
    config[_MODELS].append({"name": "qwen3-32b", "model": "Qwen/Qwen3-32B", "nodePool": "large", "tensorParallel": 4})


def _model_removed(config: Config) -> None:
    del config[_MODELS][0]


def _tensor_parallel_changed(config: Config) -> None:
    config[_MODELS][0]["tensorParallel"] = 4


def _replicas_up(config: Config) -> None:
    config[_MODELS][0]["replicas"] = 3


def _vllm_bumped(config: Config) -> None:
    del config[_MODELS][0]["vllmVersion"]


def _pool_grown(config: Config) -> None:
    config[_POOLS][0]["nodes"] = 4


def _pool_replaced(config: Config) -> None:
    config[_POOLS][1]["capacity"] = {"kind": "onDemand"}


def _accelerator_swapped(config: Config) -> None:
    config[_POOLS][0] |= {"accelerator": "h100", "zone": "us-central1-a"}


def _network_changed(config: Config) -> None:
    config["inference-platform:network"] = {"addressBlock": "10.64.0.0/12"}


def _nothing_changed(config: Config) -> None:
    config[_POOLS][1]["nodes"] = 1


CHANGES: dict[str, Callable[[Config], None]] = {
    "new-model": _new_model,
    "model-removed": _model_removed,
    "tensor-parallel-changed": _tensor_parallel_changed,
    "replicas-up": _replicas_up,
    "vllm-bumped": _vllm_bumped,
    "pool-grown": _pool_grown,
    "pool-replaced": _pool_replaced,
    "accelerator-swapped": _accelerator_swapped,
    "network-changed": _network_changed,
    "nothing-changed": _nothing_changed,
}
