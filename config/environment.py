"""What makes an environment of a stack: what it protects, what it may cost, how its bill and its token are found."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from config.intent import Intent, ProjectId

LabelKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class SpendSettings(Intent):
    """A bound on list prices; the plan refuses what could cost more."""

    max_usd_per_hour: Annotated[
        float, Field(gt=0, description="US dollars an hour, with all that the autoscaler may add", examples=[400])
    ]
    allow_unknown_price: Annotated[
        bool, Field(description="count what has no published price as nothing, instead of refusing it")
    ] = False


class SecretManagerToken(Intent):
    """A secret of Secret Manager that holds the token; it must be there before the stack is."""

    secret: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,255}$"),
        Field(description="name of the secret", examples=["hugging-face-token"]),
    ]
    version: Annotated[
        str,
        # In YAML `version: 3` and `version: "3"` look the same to whoever writes it.
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
