"""The rules as the real Pulumi engine asks them: on each rule's examples, and on every stack file."""

from collections.abc import Generator, Iterable
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi import automation as auto
from pulumi.automation.errors import CommandError
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from config import stack_names
from policy import RULES, Resource, Rule, Stack
from review import read_events
from sandbox.home import Home
from sandbox.paper import preview_change
from sandbox.policy_pack import executable_pack
from sandbox.tools import pulumi_environment, pulumi_tools
from tests.sandbox.conftest import CHECKOUT, Checkout

STACKS = stack_names(CHECKOUT)


class _TakesAnything(provider_pb2_grpc.ResourceProviderServicer):
    """A provider without an opinion: what is asked here is what the rules say of resources that no cloud would take."""

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=True)

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="0.0.1")

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CreateResponse(id="one", properties=request.properties)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()


@contextmanager
def _provider() -> Generator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_TakesAnything(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


def _preview(examples: Iterable[tuple[str, Stack]], folder: Path) -> tuple[list[tuple[str, str]], bool]:
    """Rules and resources of every violation that the Pulumi engine reports, and whether it let the preview pass.

    The stack is a production one, so that rules about production speak too.
    """
    resources: list[tuple[str, Resource]] = [
        (f"{rule}.{index}", resource) for rule, example in examples for index, resource in enumerate(example.resources)
    ]

    def program() -> None:
        for name, resource in resources:
            options = pulumi.ResourceOptions(protect=resource.protect)
            pulumi.CustomResource(resource.type, name, dict(resource.properties), options)

    found: list[tuple[str, str]] = []

    def note(event: auto.EngineEvent) -> None:
        if event.policy_event:
            urn = event.policy_event.resource_urn or ""
            found.append((event.policy_event.policy_name, urn.rsplit("::", 1)[-1]))

    tools = pulumi_tools(lambda _: None)
    workspace = folder / "workspace"
    workspace.mkdir()
    with _provider() as port:
        environment = {
            **pulumi_environment(tools, folder / "pulumi"),
            "PULUMI_BACKEND_URL": folder.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "rules",
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{port},kubernetes:{port}",
        }
        stack = auto.create_or_select_stack(
            "production",
            project_name="rules",
            program=program,
            # Without a folder of its own, the automation API makes one that nobody removes.
            opts=auto.LocalWorkspaceOptions(
                work_dir=str(workspace),
                pulumi_command=auto.PulumiCommand(str(tools.pulumi.parent.parent)),
                env_vars=environment,
            ),
        )
        try:
            stack.preview(
                on_event=note, policy_packs=[str(executable_pack(CHECKOUT / "policy", folder))], color="never"
            )
        except CommandError:
            return found, False
    return found, True


def _failing(rules: list[Rule], folder: Path) -> None:
    found, passed = _preview(((rule.id, rule.failing) for rule in rules), folder)
    assert passed is not any(rule.mandatory for rule in rules)
    for rule in rules:
        named = [resource for name, resource in found if name == rule.id]
        # What only the whole stack shows may be nobody's alone.
        assert any(resource.startswith(f"{rule.id}.") or not rule.check for resource in named), (rule.id, found)


def test_the_pulumi_engine_names_each_rule_about_a_resource_with_its_failing_example(tmp_path: Path) -> None:
    _failing([rule for rule in RULES if rule.check], tmp_path)


def test_the_pulumi_engine_names_each_rule_about_a_whole_stack(tmp_path: Path) -> None:
    _failing([rule for rule in RULES if rule.check_stack], tmp_path)


def test_the_pulumi_engine_lets_each_passing_example_pass_its_rule(tmp_path: Path) -> None:
    found, _ = _preview(((rule.id, rule.passing) for rule in RULES), tmp_path)
    others = tuple(f"{rule.id}." for rule in RULES)
    assert [(rule, name) for rule, name in found if name.startswith(f"{rule}.") or not name.startswith(others)] == []


@pytest.mark.parametrize("stack", STACKS)
def test_the_pulumi_engine_finds_no_rule_broken_by_a_stack_file_we_ship(stack: str, tmp_path: Path) -> None:
    """In this process: the SDKs, which cost more than a preview does, are imported once for all stacks."""
    said: list[str] = []
    events = tmp_path / "events.jsonl"
    preview_change(Home.of(CHECKOUT, stack), None, events, said.append, (CHECKOUT / "policy",))
    assert any("inference-platform@v" in line for line in said[said.index("Policies:") :]), said
    log = read_events(events.read_text(encoding="utf-8").splitlines())
    assert len(log.changed) > 50
    assert [violation for violation in log.violations if violation.mandatory] == []


def test_make_policy_fails_and_names_the_rule_that_a_stack_breaks(checkout: Checkout) -> None:
    bounds = checkout.folder / "policy" / "bounds.yaml"
    bounds.write_text("usdPerHourAtMost: {default: 0.01}\n", encoding="utf-8")
    run = checkout.make("policy", "dev")
    assert run.returncode != 0
    assert "[mandatory]  capacity-spend-bound" in run.stdout
    assert "0 is the bound of dev; ask for fewer nodes, or raise the bound in policy/bounds.yaml" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr
