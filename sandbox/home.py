"""Where one stack's sandbox keeps its things, and its own copy of the stack's files.

The engine writes a salt and encrypted values into the stack file it works with; a copy keeps the checkout clean.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

PROJECT_NAME = "inference-platform"
PROJECT_ID = "inference-sandbox"
"""The project of the stand-in cloud."""
CANARY_TOKEN = "hf_sandboxcanary0123456789"
"""Stands for a Hugging Face token, and must never be seen again in any output."""

_TOKEN_KEY = f"{PROJECT_NAME}:huggingFaceToken"


class UnknownStack(ValueError):
    """There is no stack file of that name; the message lists those there are."""


@dataclass(frozen=True)
class Home:
    """The folder of one stack's sandbox. Two checkouts, or two stacks, never share one."""

    checkout: Path
    stack: str
    folder: Path

    @classmethod
    def of(cls, checkout: Path, stack: str) -> "Home":
        """The lasting home of a stack. Raises UnknownStack."""
        if not (checkout / f"Pulumi.{stack}.yaml").is_file():
            known = ", ".join(sorted(file.name.split(".")[1] for file in checkout.glob("Pulumi.*.yaml")))
            raise UnknownStack(f"there is no Pulumi.{stack}.yaml; write STACK= one of {known}")
        return cls(checkout, stack, checkout / ".sandbox" / stack)

    @property
    def workspace(self) -> Path:
        """Copies of Pulumi.yaml and of the stack file; the engine's work folder."""
        return self.folder / "workspace"

    @property
    def state(self) -> Path:
        """The engine's backend."""
        return self.folder / "state"

    @property
    def cloud(self) -> Path:
        """What exists in the stand-in cloud."""
        return self.folder / "cloud.json"

    @property
    def clusters(self) -> Path:
        """A folder for each control plane, by the cluster's name."""
        return self.folder / "clusters"

    @property
    def lock(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lock")

    def write_workspace(self, lws_chart: Path) -> bool:
        """Brings the copies up to date. Returns whether the token must still be set, since only the engine encrypts."""
        self.workspace.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.checkout / "Pulumi.yaml", self.workspace / "Pulumi.yaml")
        copy = self.workspace / f"Pulumi.{self.stack}.yaml"
        before = _read(copy) if copy.exists() else {}
        content = _read(self.checkout / copy.name)
        for key in ("encryptionsalt", "secretsprovider", "encryptedkey"):
            content.pop(key, None)
        config: dict[str, Any] = dict(content.get("config") or {})
        config[f"{PROJECT_NAME}:project"] = PROJECT_ID
        chart_key = f"{PROJECT_NAME}:leaderWorkerSet"
        config[chart_key] = {**(config.get(chart_key) or {}), "chart": str(lws_chart)}
        config.pop(_TOKEN_KEY, None)
        token: Any = dict[str, Any](before.get("config") or {}).get(_TOKEN_KEY)
        if token:
            config[_TOKEN_KEY] = token
            content["encryptionsalt"] = before["encryptionsalt"]
        content["config"] = config
        copy.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return token is None

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.unlink(missing_ok=True)
        parent = self.folder.parent
        if parent.is_dir() and not any(parent.iterdir()):
            parent.rmdir()


def _read(path: Path) -> dict[str, Any]:
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return cast(dict[str, Any], content) if isinstance(content, dict) else {}
