"""Reports a wrong stack file as one error: it names each key path, what is wrong, and what to write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from catalog import CapacityKind
from catalog.cold_start import WeightSource


@dataclass(frozen=True)
class Problem:
    """One mistake. `path` is the key path in the stack file, `advice` is what to write instead."""

    path: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" + (f". {self.advice}" if self.advice else "")


class ConfigurationError(ValueError):
    """A stack's configuration cannot be used. Its text is fit for a person, and holds no value of a secret."""

    def __init__(self, stack: str, problems: Sequence[Problem]) -> None:
        self.stack = stack
        self.problems = tuple(problems)
        lines = [f"Pulumi.{stack}.yaml cannot be used:", *(f"  {problem}" for problem in problems)]
        super().__init__("\n".join(lines))


def key_path(namespace: str, location: Iterable[int | str]) -> str:
    """The key path as a person finds it in the stack file, such as `inference-platform:nodePools[0].zone`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return f"{namespace}:{path}"


def problems_of(error: ValidationError, settings: type[BaseModel], namespace: str) -> list[Problem]:
    """The problems that pydantic found, in the words of the stack file."""
    return [_problem(details, settings, namespace) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, settings: type[BaseModel], namespace: str) -> Problem:
    location = _without_union_tags(details["loc"])
    path = key_path(namespace, location)
    context: Mapping[str, Any] = details.get("ctx", {})
    match details["type"]:
        case "missing":
            field = str(location[-1])
            return Problem(path, "is missing", _how_to_set(namespace, location, field))
        case "extra_forbidden":
            legal = _legal_keys(settings, location[:-1])
            near = get_close_matches(str(location[-1]), legal, n=1)
            advice = f"Did you mean {near[0]}?" if near else f"Legal keys here: {', '.join(legal)}"
            return Problem(path, "is no key of a stack file", advice)
        case "string_pattern_mismatch":
            return Problem(path, f"{quoted(details['input'])} is not of the form {context['pattern']}", _example(path))
        case "union_tag_invalid" | "union_tag_not_found":
            kinds = ", ".join(f"'{kind}'" for kind in _TAGS.get(str(location[-1]), ()))
            legal = context.get("expected_tags", kinds or "the kinds of its type")
            return Problem(f"{path}.kind", "is missing or unknown", f"Write one of {legal}")
        case "model_type" | "model_attributes_type" | "dict_type":
            return Problem(path, f"must be a mapping of keys{_instead(details['input'])}")
        case "tuple_type" | "list_type":
            return Problem(path, f"must be a list{_instead(details['input'])}")
        case _:
            message = details["msg"].removeprefix("Value error, ")
            return Problem(path, f"{message[:1].lower()}{message[1:]}{_instead(details['input'])}")


_QUOTED = 80
"""Characters of a value that a message repeats."""


def quoted(value: object) -> str:
    """A value of a stack file as a message repeats it: in quotes, without what a terminal would obey, and cut."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}… ({len(text)} characters)"


def _instead(value: object) -> str:
    return "" if isinstance(value, dict | list | BaseModel) else f", not {quoted(value)}"


_EXAMPLES = {
    "project": "Write a project id such as acme-inference: 6 to 30 lower-case letters, digits and hyphens",
    "region": "Write a region such as us-central1",
    "zone": "Write a zone such as us-central1-b",
    "model": "Write a Hugging Face id such as google/gemma-3-1b-it",
}


def _example(path: str) -> str:
    return _EXAMPLES.get(
        path.replace(":", ".").rsplit(".", 1)[-1],
        "Write lower-case letters, digits and hyphens, starting with a letter",
    )


def _how_to_set(namespace: str, location: Sequence[int | str], field: str) -> str:
    if len(location) == 1 and field == "project":
        return f"Set it with: pulumi config set {namespace}:project <your Google Cloud project id>"
    return _EXAMPLES.get(field, f"Write {field}: … there")


def _without_union_tags(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """pydantic adds the tag of a discriminated union to the path; the stack file has no such key."""
    return tuple(
        part
        for index, part in enumerate(location)
        if not (index > 0 and part in _TAGS.get(str(location[index - 1]), ()))
    )


_TAGS: Mapping[str, tuple[str, ...]] = {"capacity": tuple(CapacityKind), "weights": tuple(WeightSource)}
"""The tags of the discriminated unions, by the key that one stands under."""


def _legal_keys(settings: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    schema = settings.model_json_schema(by_alias=True)
    definitions = cast(_Schema, schema.get("$defs", {}))
    here = schema
    for part in location:
        here = _resolve(here, definitions)
        inner = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        here = cast(_Schema, inner or {})
    return sorted(_resolve(here, definitions).get("properties", {}))


_Schema = dict[str, Any]


def _resolve(schema: _Schema, definitions: _Schema) -> _Schema:
    """Follows references, and looks into the first alternative that is not null, or into all of a discriminated
    union."""
    while True:
        options = cast(list[_Schema], schema.get("anyOf") or [])
        if "$ref" in schema:
            schema = definitions[str(schema["$ref"]).rsplit("/", 1)[-1]]
        elif "oneOf" in schema:
            kinds = [_resolve(option, definitions) for option in cast(list[_Schema], schema["oneOf"])]
            return {"properties": {key: value for kind in kinds for key, value in kind.get("properties", {}).items()}}
        elif options:
            schema = next(option for option in options if option.get("type") != "null")
        else:
            return schema
