"""How a pod is given the Hugging Face token: a volume with one file, from a Secret or from Secret Manager."""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components.manifests.types import Manifest
from planning.plan import SecretManagerSecret

TOKEN_KEY = "token"
REVISION = "inference-platform/token-revision"
"""Annotation of the pods; another token is another revision, and so rolls the servers."""

_DRIVER = "secrets-store-gke.csi.k8s.io"


@dataclass(frozen=True, kw_only=True)
class TokenSource:
    """What a pod template says of the token; never the token."""

    volume: dict[str, Any]
    """Without its name."""
    revision: pulumi.Input[str]
    service_account: str | None
    """As which the pod may read it; None: whoever is in the namespace may."""


def secret(label: str, namespace: str, token: pulumi.Output[str]) -> Manifest:
    """Without a name, so that another token is another object beside this one, to which servers roll one by one."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "labels": _labels(label)},
        "type": "Opaque",
        "immutable": True,
        "stringData": {TOKEN_KEY: token},
    }


def from_secret(name: pulumi.Input[str]) -> TokenSource:
    # Its name is all that tells one token from another: of any digest of it somebody could try a guess.
    volume = {"secret": {"secretName": name, "defaultMode": 0o440}}
    return TokenSource(volume=volume, revision=name, service_account=None)


def from_secret_manager(name: str, secret: SecretManagerSecret) -> TokenSource:
    """Mounted by GKE's add-on as the pod's own account."""
    return TokenSource(
        volume={"csi": {"driver": _DRIVER, "readOnly": True, "volumeAttributes": {"secretProviderClass": name}}},
        revision=secret.version,
        service_account=secret.service_account,
    )


def provider_class(name: str, namespace: str, secret: SecretManagerSecret, project: str) -> Manifest:
    """Names the secret's version, and the file that it becomes."""
    resource = f"projects/{secret.project or project}/secrets/{secret.secret}/versions/{secret.version}"
    files = yaml.safe_dump([{"resourceName": resource, "path": TOKEN_KEY}])
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(name)},
        "spec": {"provider": "gke", "parameters": {"secrets": files}},
    }


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name}
