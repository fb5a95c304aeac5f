"""What a `vllm serve` command line says of the server that it starts, as far as a client can see it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_PORT = 8000


@dataclass(frozen=True)
class ServeArguments:
    """`served_names` are the ids under which requests may ask for the model; `max_model_len` is in tokens.

    `shutdown_timeout`: seconds in which the server may finish what it began, once it is told to end.
    """

    model: str
    served_names: tuple[str, ...]
    adapters: tuple[str, ...]
    port: int
    max_model_len: int | None
    shutdown_timeout: int
    headless: bool


def serve_arguments(command_line: Sequence[str]) -> ServeArguments | None:
    """The arguments of `vllm serve`; None if it is not in the command line, at its start or behind what execs it."""
    words = list(command_line)
    start = next((index for index in range(len(words)) if words[index : index + 2] == ["vllm", "serve"]), None)
    if start is None:
        return None
    flags = _flags(words[start + 2 :])
    positional = flags[""]
    model = (positional or flags.get("model") or [""])[0]
    lengths = flags.get("max-model-len", [])
    return ServeArguments(
        model=model,
        served_names=tuple(flags.get("served-model-name") or [model]),
        adapters=tuple(_adapter(item) for item in flags.get("lora-modules", [])),
        port=int((flags.get("port") or [str(DEFAULT_PORT)])[0]),
        max_model_len=int(lengths[0]) if lengths and lengths[0].isdigit() else None,
        shutdown_timeout=int((flags.get("shutdown-timeout") or ["0"])[0]),
        headless="headless" in flags,
    )


def _flags(words: Sequence[str]) -> dict[str, list[str]]:
    """The words that follow each flag; under "" those before the first. vLLM takes - and _ in names alike."""
    found: dict[str, list[str]] = {"": []}
    current = found[""]
    for word in words:
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            current = found.setdefault(name.replace("_", "-"), [])
            current.extend([value] if equals else [])
        else:
            current.append(word)
    return found


def _adapter(item: str) -> str:
    """Of `NAME=PATH`, or of a JSON object with a name."""
    return str(json.loads(item)["name"]) if item.startswith("{") else item.partition("=")[0]
