"""The plain Pulumi CLI with the real Pulumi engine and its own backend; only the Python host is a stand-in (plain/)."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sandbox.tools import pulumi_environment, pulumi_tools
from tests.sandbox.conftest import CHECKOUT


class Project:
    """A checkout, and what somebody who works in it has in the environment."""

    def __init__(self, folder: Path, backend: Path) -> None:
        self.folder = folder
        environment = pulumi_environment(pulumi_tools(lambda _: None), backend.with_name("pulumi-home"))
        host = CHECKOUT / "tests" / "sandbox" / "plain"
        path = [str(host), str(CHECKOUT / ".venv" / "bin"), environment["PATH"]]
        self.environment: Mapping[str, str] = {
            **os.environ,
            **environment,
            "PATH": os.pathsep.join(path),
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "false",
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "a person's own",
        }

    def run(self, *command: str, cloud: int | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """In the checkout; `cloud` is the port of a stand-in for Google's."""
        attached = {"PULUMI_DEBUG_PROVIDERS": f"gcp:{cloud}"} if cloud else {}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **attached, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def pulumi(self, *arguments: str, cloud: int | None = None) -> subprocess.CompletedProcess[str]:
        return self.run("pulumi", *arguments, "--non-interactive", cloud=cloud)
