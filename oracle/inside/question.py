"""What the oracle is asked, and the words in which it answers. Plain JSON, a line each."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Question:
    """One way to serve one model."""

    config: dict[str, Any]
    """The config.json."""
    quantization: dict[str, Any] | None
    """The hf_quant_config.json beside it, if there is one."""
    tensor: int
    pipeline: int
    expert_parallel: bool
    cache: str
    """--kv-cache-dtype"""
    draft_tokens: int
    """Tokens that the model's own MTP layers propose; 0: they are not used."""
    kinds: dict[str, list[int]] | None = None
    """Which layers were found to be alike before, perhaps on another card: a number for each layer of each list."""

    @property
    def model(self) -> str:
        """The same for the same files."""
        return json.dumps([self.config, self.quantization], sort_keys=True)

    @property
    def ranks(self) -> int:
        return self.tensor * self.pipeline


class Refused(Exception):
    """vLLM does not serve the model so; its own words."""


class Unanswerable(Exception):
    """The oracle cannot say what vLLM would do; why, for whoever mends the oracle."""
