"""Runs the program with the real Pulumi engine against the stand-in cloud.

The program is the folder's own __main__.py, run fresh each time; nothing in it knows where it runs.
"""

import os
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, cast

from pulumi import automation as auto

from sandbox.cloud import serve_cloud
from sandbox.cluster.processes import wait_until
from sandbox.home import Home
from sandbox.leftovers import end_leftovers
from sandbox.locks import taken
from sandbox.project import CANARY_TOKEN
from sandbox.pulumi_command import InterruptibleCommand
from sandbox.tools import ClusterTools, PulumiTools, cluster_tools, lws_chart, pulumi_environment, pulumi_tools

Report = Callable[[str], None]

_CHARTS = Path(__file__).parent / "charts"
"""Stand-ins for charts whose registry a sandbox may not reach."""

_CLUSTER = "gcp:container/cluster:Cluster"
_DYING_SECONDS = 3.0
"""A process that was killed gives back its memory before it lets go of the lock."""


class Busy(Exception):
    """Another command works on the same stack's sandbox."""


@dataclass(frozen=True)
class PulumiEngine:
    """A Pulumi engine ready to preview, build or destroy one stack."""

    home: Home
    stack: auto.Stack
    charts: Mapping[str, Path]
    """The folder of each chart, by the key of the stack file that says where the chart comes from."""
    _command: InterruptibleCommand

    def preview(self, tell: Report, **options: Any) -> auto.PreviewResult:
        return self.stack.preview(on_output=tell, on_error=tell, color=_color(), **options)

    def up(self, tell: Report, **options: Any) -> auto.UpResult:
        return self.stack.up(on_output=tell, on_error=tell, color=_color(), show_secrets=False, **options)

    def destroy(self, tell: Report) -> None:
        self.stack.destroy(on_output=tell, on_error=tell, color=_color(), show_secrets=False)

    def protected(self) -> dict[str, str]:
        """The names of all resources that the Pulumi engine refuses to delete, by their URN."""
        deployment = cast(dict[str, Any], self.stack.export_stack().deployment or {})
        resources: list[dict[str, Any]] = deployment.get("resources") or []
        return {each["urn"]: each["urn"].rsplit("::", 1)[1] for each in resources if each.get("protect")}

    def lift_protection(self, tell: Report) -> None:
        """Removes all protection: in the Pulumi engine's state, and of clusters that Google protects."""
        clusters = [urn for urn in self.protected() if urn.split("::")[2].endswith(_CLUSTER)]
        state = self.stack.export_stack()
        deployment = cast(dict[str, Any], state.deployment or {})
        resources: list[dict[str, Any]] = deployment.get("resources") or []
        for each in resources:
            each["protect"] = False
        self.stack.import_stack(state)
        if clusters:
            self.home.write_workspace(self.charts, unprotected=True)
            self.up(tell, target=clusters)

    @property
    def interrupted(self) -> bool:
        return self._command.interrupted


@contextmanager
def pulumi_engine(
    home: Home,
    report: Report,
    *,
    control_planes: bool = True,
    before_program: Callable[[], None] | None = None,
    served_at: int | None = None,
) -> Generator[PulumiEngine]:
    """A Pulumi engine for a stack, with the stand-in cloud served as long as the context lasts.

    `served_at` is the port of a cloud that another process serves; None: this one serves it.

    Raises Busy if another command holds this sandbox, ToolsError if a tool is missing and cannot be obtained,
    InvalidTable if the scenario is not one.
    """
    tools = pulumi_tools(report)
    charts = {key: _chart(name, report) for key, name in home.profile.charts.items()}
    cluster = cluster_tools(report) if control_planes else None
    home.settle()
    with (
        _only_one(home) as lock,
        nullcontext(served_at) if served_at else _served(home, cluster) as port,
    ):
        _tidy(home.state)
        command = InterruptibleCommand(tools.pulumi, held=(lock,))
        with _emptied(home.scratch), _interruptions_go_to(command):
            needs_token = home.write_workspace(charts)
            stack = auto.create_or_select_stack(
                home.stack,
                project_name=home.profile.namespace,
                program=lambda: _run_program(home.checkout, before_program),
                opts=auto.LocalWorkspaceOptions(
                    work_dir=str(home.workspace),
                    pulumi_command=command,
                    env_vars=_environment(home, tools, port),
                ),
            )
            if needs_token and home.profile.token:
                stack.set_config(home.profile.key(home.profile.token), auto.ConfigValue(CANARY_TOKEN, secret=True))
            yield PulumiEngine(home, stack, charts, command)


def _served(home: Home, tools: ClusterTools | None) -> AbstractContextManager[int]:
    """The stand-in cloud of a stack; without tools its clusters are only recorded."""
    return serve_cloud(home.cloud, home.clusters if tools else None, tools, home.scenario, home.profile.workloads)


def _chart(name: str, report: Report) -> Path:
    return lws_chart(report) if name == "lws" else _CHARTS / name


def _run_program(checkout: Path, before: Callable[[], None] | None) -> None:
    if before:
        before()
    if str(checkout) not in sys.path:
        sys.path.insert(0, str(checkout))
    runpy.run_path(str(checkout / "__main__.py"), run_name="__main__")


def _environment(home: Home, tools: PulumiTools, port: int) -> dict[str, str]:
    plugin = Path(__file__).parent / "bin"
    environment = pulumi_environment(tools, home.scratch / "pulumi")
    return {
        **environment,
        "PATH": os.pathsep.join([str(plugin), environment.get("PATH", os.environ.get("PATH", ""))]),
        "TMPDIR": str(home.scratch),
        # The backend writes attributes beside a file, and a Pulumi engine that is killed meanwhile leaves them empty:
        # the next one then reads no checkpoint, and says EOF.
        "PULUMI_BACKEND_URL": f"{home.state.as_uri()}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_DEBUG_PROVIDERS": f"gcp:{port}",
        # Google's endpoints have public certificates; those of the stand-in are signed by the sandbox's own authority.
        "SSL_CERT_FILE": str(home.clusters / "ca.pem"),
        "SANDBOX_CLUSTERS": str(home.clusters),
        "GOOGLE_APPLICATION_CREDENTIALS": str(home.application_default_credentials),
    }


@contextmanager
def _only_one(home: Home) -> Generator[int]:
    """Holds the sandbox for as long as this process, or a Pulumi engine that it started, lives. Raises Busy."""
    end_leftovers(home.scratch)
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait_until(lambda: taken(descriptor), _DYING_SECONDS):
            raise Busy(f"another command is at work on stack {home.stack}; wait for it to end")
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _emptied(scratch: Path) -> Generator[None]:
    """Before as after: a command that was killed could not."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _interruptions_go_to(command: InterruptibleCommand) -> Generator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        print("\nstopping in order; give it a moment …", file=sys.stderr, flush=True)
        command.interrupt()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tidy(state: Path) -> None:
    """Removes what a killed Pulumi engine has left: we hold the sandbox, so no other one is at work."""
    for left in (*state.glob(".pulumi/locks/**/*.json"), *state.glob(".pulumi/**/*.tmp")):
        left.unlink(missing_ok=True)


def _color() -> str:
    return "always" if sys.stdout.isatty() else "never"
