"""What a pipeline needs, made once: state and key that are kept, and identities without keys."""

import json
import re

import pytest
import yaml

from tests.graph.recorder import CHECKOUT, NAMESPACE, Graph, record, stack_config

CONFIG = {"project": "test-project", "region": "us-central1", "repository": "acme/platform"}


@pytest.fixture(scope="module")
def graph() -> Graph:
    config = {f"{NAMESPACE}:{key}": value for key, value in CONFIG.items()}
    return record("dev", preview=False, config=config, program=CHECKOUT / "bootstrap" / "__main__.py")


def test_every_stacks_state_and_key_are_protected(graph: Graph) -> None:
    protected = {registration.type for registration in graph.registrations if registration.options["protect"]}
    assert protected == {"gcp:storage/bucket:Bucket", "gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKey:CryptoKey"}
    assert graph["state"].inputs["versioning"] == {"enabled": True}
    assert graph["state"].inputs["publicAccessPrevention"] == "enforced"


def test_only_the_repositorys_runs_are_let_in_and_only_those_on_main_may_change_anything(graph: Graph) -> None:
    assert graph["pipeline-provider"].inputs["attributeCondition"] == 'assertion.repository == "acme/platform"'
    assert graph["preview-pipeline"].inputs["member"].endswith("/attribute.repository/acme/platform")
    assert graph["update-pipeline"].inputs["member"].endswith("/attribute.ref/refs/heads/main")


def test_the_account_of_previews_can_change_nothing_of_the_project(graph: Graph) -> None:
    members = [r for r in graph.of_type("gcp:projects/iAMMember:IAMMember") if r.name.startswith("preview-")]
    assert members
    assert all(r.inputs["role"].lower().endswith(("viewer", "reviewer", "reader", "browser")) for r in members)


def test_the_account_of_updates_may_make_every_kind_that_a_stack_has_and_holds_no_role_beside() -> None:
    rows = yaml.safe_load((CHECKOUT / "bootstrap" / "access.yaml").read_text())["accounts"]["update"]["roles"]
    recorded = "".join(file.read_text() for file in (CHECKOUT / "tests" / "graph" / "snapshots").glob("*.yaml"))
    made = set(re.findall(r"^  gcp:([a-z]+/[A-Za-z]+):", recorded, re.MULTILINE))
    # No stack file of this checkout asks for a repository in front of Docker Hub or a bucket, but a stack may.
    asked = {f"{NAMESPACE}:images": '{"mirror": {}}', f"{NAMESPACE}:weightsBucket": "{}"}
    mirrored = record("dev", preview=False, config={**stack_config("dev"), **asked})
    made |= {each.type.split(":")[1] for each in mirrored.registrations if each.type.startswith("gcp:")}
    assert {kind for row in rows for kind in row["makes"]} == made


def test_every_role_says_why() -> None:
    accounts = yaml.safe_load((CHECKOUT / "bootstrap" / "access.yaml").read_text())["accounts"].values()
    rows = [row for account in accounts for row in account["roles"]]
    assert rows and all(len(row["why"]) > 5 for row in rows)


def test_it_makes_no_key_that_could_leak(graph: Graph) -> None:
    assert graph.of_type("gcp:serviceaccount/key:Key") == []


def test_everything_has_the_explicit_provider_and_waits_for_the_apis(graph: Graph) -> None:
    services = [r.key for r in graph.of_type("gcp:projects/service:Service")]
    assert services
    for registration in graph.registrations:
        if registration.type.startswith("gcp:"):
            assert registration.provider == "pulumi:providers:gcp google", registration.key
        if registration.type.startswith("gcp:") and registration.key not in services:
            assert set(services) <= set(registration.dependencies), registration.key


def test_it_exports_what_the_pipeline_asks_for_by_its_own_names(graph: Graph) -> None:
    asked = " ".join(file.read_text() for file in (CHECKOUT / ".github").rglob("*.yml"))
    named = {name for name in graph.outputs if name.isupper()}
    assert named == {
        "PULUMI_BACKEND_URL",
        "WORKLOAD_IDENTITY_PROVIDER",
        "PREVIEW_SERVICE_ACCOUNT",
        "UPDATE_SERVICE_ACCOUNT",
    }
    assert all(f"vars.{name}" in asked for name in named)
    assert "gcpkms://" in json.dumps(graph.outputs["secretsProvider"])
