"""The reference is made from the models, says something of every field, and is today's."""

import json
import re

import pytest
import yaml

from config import ConfigurationError
from config.validate import validate
from maintenance.configuration_page import example, rows
from maintenance.docs import DOCS, GENERATED
from maintenance.stack_schema import stack_schema
from tests.unit.google_rules import CHECKOUT, NAMESPACE, changed, stack_values

ROWS = list(rows())
STACK_FILES = sorted(CHECKOUT.glob("Pulumi.*.yaml"))
SCHEMA_LINE = "# yaml-language-server: $schema=docs/stack.schema.json"


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_the_one_that_would_be_made_today(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == GENERATED[name](), "run: make record"


def test_every_field_says_what_it_is() -> None:
    assert [row.path for row in ROWS if not row.field.description] == []


def test_every_field_has_an_example_and_a_place_in_the_reference() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for row in ROWS:
        assert f"| `{row.path}` |" in page
        assert example(row) not in ("", "``", "see right"), row.path


def test_examples_of_texts_are_legal_where_they_stand() -> None:
    """Those of the environment, whose forms are narrow."""
    balanced = {"scope": "regional", "proxyOnlyRange": "10.128.0.0/23"}
    values = changed(stack_values("production"), {"access.callers.googleLoadBalancers": balanced})
    elsewhere = ("network.existing", "cluster.existing", "models")
    examples = {
        row.path: row.field.examples[0]
        for row in ROWS
        if row.field.examples and "[]" not in row.path and not row.path.startswith(elsewhere)
    }
    assert examples
    for path, text in examples.items():
        settings = changed(values, {path: yaml.safe_load(str(text)) if str(text)[:1] in "[{" else text})
        assert validate("production", settings, frozenset(), to_deploy=False), path


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda file: file.name)
def test_every_stack_file_names_the_schema_that_editors_complete_by(file) -> None:
    assert file.read_text(encoding="utf-8").splitlines()[0] == SCHEMA_LINE


@pytest.mark.parametrize("file", STACK_FILES, ids=lambda file: file.name)
def test_the_schema_knows_every_key_of_every_stack_file(file) -> None:
    schema = stack_schema()
    known = schema["properties"]["config"]["properties"]
    config = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    assert {key for key in config if key.startswith(f"{NAMESPACE}:")} <= known.keys()
    assert set(schema["properties"]["config"]["required"]) <= config.keys()


def test_the_schema_is_json_and_every_reference_in_it_leads_somewhere() -> None:
    text = json.dumps(stack_schema())
    names = set(re.findall(r'"#/\$defs/([^"]+)"', text))
    assert names and names <= stack_schema()["$defs"].keys()


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("protektion", "protection"),
        ("acknowledgeReplacment", "acknowledgeReplacement"),
        ("cluster.maintainance", "maintenance"),
        ("cluster.authorisedNetworks", "authorizedNetworks"),
        ("spend.maxUsdPerHours", "maxUsdPerHour"),
        ("network.exisiting", "existing"),
    ],
)
def test_a_typo_gets_the_nearest_legal_name(path: str, near: str) -> None:
    values = changed(stack_values("production"), {path: True})
    with pytest.raises(ConfigurationError, match=f"Did you mean {near}?"):
        validate("production", values, frozenset(), to_deploy=False)
