"""Cloud Monitoring's notification channels and alert policies: their rules, and the order in which they may be
deleted."""

import itertools
import re

from sandbox.cloud.kinds import Kind, Request, Rule, Rules, Stage
from sandbox.cloud.resources import common
from sandbox.cloud.values import Value

CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
POLICY = "gcp:monitoring/alertPolicy:AlertPolicy"

_API = "Cloud Monitoring API v3 reference"
_PROMQL = "cloud.google.com/monitoring/promql/promql-in-alerting"
_CHANNEL_NAME = re.compile(r"projects/(?P<project>[^/]+)/notificationChannels/[^/]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_SECONDS = re.compile(r"(\d+)s")
_CONDITION = "conditionPrometheusQueryLanguage"
_SYSTEM_METRIC = "kubernetes_io:"

channel_rules = Rules()


@channel_rules("channel-email", _API, Stage.CHECK)
def email_is_one(request: Request) -> str | None:
    inputs = request.inputs
    if inputs.text("type") != "email" or inputs.unknown("labels"):
        return None
    address = inputs.text("labels.email_address")
    if address is None:
        return 'Error 400: Field "notification_channel.labels" is missing required label "email_address"., badRequest'
    return None if _EMAIL.fullmatch(address) else f'Error 400: Invalid email address "{address}"., badRequest'


@channel_rules("channel-in-use", _API, Stage.DELETE)
def nobody_uses_it(request: Request) -> str | None:
    if request.inputs.flag("forceDelete"):
        return None
    for id_, record in request.state.of(POLICY):
        if request.id in record.properties.texts("notificationChannels"):
            return (
                f"Error 400: Cannot delete notification channel {request.id}: it is used by alerting policy {id_}, "
                "and force is not set., failedPrecondition"
            )
    return None


policy_rules = Rules()


@policy_rules("policy-one-query", _PROMQL, Stage.CHECK)
def a_query_is_alone(request: Request) -> str | None:
    conditions = request.inputs.items("conditions")
    if len(conditions) < 2 or not any(condition[_CONDITION] for condition in conditions):
        return None
    return "Error 400: An alerting policy with a PromQL condition can have that condition only., badRequest"


@policy_rules("policy-durations", _API, Stage.CHECK)
def durations_are_whole(request: Request) -> str | None:
    for condition in request.inputs.items("conditions"):
        for name, step in (("duration", 1), ("evaluationInterval", 30)):
            text = condition.text(f"{_CONDITION}.{name}")
            match = _SECONDS.fullmatch(text or "30s")
            if match is None or int(match[1]) % step:
                return f"Error 400: Invalid {name} '{text}': write seconds, a multiple of {step}s., badRequest"
    return None


@policy_rules("policy-metric-exists", _PROMQL, Stage.CREATE)
def its_metrics_have_been_seen(request: Request) -> str | None:
    # Google's own metrics are always known; this cloud has never received a point of any other.
    for condition in request.inputs.items("conditions"):
        query = condition.text(f"{_CONDITION}.query") or ""
        if query.startswith(_SYSTEM_METRIC) or condition.flag(f"{_CONDITION}.disableMetricValidation"):
            continue
        return f"Error 400: The metric referenced by the provided query is unknown: {query}., badRequest"
    return None


@policy_rules("policy-channels", _API, Stage.CREATE, Stage.UPDATE)
def channels_are_of_the_project(request: Request) -> str | None:
    for channel in request.inputs.texts("notificationChannels"):
        match = _CHANNEL_NAME.fullmatch(channel)
        if match is None or match["project"] != request.project:
            return (
                f'Error 400: Field alert_policy.notification_channels had an invalid value of "{channel}": must be of '
                f"the form projects/{request.project}/notificationChannels/CHANNEL_ID., badRequest"
            )
    return None


def _id(request: Request, collection: str) -> str:
    """The id of such a resource: Google numbers them, and several may have the same name."""
    made = (f"projects/{request.project}/{collection}/{_number(request.name, copy)}" for copy in itertools.count())
    return next(id_ for id_ in made if id_ not in request.state.resources)


def _number(name: str, copy: int) -> str:
    return common.number_of(f"{name} {copy}")


def _outputs(request: Request) -> dict[str, Value]:
    return {"project": request.project, "name": request.id, "enabled": request.inputs.flag("enabled") is not False}


def _kind(token: str, collection: str, rules: tuple[Rule, ...]) -> Kind:
    return Kind(
        token=token,
        service="monitoring.googleapis.com",
        identify=lambda request: _id(request, collection),
        rules=rules,
        compute=_outputs,
        computed=frozenset({"name"}),
        name_property="displayName",
        autonamed=False,
    )


CHANNEL_KIND = _kind(CHANNEL, "notificationChannels", tuple(channel_rules.all))
POLICY_KIND = _kind(POLICY, "alertPolicies", tuple(policy_rules.all))
