"""Google's rules on notification channels and alert policies: what breaks each."""

from tests.sandbox.cloud_client import REMOVED
from tests.sandbox.cloud_rows import Row

PROMQL = "conditions[0].conditionPrometheusQueryLanguage"

MONITORING = [
    Row("channel-email", "channel", {"labels": REMOVED}, 'missing required label "email_address"'),
    Row("channel-email", "channel", {"labels.email_address": "oncall"}, 'Invalid email address "oncall"'),
    Row(
        "policy-one-query",
        "alert",
        {"conditions": [{"displayName": each, "conditionPrometheusQueryLanguage": {"query": "up"}} for each in "ab"]},
        "can have that condition only",
    ),
    Row("policy-durations", "alert", {f"{PROMQL}.duration": "10m"}, "Invalid duration '10m'"),
    Row("policy-durations", "alert", {f"{PROMQL}.evaluationInterval": "45s"}, "a multiple of 30s"),
    Row("policy-metric-exists", "alert", {f"{PROMQL}.disableMetricValidation": REMOVED}, "query is unknown: kube_"),
    Row("policy-channels", "alert", {"notificationChannels": ["oncall"]}, 'had an invalid value of "oncall"'),
    Row(
        "policy-channels",
        "alert",
        {"notificationChannels": ["projects/another-project/notificationChannels/1"]},
        "must be of the form projects/sandbox-project/notificationChannels/CHANNEL_ID",
    ),
]
