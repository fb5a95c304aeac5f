"""What every catalogue entry has in common: frozen types, strict keys, one YAML file an entry.

Keys are camelCase, as in a stack file, so that an entry can be copied into one.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel


class Entry(BaseModel):
    """A frozen value that refuses keys it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        # A validator is built when its first entry is read; most are never asked for in one run.
        defer_build=True,
    )


def said(error: Exception) -> str:
    """On one line: of a wrong entry each key and what is wrong with it."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'as a whole'}: {problem['msg']}" for problem in problems)


class InvalidEntry(ValueError):
    """A catalogue file does not describe what its folder holds; the message names the file."""


E = TypeVar("E", bound=Entry)

_loader = cast(Any, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Entries(Mapping[str, E], Generic[E]):
    """The entries of one folder by name; a file is read when its entry is first asked for.

    The entry `google/gemma-3-1b-it` lives in `google--gemma-3-1b-it.yaml`.
    """

    def __init__(self, folder: Path, kind: type[E]) -> None:
        self._folder = folder
        self._kind = kind
        self._loaded: dict[str, E] = {}

    @cached_property
    def _files(self) -> dict[str, Path]:
        return {file.stem.replace("--", "/"): file for file in sorted(self._folder.glob("*.yaml"))}

    def __getitem__(self, name: str) -> E:
        """The entry of that name. Raises KeyError if there is none, InvalidEntry if its file is wrong."""
        if name not in self._loaded:
            file = self._files[name]
            try:
                data = yaml.load(file.read_text(encoding="utf-8"), Loader=_loader)
                self._loaded[name] = self._kind.model_validate(data, by_alias=True, by_name=False)
            except (yaml.YAMLError, ValidationError) as error:
                raise InvalidEntry(f"{self._folder.name}/{file.name}: {said(error)}") from error
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
