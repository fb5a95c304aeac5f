"""Reads tables and other YAML files that people write for the sandbox into frozen models that refuse unknown keys."""

from pathlib import Path
from typing import Any, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

# libyaml is ten times as fast; a wheel without it still works.
_LOADER = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_R = TypeVar("_R", bound="Row")


class Row(BaseModel):
    """A model of such a file's content, with camelCase keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class InvalidTable(ValueError):
    """A file is not well formed; the message names it and every mistake in it."""


def load(file: Path) -> Any:
    """The content of a YAML file. Raises InvalidTable if it cannot be read."""
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, yaml.YAMLError) as error:
        raise InvalidTable(f"{file}: {error}") from error


def parse(kind: type[_R], data: Any, where: str) -> _R:
    """The row that the data describes. Raises InvalidTable, with every mistake on a line of its own."""
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise InvalidTable(f"{where}: {error}") from error
