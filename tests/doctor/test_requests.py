"""What is asked and what the stand-in answers is what Google's APIs know, and none of it changes anything."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from config import stack_names
from sandbox.google.login import ACCESS_TOKEN
from sandbox.google.registry import ANONYMOUS
from sandbox.google.server import Exchange
from sandbox.project import CANARY_TOKEN
from tests.discovery import document, method, problems
from tests.doctor.standing import HOST, Doctor
from tests.doctor.test_scenarios import SCENARIOS, SHARED, good, shared_vpc
from tests.unit.google_rules import CHECKOUT
from verification.doctor.google import Api

APIS = {
    "compute": "compute.v1",
    "container": "container.v1",
    "serviceusage": "serviceusage.v1",
    "cloudresourcemanager": "cloudresourcemanager.v3",
    "secretmanager": "secretmanager.v1",
    "cloudquotas": "cloudquotas.v1",
}
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"


def of_google(exchanges: list[Exchange]) -> list[tuple[str, str, Exchange]]:
    """The document and the path after its base address of each request to an API of Google's."""
    found: list[tuple[str, str, Exchange]] = []
    for each in exchanges:
        api, _, rest = each.path.lstrip("/").partition("/")
        if api in APIS:
            base = document(APIS[api])["servicePath"]
            # Compute's own base address has the version already.
            found.append((APIS[api], rest.removeprefix("v1/") if base else rest, each))
    return found


def mistakes(exchanges: list[Exchange]) -> list[str]:
    found: list[str] = []
    for api, path, exchange in of_google(exchanges):
        known = method(api, exchange.method, path)
        found += [f"{known.id}: no parameter {name}" for name in exchange.query.keys() - known.query]
        found += [f"{known.id}: not by the scope we ask for"] if known.scopes.isdisjoint({CLOUD_PLATFORM}) else []
        if exchange.body:
            assert known.request
            found += problems(api, known.request, json.loads(exchange.body))
        if exchange.status == 200:
            assert known.response
            found += problems(api, known.response, json.loads(exchange.answer))
        else:
            found += error_mistakes(json.loads(exchange.answer))
    return found


def error_mistakes(answer: Any) -> list[str]:
    error = answer["error"]
    return [] if {"code", "message", "status"} <= error.keys() else [f"an error without its parts: {error}"]


@pytest.mark.parametrize("stack", stack_names(CHECKOUT))
def test_what_a_stack_asks_and_is_answered_is_in_the_discovery_documents(doctor: Doctor, stack: str) -> None:
    run = doctor.examine(stack, situation=good())
    assert len(of_google(run.exchanges)) > 6
    assert mistakes(run.exchanges) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_scenario_answers_is_in_the_discovery_documents(doctor: Doctor, name: str) -> None:
    run = SCENARIOS[name].examined_by(doctor)
    assert mistakes(run.exchanges) == []


def test_every_api_is_asked_at_the_address_that_its_document_has() -> None:
    for api in Api:
        name = urlsplit(api.value[1]).hostname.split(".")[0]
        known = document(APIS[name])
        assert api.address({}).startswith(known["rootUrl"] + known["servicePath"])
        assert api.service == urlsplit(known["rootUrl"]).hostname


def test_nothing_is_asked_that_changes_anything(doctor: Doctor) -> None:
    run = doctor.examine("production", situation=good())
    shared = doctor.examine("dev", situation=good(host=HOST), state=shared_vpc(), changes=SHARED)
    for each in [*run.exchanges, *shared.exchanges]:
        asks = each.path.endswith((":testIamPermissions", ":getIamPolicy")) or each.path == "/token"
        assert each.method in ("GET", "HEAD") or asks, f"{each.method} {each.path}"


def test_each_token_goes_to_its_own_issuer_alone(doctor: Doctor) -> None:
    run = doctor.examine("production", situation=good())
    allowed = {"hub": CANARY_TOKEN, "registry": ANONYMOUS, "token": None}
    for each in run.exchanges:
        first = each.path.split("/")[1]
        mine = allowed.get(first, ACCESS_TOKEN)
        assert each.authorization in (f"Bearer {mine}", None), each.path
        assert first in allowed or each.authorization, each.path
    assert {each.authorization for each in run.exchanges} == {
        None,
        *(f"Bearer {token}" for token in (CANARY_TOKEN, ANONYMOUS, ACCESS_TOKEN)),
    }
