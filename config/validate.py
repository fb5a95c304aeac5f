"""The one validator for both sources: a stack file on disk, and a stack's configuration in Pulumi."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from catalog.hugging_face import QUANTIZATION_FILE, model_from_config
from catalog.recorded import with_records_beside
from config.errors import ConfigurationError, Problem, key_path, problems_of
from config.settings import HUGGING_FACE_TOKEN, Settings

NAMESPACE = "inference-platform"
"""The prefix of our keys in a stack file. It stays the same, whatever name `pulumi new` gives to a project."""


def validate(
    stack: str,
    values: Mapping[str, Any],
    secret_keys: frozenset[str],
    *,
    to_deploy: bool,
    folder: Path = Path(),
) -> Settings:
    """The settings in a stack's `values`, whose keys lack the namespace.

    Files that they name are looked for in `folder`, the project's. A secret's value is never looked at, only whether
    its key is there. Deploying needs a project and a token too.
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
                f"Revoke that token, then: pulumi config set --secret {NAMESPACE}:{HUGGING_FACE_TOKEN}",
            )
        )
    elif "token" in plain and HUGGING_FACE_TOKEN in secret_keys:
        problems.append(
            Problem(
                key_path(NAMESPACE, [HUGGING_FACE_TOKEN]),
                "is set, and so is token, which says that it is elsewhere",
                f"Keep one: pulumi config rm {NAMESPACE}:{HUGGING_FACE_TOKEN}",
            )
        )
    elif to_deploy and HUGGING_FACE_TOKEN not in secret_keys and "token" not in plain:
        problems.append(
            Problem(
                key_path(NAMESPACE, [HUGGING_FACE_TOKEN]),
                "is missing",
                f"Set it with: pulumi config set --secret {NAMESPACE}:{HUGGING_FACE_TOKEN}",
            )
        )
    if to_deploy and "project" not in plain:
        problems.append(
            Problem(
                key_path(NAMESPACE, ["project"]),
                "is missing",
                f"Set it with: pulumi config set {NAMESPACE}:project <your Google Cloud project id>",
            )
        )
    try:
        settings = Settings.model_validate(plain, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ConfigurationError(stack, problems + problems_of(error, Settings, NAMESPACE)) from None
    settings = _with_config_files(settings, folder, problems)
    if problems:
        raise ConfigurationError(stack, problems)
    return settings


def _with_config_files(settings: Settings, folder: Path, problems: list[Problem]) -> Settings:
    """The same settings, with the content of each `configFile` as that model's definition."""
    models = list(settings.models)
    for index, model in enumerate(models):
        if model.config_file is None:
            continue
        path = key_path(NAMESPACE, ["models", index, "configFile"])
        try:
            content = json.loads((folder / model.config_file).read_text(encoding="utf-8"))
            beside = (folder / model.config_file).with_name(QUANTIZATION_FILE)
            quantization = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else None
            definition = model_from_config(content, model.model, quantization)
            definition = with_records_beside(definition, folder / model.config_file)
        except OSError as error:
            problems.append(Problem(path, f"{model.config_file} cannot be read: {error.strerror}"))
        except ValueError as error:
            problems.append(Problem(path, f"{model.config_file} describes no model: {error}".replace("\n", " ")))
        else:
            models[index] = model.model_copy(update={"definition": definition})
    return settings.model_copy(update={"models": tuple(models)})
