"""What makes an environment of a stack: what it protects, and where its token is."""

from planning.plan.decision import Decision

CLUSTER = "cluster"
"""The name under which a cluster and its VPCs are protected and let go."""


class ProtectionPlan(Decision):
    """Which parts the engine refuses to delete or replace."""

    protected: tuple[str, ...]
    """Names of node pools, and `cluster`."""

    def covers(self, name: str) -> bool:
        return name in self.protected

    @property
    def covers_cluster(self) -> bool:
        return self.covers(CLUSTER)


class TokenPlan(Decision):
    """Where model servers find the Hugging Face token."""

    name: str
    """Of the Secret in each namespace of servers; or of the SecretProviderClass, where `secret` says more."""
    secret: "SecretManagerSecret | None"
    """None: the token is the stack's own secret."""


class SecretManagerSecret(Decision):
    """A version of a secret, and who reads it: an account of Google's that nothing but the servers' account uses."""

    project: str | None
    """None: the stack's own."""
    secret: str
    version: str
    account_id: str
    service_account: str
    """Name of the Kubernetes service account in each namespace of servers."""
