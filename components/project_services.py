"""The Google APIs that a stack needs, enabled before anything uses them."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import projects


@dataclass(frozen=True, kw_only=True)
class ProjectServicesArgs:
    project: str
    services: tuple[str, ...]
    """The names of the services, such as `container.googleapis.com`."""


class ProjectServices(pulumi.ComponentResource):
    """Enables services and leaves them on: other stacks and people of the project use them too."""

    def __init__(self, name: str, args: ProjectServicesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:ProjectServices", name, None, opts)
        self.services = {
            service: projects.Service(
                f"{name}-{service.removesuffix('.googleapis.com')}",
                project=args.project,
                service=service,
                disable_on_destroy=False,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for service in args.services
        }
        self.register_outputs({})
