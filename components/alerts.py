"""The people who are told when the platform is in trouble: channels of Cloud Monitoring, and the alert policies that
use them."""

from dataclasses import dataclass

import pulumi
from pulumi_gcp import monitoring

from components.faces import StackContext
from planning.plan import AlertPolicyPlan, AlertsPlan


@dataclass(frozen=True, kw_only=True)
class AlertsArgs:
    plan: AlertsPlan
    stack: StackContext
    project: str
    """The cluster's project, where its metrics are."""


class Alerts(pulumi.ComponentResource):
    """One channel for each address; every policy uses all of them and the channels that exist already."""

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inference-platform:components:Alerts", name, None, opts)
        # The API must be enabled before its first resource, and no value of the graph says so.
        inside = pulumi.ResourceOptions(parent=self, depends_on=[args.stack.services])
        channels = [
            monitoring.NotificationChannel(
                f"{name}-{email}",
                project=args.project,
                display_name=email,
                type="email",
                labels={"email_address": email},
                user_labels=args.stack.labels,
                opts=inside,
            )
            for email in args.plan.emails
        ]
        recipients = [*args.plan.channels, *(channel.name for channel in channels)]
        for policy in args.plan.policies:
            monitoring.AlertPolicy(
                f"{name}-{policy.name}",
                project=args.project,
                display_name=policy.title,
                severity=policy.severity.value,
                combiner="OR",
                conditions=[_condition(policy)],
                documentation={"content": policy.advice, "mime_type": "text/markdown"},
                notification_channels=recipients,
                user_labels=args.stack.labels,
                opts=inside,
            )
        self.register_outputs({})


def _condition(policy: AlertPolicyPlan) -> monitoring.AlertPolicyConditionArgsDict:
    return {
        "display_name": policy.title,
        "condition_prometheus_query_language": {
            "query": policy.query,
            "duration": f"{policy.seconds}s",
            "evaluation_interval": "60s",
            # The project's metrics exist only after its first server was asked for them.
            "disable_metric_validation": True,
        },
    }
