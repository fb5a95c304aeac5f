"""The part of a stack file about where container images come from."""

import re
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from config.intent import Intent

REPOSITORY = (
    r"^(?P<location>[a-z]+(-[a-z]+[0-9]+)?)-docker\.pkg\.dev/(?P<project>([a-z0-9.-]+\.[a-z]+/)?[a-z][-a-z0-9]{4,28}[a-z0-9])/"
    r"(?P<name>[a-z]([-a-z0-9]{0,61}[a-z0-9])?)$"
)
"""The address of a Docker repository of Artifact Registry."""


class Repository(NamedTuple):
    """The parts of such an address."""

    location: str
    project: str
    name: str


class MirrorSettings(Intent):
    """The remote repository of Artifact Registry that stands before Docker Hub."""

    existing: Annotated[
        str | None,
        StringConstraints(pattern=REPOSITORY),
        Field(
            description="address of one that is there, for several stacks; default: one of the stack's own",
            examples=["us-central1-docker.pkg.dev/acme-models/docker-hub"],
        ),
    ] = None

    @property
    def repository(self) -> Repository | None:
        """The repository that is there; None: the stack has one of its own."""
        said = re.match(REPOSITORY, self.existing or "")
        return Repository(said["location"], said["project"], said["name"]) if said else None


class ImageSettings(Intent):
    """Where container images come from."""

    mirror: Annotated[
        MirrorSettings | None,
        Field(
            description="{} pulls images of Docker Hub through Artifact Registry, which keeps them: Docker Hub counts "
            "pulls by address, and all nodes behind one NAT have the same; default: from Docker Hub itself"
        ),
    ] = None
    pre_pull: Annotated[
        bool,
        Field(
            description="a DaemonSet pulls the servers' images onto the nodes of their pools, and an update changes a "
            "server only when its new image is there; not on pools with imageStreaming"
        ),
    ] = False
