"""The only module of this room that knows Pulumi: it reads a stack's configuration as the Pulumi engine gives it to the
program."""

import json
from typing import Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, get_config_secret_keys_env, is_config_secret

from config.settings import HUGGING_FACE_TOKEN, Settings
from config.validate import NAMESPACE, validate


def read_pulumi_config() -> tuple[Settings, str]:
    """The stack's settings and its Google Cloud project.

    Raises ConfigurationError if they cannot be used.
    """
    prefix = f"{NAMESPACE}:"
    # Config.get() answers for one key only, and to refuse unknown keys we need all of them.
    everything: dict[str, Any] = {**get_config_env(), **CONFIG.get()}
    from_environment = set(get_config_secret_keys_env())
    ours = {key for key in everything if key.startswith(prefix)}
    secret = {key for key in ours if is_config_secret(key) or key in from_environment}
    values = {key.removeprefix(prefix): _structured(everything[key]) for key in ours}
    settings = validate(
        pulumi.get_stack(), values, frozenset(key.removeprefix(prefix) for key in secret), to_deploy=True
    )
    return settings, pulumi.Config(NAMESPACE).require("project")


def hugging_face_token() -> pulumi.Output[str]:
    """The stack's own token, as a secret output. A stack without a token anywhere was refused before."""
    return pulumi.Config(NAMESPACE).require_secret(HUGGING_FACE_TOKEN)


def _structured(value: str) -> Any:
    """A value as YAML had it: the Pulumi engine writes lists and mappings as JSON, and scalars as they are."""
    if value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
