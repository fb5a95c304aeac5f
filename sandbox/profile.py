"""What the sandbox has to know of the program that runs in it: a file of the program's own, not of this package."""

from collections.abc import Mapping
from pathlib import Path

from sandbox.cloud.tables import Row, load, parse

FILE = "sandbox.profile.yaml"
"""In the program's folder; README.md here says what each key means."""


class Profile(Row):
    """Names of the program's. Its stack files' keys stand under `namespace`."""

    namespace: str
    project: str
    """Key of the Google Cloud project."""
    token: str
    """Key of the one secret: a canary is put there."""
    token_elsewhere: str
    """Key that says, where it is there, that the secret is none of the stack's."""
    protection: str
    """Key that protects what the engine must not delete; `make destroy` writes false there."""
    joins: tuple[str, ...]
    """Keys that have `existing` below them where the stack joins what somebody else owns."""
    charts: Mapping[str, str]
    """By key: which of the sandbox's charts stands for the one that the key names."""
    verify: str
    """Module that checks what is up: `python -m MODULE --stack NAME --timeout SECONDS --kubectl COMMAND`."""
    preflight: str
    """Module that runs the test of the fabric once more, called alike but for the timeout."""

    def key(self, name: str) -> str:
        """As it stands in a stack file."""
        return f"{self.namespace}:{name}"


def read_profile(folder: Path) -> Profile:
    """The profile of the program in that folder. Raises InvalidTable, which names the file and what is wrong."""
    file = folder / FILE
    return parse(Profile, load(file), str(file))
