"""Functions that read resources that somebody else owns."""

from collections.abc import Callable
from typing import TypeVar

import pulumi

T = TypeVar("T")
U = TypeVar("U")


def said(output: pulumi.Output[T], of: Callable[[T | None], U]) -> pulumi.Output[U]:
    """A part of Google's answer; `of` gets None where Google says nothing. In a preview the Pulumi engine would treat a
    missing part as unknown, and no check would see it."""

    async def read() -> U:
        return of(await output.future())

    return pulumi.Output.from_input(read())


def name_of(spelling: str) -> str:
    """The name at the end of an id, a path or a link."""
    return spelling.rsplit("/", 1)[-1]
