"""The one validator behind both doors: a stack file read from disk and a stack's configuration in Pulumi."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from config.errors import ConfigurationError, Problem, key_path, problems_of
from config.settings import HUGGING_FACE_TOKEN, Settings

NAMESPACE = "inference-platform"
"""The project's name in Pulumi.yaml, and so the prefix of our keys in a stack file."""


def validate(stack: str, values: Mapping[str, Any], secret_keys: frozenset[str], *, to_deploy: bool) -> Settings:
    """The settings in a stack's `values`, whose keys lack the namespace.

    A secret's value is never looked at, only whether its key is there. Deploying needs a project and a token too.
    Raises ConfigurationError with every problem that was found.
    """
    plain = {key: value for key, value in values.items() if key not in secret_keys}
    problems = [
        Problem(key_path(NAMESPACE, [key]), "is a secret, and no such key may be one", "Set it without --secret")
        for key in sorted(secret_keys - {HUGGING_FACE_TOKEN})
    ]
    if HUGGING_FACE_TOKEN in plain:
        del plain[HUGGING_FACE_TOKEN]
        problems.append(
            Problem(
                key_path(NAMESPACE, [HUGGING_FACE_TOKEN]),
                "stands there in plain text",
                f"Revoke that token, then: pulumi config set --secret {HUGGING_FACE_TOKEN}",
            )
        )
    elif to_deploy and HUGGING_FACE_TOKEN not in secret_keys:
        problems.append(
            Problem(
                key_path(NAMESPACE, [HUGGING_FACE_TOKEN]),
                "is missing",
                f"Set it with: pulumi config set --secret {HUGGING_FACE_TOKEN}",
            )
        )
    if to_deploy and "project" not in plain:
        problems.append(
            Problem(
                key_path(NAMESPACE, ["project"]),
                "is missing",
                "Set it with: pulumi config set project <your Google Cloud project id>",
            )
        )
    try:
        settings = Settings.model_validate(plain, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ConfigurationError(stack, problems + problems_of(error, Settings, NAMESPACE)) from None
    if problems:
        raise ConfigurationError(stack, problems)
    return settings
