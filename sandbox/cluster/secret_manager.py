"""Stands in for Secret Manager as GKE's add-on asks it. Who may read a secret is taken from the stand-in cloud's state.

A person puts the content into a secret, so here every version of every secret holds the same canary.
"""

from typing import Any

import yaml

from sandbox.cluster import workload_identity
from sandbox.cluster.workload_identity import Denied
from sandbox.project import CANARY_TOKEN

PROVIDER = "gke"

Object = dict[str, Any]


def read(provided: Object, account: Object) -> dict[str, str]:
    """The files that a SecretProviderClass gives to pods of a Kubernetes service account: contents by name. Raises
    Denied."""
    if provided["spec"].get("provider") != PROVIDER:
        raise Denied(f"provider {provided['spec'].get('provider')!r} is not installed; GKE's add-on is {PROVIDER!r}")
    member = workload_identity.member(account)
    files: list[dict[str, str]] = yaml.safe_load(provided["spec"]["parameters"]["secrets"])
    for file in files:
        secret = file["resourceName"].partition("/versions/")[0]
        project = secret.split("/")[1]
        granted = {f"{home}/roles/secretmanager.secretAccessor/{member}" for home in (secret, project)}
        if not granted & workload_identity.resources().keys():
            raise Denied(
                f"rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied for "
                f"resource '{file['resourceName']}' (or it may not exist)."
            )
    return {file["path"]: CANARY_TOKEN for file in files}
