"""Finds what a stack file says to vLLM that its own code was not asked about, and that no formula counts."""

from collections.abc import Iterator
from itertools import zip_longest

from catalog import Model, VllmRelease
from catalog.engine_arguments import FlagTable, flag_table
from catalog.recorded_flags import recorded_flags
from config.engine import EngineSettings
from planning.serving.arguments import engine_words
from planning.serving.owned_arguments import canonical

_COUNTED = frozenset({"lora", "speculative"})
"""Fields that the shape's own settings say: a record is asked for with them, or is not read."""
_BLOCK_SIZE = "--block-size"


def unasked_flags(engine: EngineSettings, model: Model, release: VllmRelease) -> tuple[str, ...]:
    """Flags that may change the model's weights or the blocks of its cache, in vLLM's own spelling."""
    flags = recorded_flags()
    found = {name for name, value in _flags(engine, release) if flags.may_change(name, value, model)}
    return tuple(sorted(found))


def block_size(engine: EngineSettings, release: VllmRelease) -> int | None:
    """Tokens of one block of the cache, where the stack file says it."""
    for name, value in _flags(engine, release):
        if name == _BLOCK_SIZE and value is not None and value.isdecimal() and int(value) > 0:
            return int(value)
    return None


def _flags(engine: EngineSettings, release: VllmRelease) -> Iterator[tuple[str, str | None]]:
    """Each flag with the word after it; none of a release whose flags are not known, and which was never asked."""
    try:
        table = flag_table(release.version)
    except KeyError:
        return
    words = [word for field, said in engine_words(engine) if field not in _COUNTED for word in said]
    words += engine.extra_args
    for word, following in zip_longest(words, words[1:]):
        if word.startswith("-") and not word[1:2].isdigit():
            inline = word.partition("=")[2]
            yield _positive(canonical(word, table), table), inline or following


def _positive(name: str, table: FlagTable) -> str:
    """The flag of which `--no-` is the opposite."""
    plain = f"--{name.removeprefix('--no-')}"
    return plain if name.startswith("--no-") and plain in table.by_name else name
