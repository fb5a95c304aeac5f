"""Asks vLLM's own command line parser, in the environment that it runs in."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from oracle.ask import INSIDE, libcuda
from oracle.card import card_of
from oracle.environment import VLLM_VERSION, EnvironmentUnavailable, make, variables
from oracle.question import Config

TABLE = Path(__file__).parents[2] / "catalog" / "engine_arguments" / f"{VLLM_VERSION}.json"


def refusals(lines: Iterable[Sequence[str]]) -> list[str | None]:
    """What vLLM's parser says of each command line, given what follows `vllm serve`; None where it accepts it."""
    answers = _script("parse.py", stdin="".join(f"{json.dumps(list(line))}\n" for line in lines))
    return [json.loads(answer) for answer in answers.splitlines()]


def write_table(target: Path) -> None:
    """Generates the flag table of the pinned version."""
    _script("dump_flags.py", str(target))


def resolved(capability: str, questions: Iterable[tuple[Config, Sequence[str]]]) -> list[dict[str, Any]]:
    """What vLLM makes of each model's command line on such a card; its refusal where it does not start."""
    lines = [
        json.dumps({"config": config.config, "quantization": config.quantization, "arguments": list(arguments)})
        for config, arguments in questions
    ]
    interpreter = make()
    with tempfile.TemporaryDirectory(prefix="resolve-") as name:
        script = Path(__file__).with_name("resolve.py")
        card = card_of(capability).model_dump_json()
        done = subprocess.run(
            [str(interpreter), str(script), card, str(libcuda(Path(name))), name],
            env={**variables(), "PYTHONPATH": str(INSIDE.parent), "TMPDIR": name},
            input="\n".join(lines),
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        raise EnvironmentUnavailable(f"resolve.py ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _script(name: str, *arguments: str, stdin: str = "") -> str:
    """Runs a script of this folder in vLLM's environment."""
    command = [str(make()), str(Path(__file__).with_name(name)), *arguments]
    done = subprocess.run(command, env=variables(), input=stdin, capture_output=True, text=True)
    if done.returncode != 0:
        raise EnvironmentUnavailable(f"{name} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["table"]:
            write_table(TABLE)
        else:
            print(make())
    except EnvironmentUnavailable as error:
        sys.exit(f"error: {error}")
