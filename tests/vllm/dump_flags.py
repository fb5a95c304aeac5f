"""Writes the flag table of the installed vLLM: `dump_flags.py FILE`. Run by the interpreter of vLLM's environment.

What the parser checks by itself comes from the parser. Where it takes any text, but vLLM then knows only certain words
or keys, they come from the module that looks the text up.
"""

import argparse
import dataclasses
import enum
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

sys.argv[1:1] = ["--help"]  # vLLM fills the help texts in only for a command line that asks for them

import serve_parser  # noqa: E402
from vllm import __version__, envs  # noqa: E402
from vllm.config import DiffusionConfig, SpeculativeConfig, WatermarkConfig  # noqa: E402
from vllm.config.attention import AttentionBackendEnum  # noqa: E402
from vllm.config.parallel import DataParallelBackend  # noqa: E402
from vllm.config.vllm import OptimizationLevel  # noqa: E402
from vllm.engine.arg_utils import human_readable_int, human_readable_int_or_auto, union_dict_and_str  # noqa: E402
from vllm.entrypoints.common.cli_args import LoRAParserAction  # noqa: E402
from vllm.entrypoints.openai.models.protocol import LoRAModulePath  # noqa: E402
from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS  # noqa: E402
from vllm.model_executor.model_loader import LoadFormats  # noqa: E402
from vllm.reasoning import ReasoningParserManager  # noqa: E402
from vllm.tool_parsers import ToolParserManager  # noqa: E402

COMMAND = "python -m tests.vllm.environment table"

# Words that vLLM looks up after parsing; a plugin may add to them.
WORDS: dict[str, Iterable[str]] = {
    "--data-parallel-backend": get_args(DataParallelBackend),
    "--attention-backend": ["auto", *AttentionBackendEnum.__members__],
    "--load-format": get_args(LoadFormats),
    "--optimization-level": [str(level.value) for level in OptimizationLevel],
    "--quantization": QUANTIZATION_METHODS,
    "--reasoning-parser": ["none", *ReasoningParserManager.list_registered()],
    "--tool-call-parser": ToolParserManager.list_registered(),
}
# Classes that vLLM makes of a JSON value after parsing.
CLASSES: dict[str, type] = {
    "--diffusion-config": DiffusionConfig,
    "--lora-modules": LoRAModulePath,
    "--speculative-config": SpeculativeConfig,
    "--watermark-config": WatermarkConfig,
}
# What the engine passes to such a class itself.
NOT_FROM_OUTSIDE = {"target_model_config", "target_parallel_config"}

VALUES = {None: "one", 0: "none", "+": "several", "?": "optional"}
PLAIN_TYPES = {
    None: "text",
    str: "text",
    int: "integer",
    float: "number",
    json.loads: "json",
    human_readable_int: "size",
    human_readable_int_or_auto: "sizeOrAuto",
    union_dict_and_str: "textOrJson",
}


def main(target: Path) -> None:
    _, parser = serve_parser.make()
    names: dict[argparse.Action, list[str]] = {}
    for name, action in parser._option_string_actions.items():
        names.setdefault(action, []).append(name)
    flags = [describe(action, found) for action, found in names.items() if action.dest != "help"]
    table = {
        "generated": f"from vLLM {__version__} by `{COMMAND}`; not to be edited",
        "version": __version__,
        "flags": sorted(flags, key=lambda flag: flag["names"]),
        "environmentVariables": sorted(name for name in envs.environment_variables if name.startswith("VLLM_")),
    }
    target.write_text(text(table), encoding="utf-8")


def describe(action: argparse.Action, names: list[str]) -> dict[str, Any]:
    """One flag, as catalog/engine_arguments.py reads it; what is usual is left out."""
    negations = sorted(getattr(action, "negative_option_strings", ()))
    main_name = next(name for name in names if name.startswith("--"))
    flag: dict[str, Any] = {"names": [name for name in names if name not in negations]}
    if negations:
        flag["negations"] = negations
    if VALUES[action.nargs] != "one":
        flag["values"] = VALUES[action.nargs]
    if action.nargs != 0:
        takes, may_be_unset, made = type_of(action)
        if takes != "text":
            flag["takes"] = takes
        if may_be_unset:
            flag["mayBeUnset"] = True
        if words := [word for word in action.choices or () if word is not None]:
            flag["choices"] = words
        elif words := sorted(WORDS.get(main_name) or (action.metavar if isinstance(action.metavar, list) else ())):
            flag.update(choices=words, extensible=True)
        if keys := keys_of(made or CLASSES.get(main_name)):
            flag["keys"] = keys
    if (default := simple(action.default)) is not None:
        flag["default"] = default
    if any(mark in (action.help or "") for mark in ("Deprecated:", f"{main_name} is deprecated")):
        flag["deprecated"] = True
    return flag


def type_of(action: argparse.Action) -> tuple[str, bool, type | None]:
    """What the flag's values are, whether an empty one means unset, and the class that is made of one."""
    convert: Any = action.type
    may_be_unset = False
    if isinstance(action, LoRAParserAction):
        return "adapter", True, None
    while (name := getattr(convert, "__name__", "")) in ("_optional_type", "_parse_type"):
        may_be_unset |= name == "_optional_type"
        (convert,) = (cell.cell_contents for cell in convert.__closure__)
    if name == "parse_dataclass":
        return "json", may_be_unset, convert.__defaults__[0]
    if name in ("<lambda>", "parse_reasoning_parser"):  # they tidy a text up: its case, or commas into a list
        return "text", may_be_unset, None
    return PLAIN_TYPES[convert], may_be_unset, None


def keys_of(made: type | None) -> list[str]:
    if made is None:
        return []
    fields = [field.name for field in dataclasses.fields(made) if field.init] if dataclasses.is_dataclass(made) else []
    fields = fields or list(getattr(made, "model_fields", ()))
    return sorted(set(fields) - NOT_FROM_OUTSIDE)


def simple(default: Any) -> Any:
    """A default that a reader can use; None for no default and for one that is a whole configuration object."""
    if isinstance(default, enum.Enum):
        return default.value
    if default == argparse.SUPPRESS or default in ([], {}, set()):
        return None
    return default if isinstance(default, bool | int | float | str | list) else None


def text(table: dict[str, Any]) -> str:
    """JSON with a line per flag and variable, so that a new version shows as a readable difference."""

    def lines(items: list[Any]) -> str:
        return "[\n" + ",\n".join(f"    {json.dumps(item)}" for item in items) + "\n  ]"

    parts = [f"  {json.dumps(key)}: {lines(v) if isinstance(v, list) else json.dumps(v)}" for key, v in table.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    main(Path(sys.argv[-1]))
