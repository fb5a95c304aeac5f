"""Reads a stack file from disk, without Pulumi and without opening its secrets."""

from pathlib import Path
from typing import Any, NoReturn, cast

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
        document: Any = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(stack, [Problem("YAML", " ".join(str(error).split()))]) from None
    except RecursionError:
        raise ConfigurationError(stack, [Problem("YAML", "is nested too deeply to be read")]) from None
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


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, as Pulumi's own reader does; YAML's would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value} stands twice in one mapping", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


_MERGE = "tag:yaml.org,2002:merge"


def _refuse_bytes(loader: _Loader, node: yaml.Node) -> NoReturn:
    """Bytes are no value of a configuration, and must not pass for the text that they might be."""
    raise yaml.constructor.ConstructorError(None, None, "binary data is no value here", node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:binary", _refuse_bytes)


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
