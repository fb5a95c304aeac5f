"""What makes an environment of a stack: what it protects, who hears of trouble, and where its token is."""

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


class AlertPolicyPlan(Decision):
    """One condition, and what whoever is told of it reads."""

    name: str
    title: str
    severity: str
    seconds: int
    """That it must hold before anybody is told."""
    query: str
    """PromQL: an incident for each series that it finds."""
    advice: str
    """Markdown."""


class AlertsPlan(Decision):
    emails: tuple[str, ...]
    """Each becomes a channel of the stack's."""
    channels: tuple[str, ...]
    """Full names of channels that are there already."""
    policies: tuple[AlertPolicyPlan, ...]


class TokenPlan(Decision):
    """Where model servers find the Hugging Face token."""

    name: str
    """Of the SecretProviderClass in each namespace of servers; of a Secret only a label, since the engine names it."""
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
