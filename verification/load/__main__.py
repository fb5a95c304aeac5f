"""`python -m verification.load --stack NAME --model NAME`: is the service objective kept under its own load?"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from math import ceil
from pathlib import Path
from tempfile import gettempdir

from config import ConfigurationError, read_stack_file
from planning.performance.expected import ExpectedService
from planning.plan import ModelServerPlan
from planning.platform import plan_platform
from verification.kubectl import Kubectl, ServiceAddress
from verification.load.client import Target, command, draws_plots, read, shown, write_word_tokenizer
from verification.load.environment import ClientUnavailable, client
from verification.load.verdict import table, verdict
from verification.results import CheckFailed

_FEWEST = 30
"""Requests from which a mean says something."""
_COMPLETIONS = "/v1/completions"


class _Untried(Exception):
    """The load cannot be put on the model; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if the objective is met, 1 if it is missed, 2 if that could not be tried."""
    options = _parse(arguments)
    try:
        model, expected = _promise(options.stack, options.model)
        if options.pace:
            print(pace(expected))
            return 0
        return _try(options, model, expected)
    except (ConfigurationError, _Untried, ClientUnavailable, CheckFailed) as error:
        print(error if isinstance(error, ConfigurationError) else f"error: {error}", file=sys.stderr)
        return 2


def pace(expected: ExpectedService) -> str:
    """How a simulated server behaves that keeps what the plan expects."""
    return f"first-token={expected.first_token_ms / 1e3:.4f}s,slow-tokens={expected.per_token_ms / 1e3:.4f}s"


def _promise(stack: str, name: str) -> tuple[ModelServerPlan, ExpectedService]:
    plan = plan_platform(read_stack_file(Path.cwd(), stack), stack)
    model = next((each for each in plan.models if each.name == name), None)
    if model is None:
        raise _Untried(f"the stack serves no model called {name}; it serves {', '.join(m.name for m in plan.models)}")
    if model.expected is None:
        raise _Untried(f"model {name} has no serviceObjective in Pulumi.{stack}.yaml, so nothing is to be met")
    return model, model.expected


def _try(options: argparse.Namespace, model: ModelServerPlan, expected: ExpectedService) -> int:
    folder = Path(options.out) if options.out else Path("load") / options.stack / model.name
    folder.mkdir(parents=True, exist_ok=True)
    requests = options.requests or max(_FEWEST, ceil(expected.objective.requests_per_second * options.seconds))
    with _target(options, model, folder) as (target, simulated):
        words = command(client(Path.cwd()), target, expected.objective, requests, folder.resolve())
        print(f"{requests} requests, about {requests / expected.objective.requests_per_second:.0f} s: {shown(words)}")
        with client_temporary(folder) as temporary, (folder / "client.log").open("wb") as log:
            environment = {**os.environ, "TMPDIR": str(temporary)}
            status = subprocess.run(
                words, stdout=log, stderr=subprocess.STDOUT, check=False, env=environment
            ).returncode
    if status:
        raise ClientUnavailable(f"the client ended with {status}; its words are in {folder / 'client.log'}")
    lines = verdict(expected, read(folder))
    print(table(lines, simulated=simulated))
    met = all(line.met for line in lines)
    what = "a stand-in's pace, no measurement: " if simulated else ""
    print(f"{what}the objective is {'met' if met else 'MISSED'}; the client's own tables are in {folder}")
    plots = folder / "plots"
    print(f"its plots are in {plots}" if draws_plots() else "it draws no plots here, for which it needs Chrome")
    return 0 if met else 1


@contextmanager
def client_temporary(out: Path) -> Generator[Path]:
    """The client leaves files in its temporary folder, whose name is short, since there are sockets in it. It is named
    after the results' folder, so that what a killed test left goes with the next one."""
    folder = Path(gettempdir()) / f"load-{sha256(str(out.resolve()).encode()).hexdigest()[:12]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _target(options: argparse.Namespace, model: ModelServerPlan, folder: Path) -> Generator[tuple[Target, bool]]:
    """Through the API server, or straight to the address that was given."""
    service = ServiceAddress(model.namespace, model.name, model.port)
    with Kubectl(shlex.split(options.kubectl)).proxy() as proxy:
        simulated = bool(proxy.json(service, "/version", options.timeout).get("simulated"))
        tokenizer = options.tokenizer or model.served_name
        if simulated:
            tokenizer = str(write_word_tokenizer(folder / "tokenizer").resolve())
        url, path = (options.url, "") if options.url else (proxy.url, service.proxy_path)
        yield Target(url, f"{path}{_COMPLETIONS}", model.served_name, tokenizer), simulated


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m verification.load", description=__doc__)
    parser.add_argument(
        "--stack", required=True, help="NAME of Pulumi.NAME.yaml in this folder, which has the objective"
    )
    parser.add_argument("--model", required=True, help="its name in the stack file")
    parser.add_argument("--kubectl", default="kubectl", help="the command to run; default: %(default)s")
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds for one answer of the API server; default: 60"
    )
    parser.add_argument("--url", help="where the model answers from here; default: through the Kubernetes API server")
    parser.add_argument("--tokenizer", help="Hugging Face id or folder; default: the model's own")
    parser.add_argument("--seconds", type=float, default=60.0, help="of load; default: %(default)s")
    parser.add_argument("--requests", type=int, help="instead of seconds")
    parser.add_argument("--out", help="folder for the client's files; default: load/STACK/MODEL")
    parser.add_argument("--pace", action="store_true", help="only say the pace that the plan expects, for the sandbox")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
