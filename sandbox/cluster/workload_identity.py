"""Which members of Google's IAM a pod is, and what they are granted, by the stand-in cloud's state."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.cluster import layout

GOOGLE_ACCOUNT = "iam.gke.io/gcp-service-account"

Object = dict[str, Any]

# The one condition that is understood: names that begin so. Any other grants nothing.
_BEGINS = re.compile(r"""resource\.name\.startsWith\((['"])(?P<start>[^'"]+)\1\)""")


class Denied(Exception):
    """Google refuses; the message is Google's."""


def member(account: Object) -> str:
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
    if binding not in resources():
        raise Denied(
            "rpc error: code = PermissionDenied desc = Permission 'iam.serviceAccounts.getAccessToken' denied on "
            f"resource {email} (or it may not exist)."
        )
    return f"serviceAccount:{email}"


def roles(member: str, homes: tuple[str, ...], name: str) -> Iterator[str]:
    """The roles that a member has by the policies of these homes (`b/BUCKET`, a project's id) on the resource of that
    name (`projects/_/buckets/BUCKET/objects/NAME`)."""
    for id_, each in resources().items():
        home = next((home for home in homes if id_.startswith(f"{home}/roles/")), None)
        if home is None or each["inputs"].get("member") != member:
            continue
        condition = each["inputs"].get("condition")
        begins = _BEGINS.fullmatch(condition["expression"].strip()) if condition else None
        if condition is None or (begins and name.startswith(begins["start"])):
            yield each["inputs"]["role"]


def resources() -> dict[str, Object]:
    """The records of the stand-in cloud by their ids; none where the control plane belongs to no cloud."""
    cloud: Object | None = layout.read_json(layout.CLOUD)
    return cloud["resources"] if cloud else Object()


def _cluster() -> Object:
    """The stand-in cloud's record of this control plane's cluster; empty if there is none."""
    name = f"/clusters/{Path.cwd().name}"
    found = [each["outputs"] for id_, each in resources().items() if id_.endswith(name)]
    return found[0] if found else Object()


def project() -> str:
    """The Google Cloud project of this control plane's cluster."""
    return _cluster().get("project", "")
