"""`python -m maintenance.docs`: writes every page and schema of docs/ that is made from the code."""

from collections.abc import Callable
from pathlib import Path

from maintenance import (
    accelerators_page,
    architecture_page,
    assumptions_page,
    cold_start_page,
    configuration_page,
    models_page,
    stack_schema,
)

DOCS = Path(__file__).parents[1] / "docs"

GENERATED: dict[str, Callable[[], str]] = {
    "accelerators.md": accelerators_page.page,
    "architecture.md": architecture_page.page,
    "assumptions.md": assumptions_page.page,
    "cold_start.md": cold_start_page.page,
    "configuration.md": configuration_page.page,
    "models.md": models_page.page,
    "stack.schema.json": stack_schema.text,
}


def main() -> None:
    for name, text in GENERATED.items():
        (DOCS / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
