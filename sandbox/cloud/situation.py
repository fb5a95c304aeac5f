"""What a scenario says of Google, Hugging Face and the image registry. In an empty one nothing is wrong."""

from collections.abc import Mapping

from pydantic import Field

from sandbox.rows import Row


class Limit(Row):
    """A limit of the project that replaces the table's."""

    limit: int
    usage: int = 0


class Secret(Row):
    """A secret of Secret Manager: the state of each of its versions."""

    versions: Mapping[str, str] = {"1": "ENABLED"}


class Trouble(Row):
    """A trouble of all requests with `path` in their path: they get this status and body, late or not at all."""

    path: str
    status: int = 503
    body: str = "{}"
    headers: Mapping[str, str] = {}
    seconds: float = 0.0


class Situation(Row):
    """The situation at Google. `denied` are permissions that the caller lacks; `disabled` are services that are off,
    all others are on."""

    denied: tuple[str, ...] = ()
    disabled: tuple[str, ...] = ()
    channels: Mapping[str, tuple[str, ...]] | None = Field(default=None, description="versions of each, newest first")
    missing: tuple[str, ...] = Field(default=(), description="ends of ids of what Google has not after all")
    regional_limits: Mapping[str, Limit] = {}
    project_limits: Mapping[str, Limit] = {}
    cloud_quotas: Mapping[str, int] = Field(
        default={}, description="by the id, or by the family where it is counted by that"
    )
    host: str | None = Field(default=None, description="the Shared VPC host that the project is attached to")
    agents_lack: tuple[str, ...] = Field(default=(), description="roles that no agent of Google's has on the host")
    secrets: Mapping[str, Secret] | None = Field(default=None, description="all there are; None: any that is named")
    missing_images: tuple[str, ...] = ()
    limited_images: tuple[str, ...] = Field(default=(), description="refused for having asked too often")
    pulls_left: int = 100
    missing_models: tuple[str, ...] = ()
    missing_revisions: tuple[str, ...] = ()
    licences_not_accepted: tuple[str, ...] = ()
    token_is_valid: bool = True
    troubles: tuple[Trouble, ...] = ()
