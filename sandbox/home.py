"""The folder of one stack's sandbox, and its copies of the stack's files.

Pulumi writes a salt and encrypted values into the stack file that it works with; a copy keeps the checkout clean.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from sandbox.profile import Profile, read_profile
from sandbox.project import PROJECT_ID

SCENARIO_VARIABLE = "SANDBOX_SCENARIO"
"""The environment variable that names a scenario file, relative to the checkout's folder."""

CLOUD_VARIABLE = "SANDBOX_CLOUD"
"""The environment variable that names another stack: this one is then built in that stack's cloud, as in one
project."""

_SHARED = "shared-cloud"


class UnknownStack(ValueError):
    """There is no such stack, or it cannot be built in the cloud that was named; the message says more."""


@dataclass(frozen=True)
class Home:
    """The folder of one stack's sandbox. Two checkouts, or two stacks, never share one."""

    checkout: Path
    stack: str
    folder: Path
    profile: Profile
    owner: str | None = None
    """The stack in whose cloud this one is to be built, as long as the folder does not say so yet. None: a cloud of its
    own."""

    @classmethod
    def of(cls, checkout: Path, stack: str) -> "Home":
        """The permanent home of a stack. Raises UnknownStack, and InvalidTable if the profile cannot be read."""
        if not (checkout / f"Pulumi.{stack}.yaml").is_file():
            known = ", ".join(sorted(file.name.split(".")[1] for file in checkout.glob("Pulumi.*.yaml")))
            raise UnknownStack(f"there is no Pulumi.{stack}.yaml; the stacks here are {known or 'none'}")
        return cls(checkout, stack, checkout / ".sandbox" / stack, read_profile(checkout))

    def how(self, command: str, stack: str | None = None, *arguments: str, **options: str) -> str:
        """The command line by which a person starts a command of the sandbox, for this stack or for another one."""
        return self.profile.how(command, stack or self.stack, *arguments, **options)

    @property
    def workspace(self) -> Path:
        """The Pulumi engine's work folder, with copies of Pulumi.yaml and of the stack file."""
        return self.folder / "workspace"

    @property
    def state(self) -> Path:
        """The folder in which the Pulumi engine keeps its state."""
        return self.folder / "state"

    @property
    def scratch(self) -> Path:
        """The Pulumi engine's temporary folder: its Kubernetes provider leaves a kubeconfig there at every start."""
        return self.folder / "scratch"

    @property
    def application_default_credentials(self) -> Path:
        """The file of a login with gcloud; it holds no secret."""
        return self.folder / "application_default_credentials.json"

    @property
    def cloud(self) -> Path:
        """The file with the state of the stand-in cloud."""
        return self._cloud_owner / "cloud.json"

    @property
    def clusters(self) -> Path:
        """The folder with a folder for each control plane, named after its cluster."""
        return self._cloud_owner / "clusters"

    @property
    def shares_cloud(self) -> bool:
        """Whether the cloud belongs to another stack, and stays when this one is destroyed."""
        return self._cloud_owner != self.folder

    def within(self, other: str | None) -> "Home":
        """The same home in the cloud of another stack. Raises UnknownStack if that stack is not up, or this one is up
        elsewhere."""
        if not other or other == self.stack:
            return self
        if not (self.checkout / ".sandbox" / other / "cloud.json").is_file():
            raise UnknownStack(f"stack {other} is not up here and has no cloud to share; {self.how('up', other)} first")
        if self.cloud.is_file() and self._cloud_owner.name != other:
            raise UnknownStack(
                f"stack {self.stack} is up in the cloud of {self._cloud_owner.name}; say nothing of {other}, or "
                f"{self.how('destroy')} first"
            )
        return replace(self, owner=other)

    def beside(self, folder: Path) -> "Home":
        """Another home of the same stack in that folder, for example for a preview on paper."""
        return Home(self.checkout, self.stack, folder, self.profile)

    def settle(self) -> None:
        """Makes the folder, and writes down whose cloud the stack is built in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        self.application_default_credentials.write_text('{"type": "authorized_user"}\n', encoding="utf-8")
        if self.owner:
            (self.folder / _SHARED).write_text(self.owner, encoding="utf-8")

    @property
    def _cloud_owner(self) -> Path:
        named = self.folder / _SHARED
        owner = self.owner or (named.read_text(encoding="utf-8") if named.is_file() else None)
        return self.folder.parent / owner if owner else self.folder

    def stack_file(self) -> dict[str, Any]:
        """The content of the checkout's own stack file."""
        return _read(self.checkout / f"Pulumi.{self.stack}.yaml")

    @property
    def behaviours(self) -> Path:
        """The file that says how the simulated model servers misbehave."""
        return self.clusters / "behaviours.json"

    @property
    def fabric_behaviour(self) -> Path:
        """The file that says how tests of the fabric between nodes go."""
        return self.clusters / "fabric-behaviour"

    @property
    def hub_behaviour(self) -> Path:
        """The file that says how the stand-in of Hugging Face's hub misbehaves towards pods."""
        return self.clusters / "hub-behaviour"

    @property
    def node_behaviour(self) -> Path:
        """The file that says how nodes misbehave."""
        return self.clusters / "node-behaviour"

    @property
    def lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")

    @property
    def scenario(self) -> Path | None:
        """The scenario: the file that the environment names, or the checkout's own sandbox.yaml. None: nothing is
        special."""
        named = os.environ.get(SCENARIO_VARIABLE)
        own = self.checkout / "sandbox.yaml"
        return self.checkout / named if named else own if own.is_file() else None

    def write_workspace(self, charts: Mapping[str, Path], *, unprotected: bool = False) -> bool:
        """Writes the copies again. Returns whether the token must still be set, since only the Pulumi engine encrypts.

        With `unprotected` the copy says that nothing is protected, whatever the checkout says. `charts` are folders by
        the key of the stack file that says where a chart comes from.
        """
        profile = self.profile
        self.workspace.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.checkout / "Pulumi.yaml", self.workspace / "Pulumi.yaml")
        copy = self.workspace / f"Pulumi.{self.stack}.yaml"
        before = _read(copy) if copy.exists() else {}
        content = self.stack_file()
        for key in ("encryptionsalt", "secretsprovider", "encryptedkey"):
            content.pop(key, None)
        config: dict[str, Any] = dict(content.get("config") or {})
        config[profile.key(profile.project)] = PROJECT_ID
        for key, chart in charts.items():
            config[profile.key(key)] = {**(config.get(profile.key(key)) or {}), "chart": str(chart)}
        if unprotected and profile.protection:
            config[profile.key(profile.protection)] = False
        token_key = self._token_key(config)
        token: Any = dict[str, Any](before.get("config") or {}).get(token_key or "")
        if profile.token:
            config.pop(profile.key(profile.token), None)
        if token_key and token:
            config[token_key] = token
            content["encryptionsalt"] = before["encryptionsalt"]
        content["config"] = config
        copy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return token_key is not None and token is None

    def _token_key(self, config: Mapping[str, Any]) -> str | None:
        """The key under which the secret belongs; None if the program has none, or the stack file says that it is
        elsewhere."""
        profile = self.profile
        elsewhere = profile.token_elsewhere and profile.key(profile.token_elsewhere) in config
        return profile.key(profile.token) if profile.token and not elsewhere else None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.unlink(missing_ok=True)
        parent = self.folder.parent
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def _read(path: Path) -> dict[str, Any]:
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return cast(dict[str, Any], content) if isinstance(content, dict) else {}
