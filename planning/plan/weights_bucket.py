"""The part of the plan about weights in Cloud Storage."""

from catalog import Taint
from planning.decision import Decision


class BucketAccountPlan(Decision):
    """Who uses the bucket: a Google account, and the Kubernetes service account whose pods are it."""

    account_id: str
    """The account id of Google's service account: the part of its address before the @."""
    service_account: str
    """The name of the Kubernetes service account."""
    roles: tuple[str, ...]
    """The roles of the Google account on the bucket."""


class WeightsBucketPlan(Decision):
    """A bucket with hierarchical namespace, uniform access and no public access."""

    name: str
    """The name of the bucket, which no other in the world has."""
    location: str
    """The region of a bucket that the stack makes."""
    exists: bool
    """Whether it is there already, and the stack makes none."""
    deletable: bool
    """Whether the stack may delete it, with all that is in it."""
    soft_delete_seconds: int
    """How long Google keeps what was deleted in it."""
    reader: BucketAccountPlan
    """The servers'."""
    writer: BucketAccountPlan
    """The fills'."""


class BucketUse(Decision):
    """The part of a model server in the bucket."""

    bucket: str
    """The name of the bucket."""
    folder: str
    """The folder of the checkpoint, without gs:// and the bucket."""
    repository: str
    """Hugging Face id of what is in it."""
    revision: str
    """A commit, branch or tag; the fill pins it to a commit."""
    service_account: str
    """The Kubernetes service account of the server's pods."""

    @property
    def address(self) -> str:
        """The model's name for vLLM."""
        return f"gs://{self.bucket}/{self.folder}"


class BucketFillPlan(Decision):
    """The Job that copies one checkpoint from the hub to the bucket."""

    name: str
    """The first part of the Job's name."""
    namespace: str
    """The namespace of the Job."""
    use: BucketUse
    """What it fills."""
    image: str
    """Reference of its image: a server's own, for its Python alone."""
    service_account: str
    """The Kubernetes service account of its pod."""
    node_pool: str
    """Name of the pool that it runs on, where the image will be needed anyway."""
    taints: tuple[Taint, ...]
    """The taints that its pod tolerates."""
    deadline: int
    """Seconds after which it counts as failed."""
