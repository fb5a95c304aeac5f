"""Reads a stack file from disk, without Pulumi and without opening its secrets."""

from pathlib import Path
from typing import Any, cast

import yaml

from config.errors import ConfigurationError, Problem
from config.settings import Settings
from config.validate import NAMESPACE, validate


def stack_names(folder: Path) -> list[str]:
    """The names of the stacks with a stack file in `folder`."""
    return sorted(file.name.split(".")[1] for file in folder.glob("Pulumi.*.yaml"))


def read_stack_file(folder: Path, stack: str) -> Settings:
    """The settings in `folder/Pulumi.<stack>.yaml`.

    Raises ConfigurationError if there is no such file, or if what it says cannot be used.
    """
    path = folder / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = ", ".join(stack_names(folder))
        raise ConfigurationError(stack, [Problem("STACK", "there is no such file", f"Stacks here: {known}")])
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(stack, [Problem("YAML", str(error).replace("\n", " "))]) from None
    if not isinstance(document, dict):
        raise ConfigurationError(stack, [Problem("config", "is missing", "Write a mapping with the key config:")])
    content = cast(dict[str, Any], document)
    if "environment" in content:
        problem = Problem(
            "environment",
            "names an environment of Pulumi Cloud, which is not read here",
            "Write its values in the stack file, or run pulumi preview",
        )
        raise ConfigurationError(stack, [problem])
    config = content.get("config")
    if not isinstance(config, dict):
        raise ConfigurationError(stack, [Problem("config", "is missing", "Write a mapping there")])
    prefix = f"{NAMESPACE}:"
    values = {
        str(key).removeprefix(prefix): _as_pulumi_gives_it(value)
        for key, value in cast(dict[str, Any], config).items()
        if str(key).startswith(prefix)
    }
    secret = frozenset(key for key in values if _is_secret(values[key]))
    return validate(stack, values, secret, to_deploy=False, folder=folder)


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and set(cast(dict[str, Any], value)) == {"secure"}


def _as_pulumi_gives_it(value: Any) -> Any:
    """A value as Pulumi gives it to the program, where each scalar at the top is a string; so a file and a
    configuration are judged alike."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case _:
            return value
