"""`python -m sandbox COMMAND --stack NAME`: builds, shows and removes one stack in the stand-in cloud."""

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pulumi.automation.errors import CommandError

from sandbox.behave import add_arguments, behave, of_models, write_of_models
from sandbox.cloud import InvalidTable
from sandbox.cluster import ClusterError, ControlPlane
from sandbox.cluster.nccl import behaviour as nccl_behaviour
from sandbox.doctor import doctor
from sandbox.events import event_log
from sandbox.home import CLOUD_VARIABLE, Home, UnknownStack
from sandbox.interruption import EXIT_STATUS, raise_when_interrupted
from sandbox.models.behaviour import UnknownBehaviour
from sandbox.paper import BaseError, preview_change
from sandbox.policy_pack import NoPack, executable_pack
from sandbox.profile import NoModule, Profile
from sandbox.pulumi_engine import Busy, PulumiEngine, pulumi_engine
from sandbox.render import RenderError, render
from sandbox.sharing import NothingGiven, clusters, own_ids, require_given, tenants
from sandbox.status import describe
from sandbox.tools import ToolsError
from sandbox.unfinished import LeftBehind, require_nothing_left, take_in


class Protected(Exception):
    """The stack is protected, or another one is up in its cloud; the message says what must be done before a
    destroy."""


_EXPECTED = (
    UnknownStack,
    NothingGiven,
    UnknownBehaviour,
    nccl_behaviour.UnknownBehaviour,
    Busy,
    Protected,
    LeftBehind,
    ToolsError,
    ClusterError,
    RenderError,
    BaseError,
    NoPack,
    NoModule,
    InvalidTable,
)
"""Errors that are told in one line, without a traceback."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code."""
    raise_when_interrupted()
    options = _parse(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except _EXPECTED as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except CommandError as error:
        # The Pulumi engine has said what is wrong on the lines above, or it is a note.
        for note in getattr(error, "__notes__", ()):
            print(f"error: {note}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return EXIT_STATUS


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text)
        sub.set_defaults(command=command, name=name)
        sub.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml")
        return sub

    add("up", _up, "build the stack")
    previewing = add("preview", _preview, "show what up would change")
    previewing.add_argument("--refresh", action="store_true", help="look first what was changed by hand")
    _preview_options(previewing)
    change = add("change", _change, "show what this checkout would change of what another one builds, on paper")
    change.add_argument("--base", type=Path, help="folder of the other checkout; default: from nothing")
    _preview_options(change)
    destroying = add("destroy", _destroy, "take everything down and leave nothing")
    destroying.add_argument("--confirm", default="", help="the stack's name once more, to lift its protection first")
    add("status", _status, "show what is up")
    kubectl = add("kubectl", _kubectl, "run kubectl against the stack's cluster")
    kubectl.add_argument("arguments", nargs="*", help="after --")
    examining = add("doctor", _doctor, "ask the stand-in of Google whether the stack can be built")
    examining.add_argument("--report", type=Path, help="file to write the table to as well, as Markdown")
    verify = add("verify", _verify, "check everything that is up, and what the models answer")
    verify.add_argument("--timeout", default="60", help="seconds for one answer of a model; default: 60")
    verify.add_argument("--report", help="file to write the table to as well, as Markdown")
    add("preflight", _preflight, "measure the fabric between nodes once more")
    load = add("load", _load, "put a model under the load of its objective; simulated servers keep the plan's pace")
    load.add_argument("--model", required=True, help="its name in the stack file")
    load.add_argument("--seconds", default="60", help="of load; default: %(default)s")
    behaving = add("behave", _behave, "have models, the fabric, the hub or nodes misbehave, or behave again")
    add_arguments(behaving)
    rendering = add("render", _render, "write every Kubernetes object of the stack as YAML")
    rendering.add_argument("--out", required=True, type=Path, help="folder to write to")
    return parser.parse_args(arguments)


def _preview_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--events", type=Path, help="file to write the Pulumi engine's events to")
    command.add_argument("--policy-pack", type=Path, action="append", default=[], help="folder of a pack in Python")


def _home(options: argparse.Namespace) -> Home:
    home = Home.of(Path.cwd(), options.stack).within(os.environ.get(CLOUD_VARIABLE))
    require_given(home)
    return home


def _say(line: str) -> None:
    print(line, flush=True)


def _up(options: argparse.Namespace) -> int:
    home = _home(options)
    started = time.monotonic()
    with pulumi_engine(home, _say) as running:
        take_in(running, _planes(home), _say)
        # An update by itself notices what is protected only after it has begun, so preview first, as `pulumi up` does.
        if running.protected() and _stoppable(running, lambda: running.preview(_say)) is None:
            return EXIT_STATUS
        result = _stoppable(running, lambda: running.up(_say))
    if result is None:
        return EXIT_STATUS
    _say(_summary(home, result.outputs, time.monotonic() - started))
    return 0


def _preview(options: argparse.Namespace) -> int:
    existed = Home.of(Path.cwd(), options.stack).folder.exists()
    home = _home(options)
    try:
        with pulumi_engine(home, _say) as running:
            result = _stoppable(running, lambda: _previewed(running, options))
    finally:
        # Where nothing was up before the preview, nothing may be left after it.
        if not existed:
            home.remove()
    return 0 if result is not None else EXIT_STATUS


def _previewed(running: PulumiEngine, options: argparse.Namespace) -> Any:
    packs = [str(executable_pack(pack, running.home.folder / "packs")) for pack in options.policy_pack]
    wishes: dict[str, Any] = {"policy_packs": packs, "refresh": options.refresh}
    if options.events is None:
        return running.preview(_say, **wishes)
    with event_log(options.events) as on_event:
        return running.preview(_say, on_event=on_event, **wishes)


def _change(options: argparse.Namespace) -> int:
    base: Path | None = options.base and options.base.resolve()
    events: Path = options.events or Path(os.devnull)
    preview_change(_home(options), base, events, _say, tuple(options.policy_pack))
    return 0


def _destroy(options: argparse.Namespace) -> int:
    home = Home.of(Path.cwd(), options.stack)
    if not home.folder.exists():
        _say(f"stack {home.stack} is not up here; nothing to do")
        return 0
    others = tenants(home)
    if others:
        raise Protected(
            f"stack {', '.join(others)} is up in the cloud of {home.stack}; "
            f"`{home.how('destroy', others[0])}` comes first"
        )
    with pulumi_engine(home, _say) as running:
        take_in(running, _planes(home), _say)
        known = own_ids(home)
        protected = running.protected()
        if protected and options.confirm != home.stack:
            names = ", ".join(sorted(protected.values()))
            raise Protected(
                f"stack {home.stack} protects {names}; `{home.how('destroy', confirm=home.stack)}` lifts that first"
            )
        if protected and not _stoppable(running, lambda: running.lift_protection(_say) or True):
            return EXIT_STATUS
        done = _stoppable(running, lambda: running.destroy(_say) or True)
    if not done:
        return EXIT_STATUS
    # A command that was killed may have left a control plane that the cloud has not recorded.
    for plane in [] if home.shares_cloud else _planes(home):
        plane.destroy()
    require_nothing_left(home, known)
    home.remove()
    _say(f"\nstack {home.stack} is gone: no resource, no process and no file of it is left")
    return 0


def _stoppable(running: PulumiEngine, operation: Callable[[], Any]) -> Any:
    """What the operation returns; None if a person stopped it on the way, and it ended in order."""
    try:
        return operation()
    except CommandError:
        if not running.interrupted:
            raise
        home = running.home
        print(f"stopped; `{home.how('up')}` goes on, `{home.how('destroy')}` undoes it", file=sys.stderr)
        return None


def _planes(home: Home) -> list[ControlPlane]:
    if not home.clusters.is_dir():
        return []
    folders = [folder for folder in sorted(home.clusters.iterdir()) if folder.is_dir()]
    # Another stack's cloud also has clusters that do not belong to this stack.
    mine = clusters(home) if home.shares_cloud else {folder.name for folder in folders}
    return [ControlPlane(folder) for folder in folders if folder.name in mine]


def _status(options: argparse.Namespace) -> int:
    home = _home(options)
    planes = _planes(home)
    if not planes:
        _say(f"stack {home.stack} is not up here; `{home.how('up')}` builds it")
        return 0
    for plane in planes:
        if not plane.running():
            _say(f"cluster {plane.directory.name}: its control plane is not running; {home.how('up')} starts it again")
            continue
        for line in describe(plane):
            _say(line)
    return 0


def _kubectl(options: argparse.Namespace) -> int:
    plane = _running_plane(_home(options))
    return subprocess.run(plane.kubectl_command(*options.arguments), check=False).returncode


def _doctor(options: argparse.Namespace) -> int:
    report: Path | None = options.report
    return doctor(_home(options), report.resolve() if report else None)


def _verify(options: argparse.Namespace) -> int:
    report = ["--report", options.report] if options.report else []
    return _check(options, lambda profile: profile.verify, "--timeout", options.timeout, *report)


def _preflight(options: argparse.Namespace) -> int:
    return _check(options, lambda profile: profile.preflight)


def _load(options: argparse.Namespace) -> int:
    """At the plan's pace, unless somebody had the model's servers behave otherwise."""
    home = _home(options)
    words = ["--model", options.model]
    behaves = of_models(home)
    own = options.model in behaves or "*" in behaves
    if not own:
        module = home.profile.required(home.profile.load, options.name)
        command = [sys.executable, "-m", module, "--stack", home.stack, *words, "--pace"]
        asked = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if asked.returncode:
            return asked.returncode
        write_of_models(home, {**behaves, options.model: asked.stdout.strip()})
    try:
        return _check(options, lambda profile: profile.load, *words, "--seconds", options.seconds)
    finally:
        if not own:
            write_of_models(home, behaves)


def _check(options: argparse.Namespace, chosen: Callable[[Profile], str | None], *arguments: str) -> int:
    """Runs a module of the program's that checks what is up, as on Google, with a kubectl that leads to the sandbox."""
    home = _home(options)
    module = home.profile.required(chosen(home.profile), options.name)
    kubectl = shlex.join(_running_plane(home).kubectl_command())
    command = [sys.executable, "-m", module, "--stack", home.stack, *arguments, "--kubectl", kubectl]
    return subprocess.run(command, check=False).returncode


def _behave(options: argparse.Namespace) -> int:
    home = _home(options)
    _say(behave(home, lambda: _running_plane(home), options))
    return 0


def _running_plane(home: Home) -> ControlPlane:
    plane = next((plane for plane in _planes(home) if plane.running()), None)
    if plane is None:
        raise ClusterError(f"stack {home.stack} has no cluster that runs here; `{home.how('up')}` first")
    return plane


def _render(options: argparse.Namespace) -> int:
    files = render(_home(options), options.out, _say)
    _say(f"{len(files)} objects written to {options.out}")
    return 0


def _summary(home: Home, outputs: Any, seconds: float) -> str:
    planes = _planes(home)
    lines = ["", f"Stack {home.stack} is up, in {seconds:.0f} s."]
    for plane in planes:
        nodes = plane.kubectl("get", "nodes", "--output=name").split()
        ready = plane.kubectl("get", "deployments", "--all-namespaces", "--output=name").split()
        lines.append(
            f"  cluster   {plane.directory.name}: {len(nodes)} simulated nodes, {len(ready)} deployments, "
            f"control plane at https://{plane.endpoint}"
        )
    if home.profile.models in outputs:
        models = ", ".join(sorted(outputs[home.profile.models].value)) or "none"
        lines.append(f"  models    {models} (a stand-in for vLLM answers for each of their pods)")
    lines.append(f"  kept in   {os.path.relpath(home.folder)}")
    return "\n".join([*lines, "Next:", *_next(home)])


def _next(home: Home) -> list[str]:
    """The lines that tell a person which commands make sense for a stack that is up."""
    commands = {
        home.how("kubectl", None, "get", "pods", "-A", "-o", "wide"): "look around",
        home.how("preview"): f"after changing Pulumi.{home.stack}.yaml",
        home.how("destroy"): "take it all down",
    }
    if home.profile.verify:
        commands = {home.how("verify"): "check everything that is up", **commands}
    width = max(map(len, commands))
    return [f"  {command:{width}}   {what}" for command, what in commands.items()]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
