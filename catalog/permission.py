"""What Google's IAM asks of whoever makes each kind of resource."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml


class KindPermissions(Entry):
    """Permissions for one kind, and the narrowest predefined role that has them; a kind may have several rows."""

    kind: str = Field(description="as in a resource's type, such as compute/network; kubernetes: the cluster's objects")
    role: str
    permissions: tuple[str, ...]


@cache
def permissions() -> tuple[KindPermissions, ...]:
    rows = read_yaml(Path(__file__).parent / "permissions.yaml")
    return tuple(KindPermissions.model_validate(row, by_alias=True, by_name=False) for row in rows)
