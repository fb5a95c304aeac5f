"""The part of a stack file that makes an environment: its limits of cost, who is told of trouble, its labels, and its
token."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from config.intent import Intent, ProjectId

# Both have a form that Google and Kubernetes accept: they are put on Google's resources and on the objects of the
# cluster.
LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9_-]{0,61}[a-z0-9])?$")]
EmailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
ChannelName = Annotated[str, StringConstraints(pattern=r"^projects/[^/]+/notificationChannels/[^/]+$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?)?$")]


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class SpendSettings(Intent):
    """Bounds on list prices; the plan refuses what could cost more."""

    max_usd_per_hour: Annotated[
        float | None,
        Field(
            gt=0,
            description="US dollars an hour, with all that the autoscaler may add; default: anything",
            examples=[400],
        ),
    ] = None
    max_idle_usd_per_hour: Annotated[
        float | None,
        Field(
            ge=0,
            description="US dollars an hour for GPUs that no model uses and acknowledgeIdle does not name; default: 0 "
            "in a protected stack, else anything",
            examples=[25],
        ),
    ] = None
    allow_unknown_price: Annotated[
        bool, Field(description="count what has no published price as nothing, instead of refusing it")
    ] = False

    @model_validator(mode="after")
    def _bounds_something(self) -> "SpendSettings":
        if self.max_usd_per_hour is None and self.max_idle_usd_per_hour is None:
            raise ValueError("bounds nothing; write maxUsdPerHour or maxIdleUsdPerHour")
        return self


class PreflightSettings(Intent):
    """The test of the fabric between two nodes of a new pool, before servers are built."""

    minimum_bus_bandwidth: Annotated[
        float,
        Field(
            ge=0,
            allow_inf_nan=False,
            description="GB/s below which it fails, in place of the plan's own floor; 0 only reports",
            examples=[120],
        ),
    ]


class AlertSettings(Intent):
    """Who is told when a model has no replica, a node is not ready, or requests queue for room in the KV cache."""

    emails: Annotated[
        tuple[EmailAddress, ...],
        Field(description="addresses, each a notification channel of the stack's", examples=["[oncall@example.com]"]),
    ] = ()
    channels: Annotated[
        tuple[ChannelName, ...],
        Field(
            description="notification channels of the project that are there already, such as Slack or PagerDuty",
            examples=["[projects/acme-inference/notificationChannels/1234567890]"],
        ),
    ] = ()

    @model_validator(mode="after")
    def _somebody_listens(self) -> "AlertSettings":
        if not self.emails and not self.channels:
            raise ValueError("nobody would be told; write emails or channels")
        return self


class SecretManagerToken(Intent):
    """A secret of Secret Manager that holds the token; it must be there before the stack is."""

    secret: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$"),
        Field(description="name of the secret", examples=["hugging-face-token"]),
    ]
    version: Annotated[
        str,
        # In YAML `version: 3` and `version: "3"` mean the same to a person.
        BeforeValidator(_as_text),
        StringConstraints(pattern=r"^(latest|[1-9][0-9]*)$"),
        Field(
            description="a number, whose change rolls the servers; or latest, which each pod reads as it starts",
            examples=["3"],
        ),
    ] = "latest"
    project: Annotated[
        ProjectId | None, Field(description="whose secret it is; default: the stack's own", examples=["acme-secrets"])
    ] = None


class TokenSettings(Intent):
    """Where the Hugging Face token is, if not among the stack's own secrets."""

    secret_manager: Annotated[
        SecretManagerToken, Field(description="mounted by GKE's add-on, so that no state ever holds the token")
    ]
