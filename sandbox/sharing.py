"""Stacks that are built in another stack's stand-in cloud, as several stacks share one project on Google."""

import json
from typing import Any

from sandbox.home import CLOUD_VARIABLE, Home

_CLUSTER = "gcp:container/cluster:Cluster"


class NothingGiven(Exception):
    """The stack joins what another stack owns, and the command does not say in whose cloud that is."""


def require_given(home: Home) -> None:
    """Raises NothingGiven if the stack joins a cluster or a network but has its own, empty cloud."""
    if _joins(home) and not home.shares_cloud:
        raise NothingGiven(
            f"stack {home.stack} joins what another one owns; say in whose cloud that is: "
            f"{'CLOUD' if home.profile.makefile else CLOUD_VARIABLE}= the name of a stack that is up"
        )


def tenants(home: Home) -> list[str]:
    """The other stacks that are up in this one's cloud."""
    if home.shares_cloud:
        return []
    homes = (Home(home.checkout, folder.name, folder, home.profile) for folder in home.folder.parent.glob("*/"))
    return sorted(other.stack for other in homes if other.shares_cloud and other.cloud == home.cloud)


def lend(home: Home, paper: Home) -> None:
    """Copies the cloud that a stack is built in into a cloud on paper, without the resources that the stack made
    itself."""
    require_given(home)
    if not home.shares_cloud:
        return
    own = own_ids(home)
    content: dict[str, Any] = json.loads(home.cloud.read_text(encoding="utf-8"))
    content["resources"] = {id_: record for id_, record in content["resources"].items() if id_ not in own}
    paper.folder.mkdir(parents=True, exist_ok=True)
    paper.cloud.write_text(json.dumps(content), encoding="utf-8")


def clusters(home: Home) -> set[str]:
    """The names of the clusters that the stack made or joined, by the Pulumi engine's own state."""
    return {each["id"].rsplit("/", 1)[-1] for each in _recorded(home) if each["type"] == _CLUSTER and "id" in each}


def _joins(home: Home) -> bool:
    config: dict[str, Any] = home.stack_file().get("config") or {}
    return any("existing" in (config.get(home.profile.key(key)) or {}) for key in home.profile.joins)


def own_ids(home: Home) -> set[str]:
    """The ids of resources that the stack made; those that it only reads are left out."""
    return {each["id"] for each in _recorded(home) if "id" in each and not each.get("external")}


def _recorded(home: Home) -> list[dict[str, Any]]:
    file = home.state / ".pulumi" / "stacks" / home.profile.namespace / f"{home.stack}.json"
    if not file.is_file():
        return []
    latest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}
    return latest.get("resources") or []
