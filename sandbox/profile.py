"""What the sandbox has to know of the program that runs in it: a file of the program's own, not of this package."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.cluster import Workloads
from sandbox.rows import Row, load, parse

FILE = "sandbox.profile.yaml"
"""In the program's folder; README.md here says what each key means."""


class NoModule(Exception):
    """The program has no module that does what was asked; the message names the key that would say so."""


class Profile(Row):
    """Names of the program's. A key without a colon stands in its stack files under `namespace`."""

    namespace: str
    """The name in Pulumi.yaml, and the prefix of the program's own keys."""
    project: str
    """Key of the Google Cloud project."""
    token: str | None = None
    """Key of the one secret: a canary is put there. None: the program has no secret."""
    token_elsewhere: str | None = None
    """Key that says, where it is there, that the secret is not the stack's. None: it always is."""
    protection: str | None = None
    """Key that protects what the engine must not delete; a confirmed destroy writes false there. None: it has none."""
    joins: tuple[str, ...] = ()
    """Keys that have `existing` below them where the stack joins what somebody else owns."""
    charts: Mapping[str, str] = {}
    """By key: which of the sandbox's charts stands for the one that the key names."""
    models: str | None = None
    """Output of the program that has an entry for each model, by name. None: it tells of none."""
    makefile: bool = False
    """Whether people start the sandbox's commands by a Makefile's targets of the same names."""
    doctor: str | None = None
    """Module that asks Google before `up`; None, here and below: the program has none.

    `python -m MODULE --stack NAME --project ID --registry-mirror URL --report FILE`; FILE only where it is wanted."""
    reservations: str | None = None
    """Module that prints, as JSON, the reservations that a stack draws on, as a scenario has them.

    `python -m MODULE --stack NAME --project ID`; it fails where the stack cannot be planned. None: it draws on none."""
    verify: str | None = None
    """Module that checks what is up: `python -m MODULE --stack NAME --timeout SECONDS --kubectl COMMAND`."""
    preflight: str | None = None
    """Module that runs the test of the fabric once more, called alike but for the timeout."""
    workloads: Workloads = Workloads()
    """The pods for which something of the sandbox's runs."""

    def key(self, name: str) -> str:
        """As it stands in a stack file."""
        return name if ":" in name else f"{self.namespace}:{name}"

    def required(self, module: str | None, key: str) -> str:
        """The module that the key names. Raises NoModule if it names none."""
        if module is None:
            raise NoModule(f"{FILE} names no module under {key}, so there is nothing to run")
        return module

    def how(self, command: str, stack: str, *arguments: str, **options: str) -> str:
        """What a person writes to start a command of the sandbox's; `arguments` are those of kubectl."""
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
