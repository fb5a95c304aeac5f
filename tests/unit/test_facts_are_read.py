"""A fact, a setting or a decision that nothing reads is no guard, and goes."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

CHECKOUT = Path(__file__).parents[2]
TYPES = ("catalog", "config", "planning")
READERS = (*TYPES, "components", "stacks", "review", "policy", "verification", "maintenance", "oracle", "bench")
READ_OTHERWISE = {
    "catalog.engine_arguments.Flag": {"deprecated": "tests hold that a stack file may still say it"},
    "catalog.engine_arguments.FlagTable": {
        "generated": "the day on which vLLM was asked",
        "environment_variables": "tests hold every variable of a server to it",
    },
}
"""Fields that are read, but not by their name in the code, and by whom."""
WRITTEN_AS_FLAGS = {"config.engine.EngineSettings", "config.engine.SpeculativeSettings"}
"""Models whose every field becomes a flag of vLLM by its own name."""
ANSWERS = {"planning.fit.Fit", "planning.choose.Choice", "planning.choose.HourlyPrice", "planning.choose.TokenPrice"}
"""Models that are written as JSON for whoever asks on the command line."""


def _read() -> set[str]:
    """Every name that the code reads of an object."""
    names: set[str] = set()
    for room in READERS:
        for file in (CHECKOUT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                    names.add(node.attr)
                elif isinstance(node, ast.MatchClass):
                    names.update(node.kwd_attrs)
    return names


def _models() -> Iterator[tuple[str, type[BaseModel]]]:
    for room in TYPES:
        for module in pkgutil.walk_packages(importlib.import_module(room).__path__, f"{room}."):
            if module.name.endswith("__main__"):
                continue
            for name, found in vars(importlib.import_module(module.name)).items():
                if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == module.name:
                    yield f"{module.name}.{name}", found


def test_every_field_of_catalogue_settings_and_plan_is_read() -> None:
    read = _read()
    unread = {
        f"{name}.{field}"
        for name, model in _models()
        if name not in WRITTEN_AS_FLAGS | ANSWERS
        for field in model.model_fields.keys() - READ_OTHERWISE.get(name, {}).keys()
        if field not in read
    }
    assert unread == set()


def test_no_field_is_excused_that_is_read_or_gone() -> None:
    read, models = _read(), dict(_models())
    assert models.keys() >= WRITTEN_AS_FLAGS | ANSWERS
    for name, fields in READ_OTHERWISE.items():
        assert fields.keys() <= models[name].model_fields.keys(), name
        assert not fields.keys() & read, name
