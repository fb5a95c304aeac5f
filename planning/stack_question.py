"""Answers `python -m planning stack NAME`: a stack file's plan, for people, a pull request, or machines."""

from enum import StrEnum
from pathlib import Path

from config import read_stack_file
from planning.platform import plan_platform
from planning.report import sections, to_markdown, to_text


class Format(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def describe_stack(folder: Path, stack: str, format: Format) -> str:
    """The plan of `folder/Pulumi.<stack>.yaml`. Raises ConfigurationError if there can be none."""
    plan = plan_platform(read_stack_file(folder, stack), stack)
    match format:
        case Format.JSON:
            return plan.model_dump_json(indent=2)
        case Format.MARKDOWN:
            return to_markdown(sections(plan, stack))
        case Format.TEXT:
            return to_text(sections(plan, stack))
