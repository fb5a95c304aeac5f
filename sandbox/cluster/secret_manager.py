"""Stands in for Secret Manager as GKE's add-on asks it. Who may read a secret is taken from the stand-in cloud's state.

A person puts the content into a secret, so here every version of every secret holds the same canary.
"""

from pathlib import Path
from typing import Any

import yaml

from sandbox.cluster import layout
from sandbox.project import CANARY_TOKEN

GOOGLE_ACCOUNT = "iam.gke.io/gcp-service-account"
PROVIDER = "gke"

Object = dict[str, Any]


class Denied(Exception):
    """The add-on cannot mount a secret; the message is that of the pod's event."""


def read(provided: Object, account: Object) -> dict[str, str]:
    """The files that a SecretProviderClass gives to pods of a Kubernetes service account: contents by name. Raises
    Denied."""
    if provided["spec"].get("provider") != PROVIDER:
        raise Denied(f"provider {provided['spec'].get('provider')!r} is not installed; GKE's add-on is {PROVIDER!r}")
    member = _member(account)
    files: list[dict[str, str]] = yaml.safe_load(provided["spec"]["parameters"]["secrets"])
    for file in files:
        secret = file["resourceName"].partition("/versions/")[0]
        project = secret.split("/")[1]
        granted = {f"{home}/roles/secretmanager.secretAccessor/{member}" for home in (secret, project)}
        if not granted & _resources().keys():
            raise Denied(
                f"rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied for "
                f"resource '{file['resourceName']}' (or it may not exist)."
            )
    return {file["path"]: CANARY_TOKEN for file in files}


def _member(account: Object) -> str:
    """The member of Google's IAM that pods of a Kubernetes service account are. Raises Denied if they may not be that
    account."""
    metadata = account["metadata"]
    email = metadata.get("annotations", {}).get(GOOGLE_ACCOUNT)
    pool = _cluster().get("workloadIdentityConfig", {}).get("workloadPool")
    own = f"{pool}[{metadata['namespace']}/{metadata['name']}]"
    if email is None:
        return f"serviceAccount:{own}"
    project = email.partition("@")[2].removesuffix(".iam.gserviceaccount.com")
    binding = f"projects/{project}/serviceAccounts/{email}/roles/iam.workloadIdentityUser/serviceAccount:{own}"
    if binding not in _resources():
        raise Denied(
            "rpc error: code = PermissionDenied desc = Permission 'iam.serviceAccounts.getAccessToken' denied on "
            f"resource {email} (or it may not exist)."
        )
    return f"serviceAccount:{email}"


def _cluster() -> Object:
    """The stand-in cloud's record of this control plane's cluster; empty if there is none."""
    name = f"/clusters/{Path.cwd().name}"
    found = [each["outputs"] for id_, each in _resources().items() if id_.endswith(name)]
    return found[0] if found else Object()


def _resources() -> dict[str, Object]:
    cloud: Object | None = layout.read_json(layout.CLOUD)
    return cloud["resources"] if cloud else Object()
