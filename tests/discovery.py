"""Google's discovery documents, as google-api-python-client bundles them: what its REST APIs know.

Documents that the bundle lacks lie beside the tests, with their source.
"""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient

_BUNDLED = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
_OWN = Path(__file__).parent / "discovery_documents"

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@cache
def document(name: str) -> dict[str, Any]:
    """The description of an API and its version, such as compute.v1."""
    own = _OWN / f"{name}.json"
    return json.loads((own if own.is_file() else _BUNDLED / f"{name}.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Method:
    """One method of an API. `pattern` fits what follows the document's base address."""

    id: str
    http: str
    pattern: re.Pattern[str]
    query: frozenset[str]
    request: str | None
    response: str | None
    scopes: frozenset[str]


@cache
def methods(name: str) -> tuple[Method, ...]:
    found: list[Method] = []
    general = document(name).get("parameters", {}).keys()

    def walk(part: dict[str, Any]) -> None:
        for each in part.get("methods", {}).values():
            parameters = each.get("parameters", {})
            path = each.get("flatPath", each["path"])
            parts = re.split(r"\{[^}]+\}", path)
            found.append(
                Method(
                    id=each["id"],
                    http=each["httpMethod"],
                    pattern=re.compile("[^/]+".join(map(re.escape, parts))),
                    query=frozenset(name for name, row in parameters.items() if row["location"] == "query") | general,
                    request=each.get("request", {}).get("$ref"),
                    response=each.get("response", {}).get("$ref"),
                    scopes=frozenset(each.get("scopes", ())),
                )
            )
        for inner in part.get("resources", {}).values():
            walk(inner)

    walk(document(name))
    return tuple(found)


def method(name: str, http: str, path: str) -> Method:
    """The one that such a request calls. Raises LookupError."""
    fitting = [each for each in methods(name) if each.http == http and each.pattern.fullmatch(path)]
    if not fitting:
        raise LookupError(f"{name} has no method {http} {path}")
    # `{name}` of one may fit what another one says word for word.
    return max(fitting, key=lambda each: len(each.pattern.pattern))


def problems(name: str, schema: str, value: Any, path: str = "") -> list[str]:
    """What is not as the schema has it: unknown fields, other types, values that are none of the listed ones."""
    return _problems(name, document(name)["schemas"][schema], value, path or schema)


def _problems(name: str, schema: dict[str, Any], value: Any, path: str) -> list[str]:
    if "$ref" in schema:
        schema = document(name)["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    if kind == "any":
        return []
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{path}: {value!r} is no {kind}"]
    if kind == "array":
        return [each for i, item in enumerate(value) for each in _problems(name, schema["items"], item, f"{path}[{i}]")]
    if kind == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        found: list[str] = []
        for key, item in value.items():
            if key in known:
                found += _problems(name, known[key], item, f"{path}.{key}")
            elif others is not None:
                found += _problems(name, others, item, f"{path}.{key}")
            else:
                found.append(f"{path}.{key}: no such field")
        return found
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is none of {', '.join(schema['enum'])}"]
    if schema.get("format") in ("int64", "uint64") and not re.fullmatch(r"-?\d+", value):
        return [f"{path}: {value!r} is no {schema['format']}"]
    return []
