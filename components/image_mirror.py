"""The remote repository of Artifact Registry in front of Docker Hub."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry

from components.faces import StackContext
from planning.plan import ImageMirrorPlan


@dataclass(frozen=True, kw_only=True)
class ImageMirrorArgs:
    plan: ImageMirrorPlan
    stack: StackContext


class ImageMirror(pulumi.ComponentResource):
    """Gets an image of Docker Hub when a node first asks for it, and keeps it for the others. Nodes read it by their
    account's role in the project."""

    def __init__(self, name: str, args: ImageMirrorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ImageMirror", name, None, opts)
        plan = args.plan
        self.repository = artifactregistry.Repository(
            f"{name}-repository",
            repository_id=plan.name,
            location=plan.location,
            description="Images of Docker Hub, as nodes ask for them",
            format="DOCKER",
            mode="REMOTE_REPOSITORY",
            remote_repository_config={"docker_repository": {"public_repository": "DOCKER_HUB"}},
            cleanup_policies=[
                {"id": "old", "action": "DELETE", "condition": {"older_than": f"{plan.keep_days * 86400}s"}}
            ],
            labels=args.stack.labels,
            # The API must be enabled before its first resource, and no value of the graph says so.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.stack.services], delete_before_replace=True),
        )
        self.register_outputs({})
