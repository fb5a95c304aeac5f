"""The part of the plan about where container images come from."""

from catalog import Taint
from planning.decision import Decision


class ImageMirrorPlan(Decision):
    """The remote repository of Artifact Registry in front of Docker Hub."""

    project: str | None
    """Whose repository it is; None: the stack's own project, which the stack file does not name."""
    location: str
    """Region or multi-region."""
    name: str
    """The repository's id."""
    exists: bool
    """Whether it is there already, and the stack makes none."""
    keep_days: int
    """After which the repository forgets an image, and fetches it again when it is asked for."""

    @property
    def address(self) -> str:
        """What stands before the path of an image."""
        # A project of a domain, acme.com:models, is a folder of it here.
        project = (self.project or "PROJECT").replace(":", "/")
        return f"{self.location}-docker.pkg.dev/{project}/{self.name}"


class PrePullPlan(Decision):
    """The DaemonSet that pulls images onto the nodes of a pool before servers need them."""

    name: str
    """The name of the DaemonSet."""
    namespace: str
    """The namespace of the DaemonSet."""
    images: tuple[str, ...]
    """References of the servers' own images, each once; that of a transport's sidecar is small, and left out."""
    node_pools: tuple[str, ...]
    """The name of the pool that it runs on."""
    taints: tuple[Taint, ...]
    """The taints that its pods tolerate."""
