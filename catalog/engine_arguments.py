"""What the command line of a vLLM release may hold: its flags, their values and its environment variables.

The tables in `engine_arguments/` are generated from vLLM's own parser. This reads a command line as that parser does,
except where it is stricter on purpose: names are written out, words that only a plugin could explain are refused, and
the model comes first.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

from pydantic import Field, ValidationError

from catalog._entry import Entry, InvalidEntry

_FOLDER = Path(__file__).parent / "engine_arguments"

_SIZE = re.compile(r"(?P<digits>\d+)(?P<fraction>\.\d+)?(?P<unit>[kmgtKMGT])")
_NEGATIVE_NUMBER = re.compile(r"-\d+|-\d*\.\d+")
_OPTIMIZATION_LEVEL = re.compile(r"-O=?(?P<level>.+)")

# What vLLM looks at after parsing, before it loads anything: a flag that is useless without another.
_NEEDS = {"--enable-auto-tool-choice": "--tool-call-parser", "--enable-log-outputs": "--enable-log-requests"}

# Flags that older guides still show, and what does their work now.
GONE = {
    "--cuda-graph-sizes": "use --cudagraph-capture-sizes",
    "--disable-mm-preprocessor-cache": "use --mm-processor-cache-gb 0",
    "--enable-reasoning": "--reasoning-parser turns reasoning on by itself",
    "--guided-decoding-backend": "use --structured-outputs-config.backend",
    "--max-seq-len-to-capture": "use --max-cudagraph-capture-size",
    "--num-scheduler-steps": "--async-scheduling replaced it and is on where it can be",
    "--num-speculative-tokens": "use --spec-tokens",
    "--override-pooler-config": "use --pooler-config",
    "--rope-scaling": "use --hf-overrides",
    "--rope-theta": "use --hf-overrides",
    "--speculative-model": "use --spec-model",
    "--swap-space": "preempted requests are computed again; --kv-offloading-size keeps KV blocks in the host's memory",
    "--task": "use --runner and --convert",
    "--worker-use-ray": "use --distributed-executor-backend ray",
}

Scalar = bool | int | float | str


class Values(StrEnum):
    """How many words follow a flag."""

    NONE = "none"
    ONE = "one"
    OPTIONAL = "optional"
    SEVERAL = "several"


class Takes(StrEnum):
    """What each of those words must be."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    SIZE = "size"  # an integer, or one like 16k or 2M
    SIZE_OR_AUTO = "sizeOrAuto"
    JSON = "json"
    TEXT_OR_JSON = "textOrJson"
    ADAPTER = "adapter"  # name=path, or JSON


class Flag(Entry):
    """One flag of `vllm serve`."""

    names: tuple[str, ...]
    negations: tuple[str, ...] = Field(default=(), description="names that set the opposite")
    values: Values = Values.ONE
    takes: Takes = Takes.TEXT
    may_be_unset: bool = Field(default=False, description='"" and "None" stand for no value')
    choices: tuple[Scalar, ...] = Field(default=(), description="empty: any")
    extensible: bool = Field(default=False, description="the parser takes other words too, for plugins")
    keys: tuple[str, ...] = Field(default=(), description="legal keys of a JSON value; empty: any")
    default: Scalar | tuple[Scalar, ...] | None = Field(default=None, description="None: none, or vLLM decides later")
    deprecated: bool = False

    @property
    def name(self) -> str:
        """The long name."""
        return next(name for name in self.names if name.startswith("--"))

    def problem_with(self, value: str) -> str | None:
        """Why the value cannot follow the flag; None if it can."""
        if self.may_be_unset and value in ("", "None"):
            return None
        if wrong := _wrong_kind(self.takes, value):
            return f"{self.name} needs {wrong}, not {value!r}"
        if self.choices and (int(value) if self.takes is Takes.INTEGER else value) not in self.choices:
            legal = [str(choice) for choice in self.choices]
            which = _nearest(value, legal) or ("one of " + ", ".join(legal))
            late = " (the parser lets it through, the server then fails)" if self.extensible else ""
            return f"{self.name} does not know {value!r}{late}; use {which}"
        if self.keys and (self.takes is not Takes.ADAPTER or value.lstrip().startswith("{")):
            return self._problem_with_object(json.loads(value))
        return None

    def problem_with_key(self, key: str) -> str | None:
        """Why a JSON value of this flag cannot have that key; None if it can."""
        if not self.keys or key in self.keys:
            return None
        return f"{self.name} has no key {key!r}; use {_nearest(key, self.keys) or 'one of ' + ', '.join(self.keys)}"

    def _problem_with_object(self, value: object) -> str | None:
        if not isinstance(value, dict):
            return f"{self.name} needs a JSON object, not {json.dumps(value)}"
        return next(filter(None, map(self.problem_with_key, cast(dict[str, Any], value))), None)


class FlagTable(Entry):
    """Every flag of `vllm serve` and every VLLM_ variable of one release."""

    generated: str = Field(description="from what and how")
    version: str
    flags: tuple[Flag, ...]
    environment_variables: frozenset[str]

    @cached_property
    def by_name(self) -> dict[str, Flag]:
        """Each flag by each of its names, negations too."""
        return {name: flag for flag in self.flags for name in (*flag.names, *flag.negations)}

    def check(self, arguments: Sequence[str]) -> list[str]:
        """What is wrong with a whole command line, given what follows `vllm serve`: the model, then flags."""
        if not arguments or arguments[0].startswith("-"):
            return ["the model comes first: vllm serve MODEL --flag ...", *self.check_flags(arguments)]
        problems = self.check_flags(arguments[1:])
        names = {_split(word)[0] for word in arguments[1:]}
        lacking = [(flag, needed) for flag, needed in _NEEDS.items() if flag in names and needed not in names]
        return problems + [f"{flag} needs {needed}" for flag, needed in lacking]

    def check_flags(self, arguments: Sequence[str]) -> list[str]:
        """What is wrong with a part of a command line that holds flags and their values only."""
        return list(_Reader(self, arguments).problems())


@cache
def flag_table(version: str) -> FlagTable:
    """The table of that vLLM release. Raises KeyError if there is none, InvalidEntry if its file is wrong."""
    file = _FOLDER / f"{version}.json"
    if not file.exists():
        raise KeyError(version)
    try:
        return FlagTable.model_validate_json(file.read_bytes(), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidEntry(f"{_FOLDER.name}/{file.name}: {error}") from error


class _Reader:
    """Walks along one command line, once."""

    def __init__(self, table: FlagTable, arguments: Sequence[str]) -> None:
        self._table = table
        self._words = list(arguments)

    def problems(self) -> Iterator[str]:
        while self._words:
            word = self._words.pop(0)
            if not self._is_flag(word):
                yield f"{word!r} belongs to no flag"
                continue
            name, value = _split(word)
            if name == "-O" and self._words[:1]:
                name, value = "--optimization-level", self._words.pop(0)
            if "." in name:
                yield from self._read_key(name, value)
            elif name == "--config":
                yield "--config reads more arguments from a file, which nothing could check: write them out"
                self._values()
            elif name == "--model":
                yield "--model is given as the first word, without a flag"
                self._values()
            elif flag := self._table.by_name.get(name):
                yield from self._read_flag(flag, name, value)
            else:
                yield self._unknown(name)
                self._values()

    def _read_flag(self, flag: Flag, name: str, value: str | None) -> Iterator[str]:
        if flag.values is Values.NONE:
            if value is not None:
                yield f"{name} takes no value; got {value!r}"
            return
        values = self._values(flag.values) if value is None else [value]
        if not values and flag.values is not Values.OPTIONAL:
            yield f"{name} needs a value"
        yield from filter(None, map(flag.problem_with, values))

    def _read_key(self, name: str, value: str | None) -> Iterator[str]:
        """`--flag.key value`: a part of a JSON value by itself."""
        base, *keys = name.removesuffix("+").split(".")
        flag = self._table.by_name.get(base)
        if value is None and not self._words:
            yield f"{name} needs a value"
        elif value is None:
            self._words.pop(0)
        if flag is None:
            yield self._unknown(base)
        elif flag.takes not in (Takes.JSON, Takes.TEXT_OR_JSON):
            yield f"{base} has no keys: its value is not JSON"
        elif problem := flag.problem_with_key(keys[0]):
            yield problem

    def _values(self, count: Values = Values.SEVERAL) -> list[str]:
        """Takes the words that follow, as many as may belong to a flag."""
        end = next((i for i, word in enumerate(self._words) if self._is_flag(word)), len(self._words))
        if count is not Values.SEVERAL:
            end = min(end, 1)
        taken, self._words = self._words[:end], self._words[end:]
        return taken

    def _is_flag(self, word: str) -> bool:
        if len(word) < 2 or not word.startswith("-"):
            return False
        if _split(word)[0] in self._table.by_name or "." in word:  # vLLM takes -0.5 for the key 5 of a flag -0
            return True
        return " " not in word and not _NEGATIVE_NUMBER.fullmatch(word)

    def _unknown(self, name: str) -> str:
        sentence = f"{name} is no flag of vLLM {self._table.version}"
        if name in GONE:
            return f"{sentence}: {GONE[name]}"
        near = _nearest(name, [known for known in self._table.by_name if known.startswith("--")])
        return f"{sentence}; did you mean {near}?" if near else sentence


def _split(word: str) -> tuple[str, str | None]:
    """A flag's name as vLLM spells it, and the value that is written in the same word."""
    if level := _OPTIMIZATION_LEVEL.fullmatch(word):
        return "--optimization-level", level["level"]
    name, sign, value = word.partition("=")
    if name.startswith("--"):
        base, dot, keys = name.partition(".")
        name = base.replace("_", "-") + dot + keys
    return name, value if sign else None


def _wrong_kind(takes: Takes, value: str) -> str | None:
    """What is needed instead of the value; None if it is of the right kind."""
    match takes:
        case Takes.TEXT:
            return None
        case Takes.INTEGER:
            return None if _converts(int, value) else "an integer"
        case Takes.NUMBER:
            return None if _converts(float, value) else "a number"
        case Takes.SIZE:
            return None if _is_size(value) else "an integer, or one like 16k or 2M"
        case Takes.SIZE_OR_AUTO:
            return None if value.strip().lower() == "auto" or _is_size(value) else "an integer, one like 16k, or auto"
        case Takes.JSON:
            return None if _converts(json.loads, value) else "JSON"
        case Takes.TEXT_OR_JSON:
            text = value.strip()
            braces = text.startswith("{") and text.endswith("}")
            return None if not braces or _converts(json.loads, value) else "text or JSON"
        case Takes.ADAPTER:
            pair = "=" in value and "," not in value
            return None if pair or _is_object(value) else "name=path or a JSON object"


def _is_size(value: str) -> bool:
    size = _SIZE.fullmatch(value.strip())
    if size is None:
        return _converts(int, value)
    # 1.5k is 1500; a binary unit (K = 1024) takes whole numbers only.
    return size["fraction"] is None or size["unit"].islower()


def _converts(convert: Any, value: str) -> bool:
    try:
        convert(value)
    except ValueError:
        return False
    return True


def _is_object(value: str) -> bool:
    return _converts(json.loads, value) and isinstance(json.loads(value), dict)


def _nearest(word: str, legal: Iterable[str]) -> str | None:
    """The legal words that were probably meant, as part of a sentence; None if nothing is near."""
    spellings = {one.lower(): one for one in legal}
    begun = [one for one in spellings if one.startswith(word.lower())][:3]
    near = begun or difflib.get_close_matches(word.lower(), spellings, n=2, cutoff=0.8)
    return " or ".join(spellings[one] for one in near) or None
