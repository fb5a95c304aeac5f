"""How a pod gets the Hugging Face token: as a volume with one file, from a Secret or from Secret Manager."""

from dataclasses import dataclass
from typing import Any

import pulumi
import yaml

from components.manifests.types import Manifest
from planning.plan import SecretManagerSecret

TOKEN_KEY = "token"
TOKEN_FOLDER = "/var/run/secrets/huggingface"
"""Folder of a container in which that file is."""
REVISION = "inference-platform/token-revision"
"""The annotation of the pods with the token's revision; a new token is a new revision, and so replaces the servers'
pods."""

_DRIVER = "secrets-store-gke.csi.k8s.io"


@dataclass(frozen=True, kw_only=True)
class TokenSource:
    """The part of a pod template about the token; it never holds the token itself."""

    volume: dict[str, Any]
    """The volume, without its name."""
    revision: pulumi.Input[str]
    service_account: str | None
    """The Kubernetes service account that may read it; None: every pod in the namespace may."""


def secret(label: str, namespace: str, token: pulumi.Output[str]) -> Manifest:
    """The Secret. It has no name, so that a new token makes a new object beside this one, and servers change to it one
    by one."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "labels": _labels(label)},
        "type": "Opaque",
        "immutable": True,
        "stringData": {TOKEN_KEY: token},
    }


def from_secret(name: pulumi.Input[str]) -> TokenSource:
    # Only its name tells one token from another: a digest would let somebody test guesses.
    volume = {"secret": {"secretName": name, "defaultMode": 0o440}}
    return TokenSource(volume=volume, revision=name, service_account=None)


def from_secret_manager(name: str, secret: SecretManagerSecret) -> TokenSource:
    """A token that GKE's add-on mounts with the rights of the pod's own account."""
    return TokenSource(
        volume={"csi": {"driver": _DRIVER, "readOnly": True, "volumeAttributes": {"secretProviderClass": name}}},
        revision=secret.version,
        service_account=secret.service_account,
    )


def provider_class(name: str, namespace: str, secret: SecretManagerSecret, project: str) -> Manifest:
    """The SecretProviderClass: it names the secret's version and the file for its content."""
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
