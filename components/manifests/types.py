"""The shapes our manifests share. Tests hold the whole of each manifest against the published schemas."""

from typing import Any, NotRequired, TypedDict


class ObjectMeta(TypedDict):
    name: NotRequired[str]
    """Left out: Pulumi chooses a name."""
    namespace: NotRequired[str]
    labels: NotRequired[dict[str, str]]
    annotations: NotRequired[dict[str, str]]


class Manifest(TypedDict):
    apiVersion: str
    kind: str
    metadata: ObjectMeta
    spec: NotRequired[dict[str, Any]]
    stringData: NotRequired[dict[str, Any]]
    type: NotRequired[str]
    immutable: NotRequired[bool]
    value: NotRequired[int]
    preemptionPolicy: NotRequired[str]
    description: NotRequired[str]


class Toleration(TypedDict):
    key: str
    operator: str
    value: str
    effect: str


class PodTemplate(TypedDict):
    metadata: dict[str, Any]
    spec: dict[str, Any]
