"""Writes the Pulumi engine's events in the form of `pulumi preview --event-log FILE`.

So a reader of such a file need not know whether the Pulumi engine ran here or in a pipeline against Google.
"""

import json
import re
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, cast

from pulumi.automation import EngineEvent


class OnEvent(Protocol):
    def __call__(self, event: EngineEvent) -> None: ...


@contextmanager
def event_log(file: Path, wanted: Callable[[EngineEvent], bool] = lambda _: True) -> Generator[OnEvent]:
    """A listener for the Pulumi engine's events. Those that are `wanted` are in `file` when the context ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8") as lines:

        def write(event: EngineEvent) -> None:
            if not wanted(event):
                return
            lines.write(json.dumps(as_logged(event), ensure_ascii=False, separators=(",", ":")) + "\n")

        yield write


def as_logged(value: Any) -> Any:
    """The SDK's objects with Pulumi's own field names; fields that are None are left out, as Pulumi does."""
    match value:
        case Enum():
            return value.value
        case str() | int() | float() | bool() | None:
            return value
        case Mapping():
            mapping = cast(Mapping[Any, Any], value)
            return {str(as_logged(key)): as_logged(item) for key, item in mapping.items()}
        case list() | tuple():
            return [as_logged(item) for item in cast(list[Any], value)]
        case _:
            fields = cast(dict[str, Any], vars(value))
            return {_camel(key): as_logged(item) for key, item in fields.items() if item is not None}


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match.group(1).upper(), name)
