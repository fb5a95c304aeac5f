"""What makes an environment of a stack: what is protected, who is told of trouble, and where the token is."""

from catalog.alert import Severity
from planning.decision import Decision

CLUSTER = "cluster"
"""The name by which a stack file protects, or stops protecting, the cluster and its VPCs."""


class ProtectionPlan(Decision):
    """The parts that the Pulumi engine refuses to delete or replace."""

    protected: tuple[str, ...]
    """The names of protected node pools, and `cluster`."""

    def covers(self, name: str) -> bool:
        return name in self.protected

    @property
    def covers_cluster(self) -> bool:
        return self.covers(CLUSTER)


class AlertPolicyPlan(Decision):
    """One alert: its condition, and the text for the people who are told."""

    name: str
    """The name of the policy in the catalogue."""
    title: str
    """The alert's name, as people read it."""
    severity: Severity
    """The severity in Cloud Monitoring's words."""
    seconds: int
    """The seconds for which the condition must hold before anybody is told."""
    query: str
    """A query in PromQL; there is one incident for each series that it finds."""
    advice: str
    """What to do about it, as Markdown."""


class AlertsPlan(Decision):
    """Who is told of trouble, and of what."""

    emails: tuple[str, ...]
    """E-mail addresses, for each of which the stack makes a channel."""
    channels: tuple[str, ...]
    """The full names of existing channels."""
    policies: tuple[AlertPolicyPlan, ...]
    """One for each kind of trouble."""


class TokenPlan(Decision):
    """The place of the Hugging Face token for model servers."""

    name: str
    """The name of the SecretProviderClass in each namespace of servers. Of a Secret it is only a label, since Pulumi
    chooses the name."""
    secret: "SecretManagerSecret | None"
    """The secret that holds the token; None: the token is the stack's own secret."""


class SecretManagerSecret(Decision):
    """A version of a secret, and the Google account that reads it, which only the servers use."""

    project: str | None
    """The project that owns it; None: the stack's own."""
    secret: str
    """Name of the secret."""
    version: str
    """A number, or latest."""
    account_id: str
    """The account id of Google's service account that reads it: the part of its address before the @."""
    service_account: str
    """The name of the Kubernetes service account in each namespace of servers."""
