"""The load client's command line, and what it found."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.objective import ServiceObjective
from verification.load.environment import ClientUnavailable

_EXPORT = "profile_export_aiperf.json"
_BROWSERS = ("google-chrome", "google-chrome-stable", "chrome", "chromium", "chromium-browser")
_WARM_UP = 4
"""Requests before those that count: the first ones compile kernels and fill caches."""


@dataclass(frozen=True)
class Target:
    """The address that requests go to, and the model that they name."""

    url: str
    path: str
    """The path of the completions endpoint."""
    model: str
    tokenizer: str


@dataclass(frozen=True)
class Seen:
    """The means of the requests that count, in milliseconds."""

    requests: int
    errors: int
    first_token_ms: float
    per_token_ms: float
    request_ms: float
    """Milliseconds from the first byte sent to the last one read."""
    seconds: float
    """Seconds from the first request to the last answer."""

    @property
    def requests_per_second(self) -> float:
        """Answers a second, without the time in which the last of them was still being written."""
        return self.requests / max(self.seconds - self.request_ms / 1e3, 1e-3)


def command(client: Path, target: Target, objective: ServiceObjective, requests: int, folder: Path) -> list[str]:
    """Requests come at random, at the objective's rate on average, each with its tokens in and out."""
    prefix = objective.prefix_tokens
    shared = ["--prompt-prefix-pool-size", "1", "--prompt-prefix-length", str(prefix)] if prefix else []
    return [
        str(client),
        "profile",
        *("--model", target.model, "--url", target.url, "--endpoint", target.path),
        *("--endpoint-type", "completions", "--streaming", "--use-server-token-count"),
        *("--tokenizer", target.tokenizer),
        *(
            "--synthetic-input-tokens-mean",
            str(objective.input_tokens - prefix),
            "--synthetic-input-tokens-stddev",
            "0",
        ),
        *("--output-tokens-mean", str(objective.output_tokens), "--output-tokens-stddev", "0"),
        # Without it a model ends its answer when it likes, and the tokens are not those of the objective.
        *("--extra-inputs", "ignore_eos:true", *shared),
        *("--request-rate", f"{objective.requests_per_second:g}", "--arrival-pattern", "poisson"),
        *("--request-count", str(requests), "--warmup-request-count", str(_WARM_UP), "--random-seed", "1"),
        *("--ui-type", "none", "--no-gpu-telemetry", "--no-server-metrics"),
        *("--output-artifact-dir", str(folder)),
        *(["--auto-plot"] if draws_plots() else []),
    ]


def draws_plots() -> bool:
    """Whether the client can draw its own plots here: it draws them with Chrome."""
    return any(shutil.which(name) for name in _BROWSERS)


def read(folder: Path) -> Seen:
    """What the client exported. Raises ClientUnavailable where that is not of the expected form."""
    try:
        found: dict[str, Any] = json.loads((folder / _EXPORT).read_text(encoding="utf-8"))
        return Seen(
            requests=int(found["request_count"]["avg"]),
            errors=int(found["completed_request_count"]["avg"] - found["request_count"]["avg"]),
            first_token_ms=float(found["time_to_first_token"]["avg"]),
            per_token_ms=float(found["inter_token_latency"]["avg"]),
            request_ms=float(found["request_latency"]["avg"]),
            seconds=float(found["benchmark_duration"]["avg"]),
        )
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ClientUnavailable(f"the client's {_EXPORT} does not say what was seen: {error!r}") from None


def write_word_tokenizer(folder: Path) -> Path:
    """A tokenizer for which each word is a token, as for a simulated server; nothing is fetched for it."""
    folder.mkdir(parents=True, exist_ok=True)
    whole: dict[str, Any] = dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    whole |= {"version": "1.0", "added_tokens": list[Any](), "pre_tokenizer": {"type": "WhitespaceSplit"}}
    whole["model"] = {"type": "WordLevel", "vocab": {"word": 0}, "unk_token": "word"}
    _write(folder / "tokenizer.json", whole)
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
    return folder


def shown(words: Sequence[str]) -> str:
    """The figures that the client was asked for, for a log."""
    return " ".join(words[1:])


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value), encoding="utf-8")
