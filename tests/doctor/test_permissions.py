"""Whoever runs `up` needs permissions for what the stack makes, and the pipeline's accounts have roles for it."""

import re
from typing import Any

import pytest
import yaml

from catalog.permission import permissions
from config import read_stack_file, stack_names
from planning.platform import plan_platform
from tests.unit.google_rules import CHECKOUT
from verification.doctor.account import made_kinds

ACCESS: dict[str, Any] = yaml.safe_load((CHECKOUT / "bootstrap" / "access.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("stack", stack_names(CHECKOUT))
def test_the_kinds_that_are_asked_for_are_those_that_the_stacks_graph_has(stack: str) -> None:
    graph = (CHECKOUT / "tests" / "graph" / "snapshots" / f"{stack}.yaml").read_text(encoding="utf-8")
    recorded = set(re.findall(r"^  gcp:([a-z]+/[A-Za-z]+):", graph, re.MULTILINE))
    assert made_kinds(plan_platform(read_stack_file(CHECKOUT, stack), stack)) - {"kubernetes"} == recorded


def test_every_kind_has_its_permissions_and_the_role_that_the_pipelines_account_has() -> None:
    wanted = {(kind, row["role"]) for row in ACCESS["accounts"]["update"]["roles"] for kind in row["makes"]}
    stated = {(row.kind, row.role) for row in permissions() if row.kind != "kubernetes"}
    assert stated == wanted


def test_no_permission_is_misspelt() -> None:
    for row in permissions():
        for name in row.permissions:
            assert re.fullmatch(
                r"[a-z]+\.[a-zA-Z]+\.(create|delete|get|update|updatePolicy|actAs|enable|[gs]etIamPolicy)", name
            )


def test_the_pipelines_preview_may_read_what_the_doctor_asks() -> None:
    roles = {row["role"] for row in ACCESS["accounts"]["preview"]["roles"]}
    assert {
        "roles/browser",
        "roles/cloudquotas.viewer",
        "roles/compute.viewer",
        "roles/container.viewer",
        "roles/secretmanager.viewer",
        "roles/serviceusage.serviceUsageViewer",
    } <= roles
