"""What a vLLM server's command line says of it, as far as a client can see it."""

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


def words_behind(command: Sequence[str], command_line: Sequence[str]) -> list[str] | None:
    """The server's own words; None if that command is not in the command line, at its start or behind what execs it."""
    words, wanted = list(command_line), list(command)
    for start in range(len(words) - len(wanted) + 1):
        if words[start : start + len(wanted)] == wanted:
            return words[start + len(wanted) :]
    return None


def serve_arguments(words: Sequence[str]) -> ServeArguments:
    """What the server's own words say: the model, by position or by `--model`, and flags."""
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
