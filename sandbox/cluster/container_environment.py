"""What a container's process is given: its variables, and its words with them, as a kubelet makes both."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from sandbox.cluster import pods
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pods import Pod

_REFERENCE = re.compile(r"\$\((\w+)\)")
_FIELD = re.compile(r"metadata\.(annotations|labels)\['(.+)'\]")

Values = dict[str, str]


class Unresolved(Exception):
    """A variable comes from something that is not there; the message is a kubelet's."""


async def environment(api: AsyncApi, pod: Pod, container: dict[str, Any]) -> Values:
    """The container's variables. Raises Unresolved."""
    found: Values = {}
    for source in container.get("envFrom", []):
        reference: dict[str, Any] = source.get("secretRef") or source.get("configMapRef") or {}
        values = await _values(api, pod, "secretRef" in source, reference)
        found |= {f"{source.get('prefix', '')}{key}": value for key, value in (values or {}).items()}
    for variable in container.get("env", []):
        value = await _value(api, pod, variable, found)
        if value is not None:
            found[variable["name"]] = value
    return found


def words(container: dict[str, Any], variables: Mapping[str, str]) -> list[str]:
    """The container's command line."""
    return [_expanded(word, variables) for word in pods.command_line(container)]


async def _value(api: AsyncApi, pod: Pod, variable: dict[str, Any], found: Values) -> str | None:
    """The value of a variable; None if it comes from something that is not there and need not be."""
    source: dict[str, Any] = variable.get("valueFrom", {})
    if not source:
        return _expanded(variable.get("value", ""), found)
    if field := source.get("fieldRef"):
        return _field(pod, field["fieldPath"])
    reference: dict[str, Any] = source.get("secretKeyRef") or source.get("configMapKeyRef") or {}
    if not reference:
        raise Unresolved(f"the sandbox knows no source of variables like {', '.join(source)}")
    values = await _values(api, pod, "secretKeyRef" in source, reference)
    if values is not None and reference["key"] in values:
        return values[reference["key"]]
    if reference.get("optional"):
        return None
    kind = "Secret" if "secretKeyRef" in source else "ConfigMap"
    place = f"{pod['metadata']['namespace']}/{reference['name']}"
    raise Unresolved(f"couldn't find key {reference['key']} in {kind} {place}")


async def _values(api: AsyncApi, pod: Pod, secret: bool, reference: dict[str, Any]) -> Values | None:
    """All values of a Secret or a ConfigMap; None if there is none, and there need not be."""
    kind = "secret" if secret else "configmap"
    held = await api.find(f"/api/v1/namespaces/{pod['metadata']['namespace']}/{kind}s/{reference['name']}")
    if held is None:
        if reference.get("optional"):
            return None
        raise Unresolved(f'{kind} "{reference["name"]}" not found')
    data: Values = held.get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()} if secret else data


def _field(pod: Pod, path: str) -> str:
    if field := _FIELD.fullmatch(path):
        return pod["metadata"].get(field[1], {}).get(field[2], "")
    part, _, name = path.partition(".")
    return str(pod.get(part, {}).get(name, ""))


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """The text with each known `$(NAME)` replaced, as Kubernetes does it."""
    return _REFERENCE.sub(lambda match: variables.get(match[1], match[0]), text)
