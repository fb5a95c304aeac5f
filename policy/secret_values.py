"""A rule for secrets: they are only in a Secret, and nowhere else where many people can read them."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from policy.resource_types import CONFIG_MAP, SECRET
from policy.resources import SECRET_MARK, Resource, Stack, containers, strings
from policy.rule import Level, Rule, stack_of

_SHAPES = re.compile(
    r"\bhf_[A-Za-z0-9]{8,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bAIza[0-9A-Za-z_-]{30,}|\bya29\.[\w-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SECRET_NAME = re.compile(r"(?i)(password|passwd|secret|credentials?|private_?key|api_?key|token)$")
_SHORTEST = 8
"""So many characters in two values are not equal by accident."""


def _outside(resource: Resource, _: Stack) -> Iterable[str]:
    if resource.type == SECRET or resource.type.startswith("pulumi:"):
        return
    for path, value in strings(resource.properties):
        if value == SECRET_MARK or _SHAPES.search(value):
            yield f"{path} holds a secret; keep it in a Secret and name that"
    for container in containers(resource):
        for variable in cast(list[Any], container.get("env") or []):
            if not isinstance(variable, Mapping):
                continue
            entry = cast(Mapping[str, Any], variable)
            name, value = str(entry.get("name", "")), entry.get("value")
            if _SECRET_NAME.search(name) and isinstance(value, str) and value and value != SECRET_MARK:
                yield (
                    f"environment variable {name} of {container.get('name')} has its value in plain sight; "
                    "write valueFrom.secretKeyRef"
                )


def _copied(stack: Stack) -> Iterable[tuple[Resource | None, str]]:
    held = {value for resource in stack.resources if resource.type == SECRET for value in _values(resource)}
    for resource in stack.resources:
        if not held or resource.type == SECRET or resource.type.startswith("pulumi:"):
            continue
        for path, text in strings(resource.properties):
            if any(value in text for value in held):
                yield resource, f"{path} repeats the value of a Secret; name the Secret instead"


def _values(secret: Resource) -> Iterable[str]:
    for key in ("stringData", "data"):
        for _, value in strings(secret.get(key)):
            plain = _decoded(value) if key == "data" else value
            for one in {value, plain}:
                if len(one) >= _SHORTEST and one != SECRET_MARK:
                    yield one


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return value


def _config_map(value: str) -> Resource:
    properties = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "example"}, "data": {"key": value}}
    return Resource(type=CONFIG_MAP, name="example", properties=properties)


def _secret(value: str) -> Resource:
    metadata = {"name": "token", "namespace": "example"}
    properties = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}
    return Resource(type=SECRET, name="token", properties=properties)


_VALUE = "correct-horse-battery"

RULES = (
    Rule(
        id="secret-only-in-secret",
        level=Level.MANDATORY,
        reason="Whatever is no Secret is shown in previews, events and by everybody who may read the namespace.",
        check=_outside,
        failing=stack_of(_config_map("hf_" + 3 * "Example0")),
        passing=stack_of(_config_map("google/gemma-3-1b-it"), _secret("hf_" + 3 * "Example0")),
    ),
    Rule(
        id="secret-not-copied",
        level=Level.MANDATORY,
        reason="A copy of a secret stays readable when the Secret is guarded, and stays valid when it is rotated.",
        check_stack=_copied,
        failing=stack_of(_secret(_VALUE), _config_map(f"password={_VALUE}")),
        passing=stack_of(_secret(_VALUE), _config_map("password from the Secret")),
    ),
)
