"""Reads the profile: all that the sandbox has to know of the program that runs in it."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.cluster import Workloads
from sandbox.rows import Row, load, parse

FILE = "sandbox.profile.yaml"
"""The name of the profile's file in the program's folder; README.md here explains its keys."""


class NoModule(Exception):
    """The program has no module that does what was asked; the message names the key that would say so."""


class Profile(Row):
    """What a program tells of itself. A key without a colon is in its stack files under `namespace`."""

    namespace: str
    """The project's name in Pulumi.yaml, and the prefix of the program's own keys."""
    project: str
    """The key of the Google Cloud project."""
    token: str | None = None
    """The key of the program's one secret, under which a canary is put. None: the program has no secret."""
    token_elsewhere: str | None = None
    """A key that, if it is present, says that the secret is not in the stack. None: it always is."""
    protection: str | None = None
    """The key that protects resources; a confirmed destroy sets it to false first. None: there is no such key."""
    joins: tuple[str, ...] = ()
    """Keys with `existing` below them, by which a stack joins what another stack owns."""
    charts: Mapping[str, str] = {}
    """The chart of the sandbox that replaces another, by the key that says where that one comes from."""
    models: str | None = None
    """The program's output that has an entry for each model, by name. None: it has no such output."""
    makefile: bool = False
    """Whether a Makefile of the program has a target of the same name for each command of the sandbox."""
    doctor: str | None = None
    """The module that asks Google before `up`. None, here and below: the program has no such module.

    Called as `python -m MODULE --stack NAME --project ID --registry-mirror URL`, with `--report FILE` if a report is
    wanted.
    """
    reservations: str | None = None
    """The module that prints as JSON the reservations that a stack uses, in the form of a scenario. None: it uses none.

    Called as `python -m MODULE --stack NAME --project ID`; it fails if the stack cannot be planned.
    """
    verify: str | None = None
    """The module that checks what is up.

    Called as `python -m MODULE --stack NAME --timeout SECONDS --kubectl COMMAND`.
    """
    preflight: str | None = None
    """The module that runs the test of the fabric once more, called in the same way without the timeout."""
    load: str | None = None
    """The module that puts a model under load, called in the same way with `--model NAME` and `--seconds NUMBER`.

    With `--pace` it only prints how the model's servers must behave to be as fast as planned.
    """
    workloads: Workloads = Workloads()
    """The pods for which the sandbox runs something."""

    def key(self, name: str) -> str:
        """The full name of a key, as it is written in a stack file."""
        return name if ":" in name else f"{self.namespace}:{name}"

    def required(self, module: str | None, key: str) -> str:
        """The module that the key names. Raises NoModule if it names none."""
        if module is None:
            raise NoModule(f"{FILE} names no module under {key}, so there is nothing to run")
        return module

    def how(self, command: str, stack: str, *arguments: str, **options: str) -> str:
        """The command line by which a person starts a command of the sandbox; `arguments` are for kubectl."""
        if self.makefile:
            named = [f"{name.upper()}={value}" for name, value in options.items()]
            given = [f'ARGS="{" ".join(arguments)}"'] if arguments else []
            return " ".join(["make", command, f"STACK={stack}", *named, *given])
        named = [f"--{name} {value}" for name, value in options.items()]
        given = ["--", *arguments] if arguments else []
        return " ".join([f"python -m sandbox {command} --stack {stack}", *named, *given])


def read_profile(folder: Path) -> Profile:
    """The profile of the program in that folder. Raises InvalidTable, which names the file and what is wrong."""
    file = folder / FILE
    return parse(Profile, load(file), str(file))
