"""`python -m sandbox COMMAND --stack NAME`: what the Makefile's targets call."""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pulumi.automation.errors import CommandError

from sandbox.cluster import ClusterError, ControlPlane
from sandbox.engine import Busy, Engine, engine
from sandbox.home import Home, UnknownStack
from sandbox.render import RenderError, render
from sandbox.tools import ToolsError

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Runs one command; returns its exit code."""
    options = _parse(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UnknownStack, Busy, ToolsError, ClusterError, RenderError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except CommandError:
        # The engine has said what is wrong, on the lines above.
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_text)
        sub.set_defaults(command=command)
        sub.add_argument("--stack", required=True, help="NAME of Pulumi.NAME.yaml")
        return sub

    add("up", _up, "build the stack")
    add("preview", _preview, "show what up would change")
    add("destroy", _destroy, "take everything down and leave nothing")
    add("status", _status, "show what is up")
    kubectl = add("kubectl", _kubectl, "run kubectl against the stack's cluster")
    kubectl.add_argument("arguments", nargs="*", help="after --")
    rendering = add("render", _render, "write every Kubernetes object of the stack as YAML")
    rendering.add_argument("--out", required=True, type=Path, help="folder to write to")
    return parser.parse_args(arguments)


def _home(options: argparse.Namespace) -> Home:
    return Home.of(Path.cwd(), options.stack)


def _say(line: str) -> None:
    print(line, flush=True)


def _up(options: argparse.Namespace) -> int:
    home = _home(options)
    started = time.monotonic()
    with engine(home, _say) as running:
        result = _stoppable(running, lambda: running.up(_say))
    if result is None:
        return INTERRUPTED
    _say(_summary(home, result.outputs, time.monotonic() - started))
    return 0


def _preview(options: argparse.Namespace) -> int:
    home = _home(options)
    existed = home.folder.exists()
    try:
        with engine(home, _say) as running:
            result = _stoppable(running, lambda: running.preview(_say))
    finally:
        # A preview of what is not there leaves nothing there.
        if not existed:
            home.remove()
    return 0 if result is not None else INTERRUPTED


def _destroy(options: argparse.Namespace) -> int:
    home = _home(options)
    if not home.folder.exists():
        _say(f"stack {home.stack} is not up here; nothing to do")
        return 0
    with engine(home, _say) as running:
        done = _stoppable(running, lambda: running.destroy(_say) or True)
    if not done:
        return INTERRUPTED
    # A command that was killed may have left a control plane that the cloud has no record of.
    for plane in _planes(home):
        plane.destroy()
    home.remove()
    _say(f"\nstack {home.stack} is gone: no resource, no process and no file of it is left")
    return 0


def _stoppable(running: Engine, operation: Callable[[], Any]) -> Any:
    """What the operation returns, or None if a person stopped it, in order, on the way."""
    try:
        return operation()
    except CommandError:
        if not running.interrupted:
            raise
        stack = running.home.stack
        print(f"stopped; `make up STACK={stack}` goes on, `make destroy STACK={stack}` undoes it", file=sys.stderr)
        return None


def _planes(home: Home) -> list[ControlPlane]:
    if not home.clusters.is_dir():
        return []
    return [ControlPlane(folder) for folder in sorted(home.clusters.iterdir()) if folder.is_dir()]


def _status(options: argparse.Namespace) -> int:
    home = _home(options)
    planes = _planes(home)
    if not planes:
        _say(f"stack {home.stack} is not up here; `make up STACK={home.stack}` builds it")
        return 0
    for plane in planes:
        if not plane.running():
            _say(f"cluster {plane.directory.name}: its control plane is not running; make up starts it again")
            continue
        _say(f"cluster {plane.directory.name}: control plane at https://{plane.endpoint}")
        _say(plane.kubectl("get", "nodes", "--output=wide"))
        _say(plane.kubectl("get", "pods", "--all-namespaces", "--output=wide"))
    return 0


def _kubectl(options: argparse.Namespace) -> int:
    home = _home(options)
    plane = next((plane for plane in _planes(home) if plane.running()), None)
    if plane is None:
        raise ClusterError(f"stack {home.stack} has no cluster that runs here; `make up STACK={home.stack}` first")
    return subprocess.run(plane.kubectl_command(*options.arguments), check=False).returncode


def _render(options: argparse.Namespace) -> int:
    files = render(Path.cwd(), options.stack, options.out, _say)
    _say(f"{len(files)} objects written to {options.out}")
    return 0


def _summary(home: Home, outputs: Any, seconds: float) -> str:
    stack = home.stack
    planes = _planes(home)
    lines = ["", f"Stack {stack} is up, in {seconds:.0f} s."]
    for plane in planes:
        nodes = plane.kubectl("get", "nodes", "--output=name").split()
        ready = plane.kubectl("get", "deployments", "--all-namespaces", "--output=name").split()
        lines.append(
            f"  cluster   {plane.directory.name}: {len(nodes)} simulated nodes, {len(ready)} deployments, "
            f"control plane at https://{plane.endpoint}"
        )
    models = sorted(outputs["models"].value) if "models" in outputs else []
    lines.append(
        f"  models    {', '.join(models) or 'none'} (simulated pods are Running, but do not answer requests yet)"
    )
    lines.append(f"  kept in   {os.path.relpath(home.folder)}")
    lines += [
        "Next:",
        f'  make kubectl STACK={stack} ARGS="get pods -A -o wide"   look around',
        f"  make preview STACK={stack}                              after changing Pulumi.{stack}.yaml",
        f"  make destroy STACK={stack}                              take it all down",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
