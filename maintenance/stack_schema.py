"""The JSON schema of a stack file, for completion and checking in editors."""

import json
from typing import Any

from config import NAMESPACE, Settings
from config.settings import HUGGING_FACE_TOKEN


def stack_schema() -> dict[str, Any]:
    """The schema as it is published in docs/stack.schema.json; every stack file names it in its first line."""
    settings = Settings.model_json_schema(by_alias=True, mode="validation")
    definitions = settings.pop("$defs", {})
    properties = {f"{NAMESPACE}:{key}": value for key, value in settings["properties"].items()}
    properties[f"{NAMESPACE}:{HUGGING_FACE_TOKEN}"] = {
        "description": f"written by `pulumi config set --secret {NAMESPACE}:{HUGGING_FACE_TOKEN}`, never by hand",
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of the inference platform",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": {
                "type": "object",
                # Each person or pipeline sets the project, so the stack files kept here need not have it.
                "required": [f"{NAMESPACE}:{key}" for key in settings["required"]],
                "properties": properties,
                "patternProperties": {f"^(?!{NAMESPACE}:)[^:]+:": True},
                "additionalProperties": False,
            }
        },
        "$defs": definitions,
    }


def text() -> str:
    return json.dumps(stack_schema(), indent=2, sort_keys=True) + "\n"
