"""Reads from a vLLM server's command line what a client can notice of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_PORT = 8000


@dataclass(frozen=True)
class ServeArguments:
    """The arguments that clients notice. `served_names` are the ids by which requests may name the model;
    `max_model_len` is in tokens, None where it is not set.

    `shutdown_timeout`: the seconds in which the server may finish running requests after SIGTERM.
    """

    model: str
    served_names: tuple[str, ...]
    adapters: tuple[str, ...]
    port: int
    max_model_len: int | None
    shutdown_timeout: int
    headless: bool


def words_behind(command: Sequence[str], command_line: Sequence[str]) -> list[str] | None:
    """The words behind `command`, which may stand at the start or behind a program that executes it; None if it is not
    there."""
    words, wanted = list(command_line), list(command)
    for start in range(len(words) - len(wanted) + 1):
        if words[start : start + len(wanted)] == wanted:
            return words[start + len(wanted) :]
    return None


def serve_arguments(words: Sequence[str]) -> ServeArguments:
    """Parses the server's arguments. The model is the first word or the value of `--model`."""
    flags = _flags(words)
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
    """The words behind each flag, and under "" those before the first flag. vLLM takes - and _ in names as the same."""
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
    """The adapter's name in `NAME=PATH`, or in a JSON object."""
    return str(json.loads(item)["name"]) if item.startswith("{") else item.partition("=")[0]
