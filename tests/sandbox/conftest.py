"""Copies of the checkout, each with its sandbox, driven as a person drives it: by make."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Checkout:
    """A checkout of its own, so that no test meets another, or the sandbox of whoever runs it."""

    folder: Path

    def make(self, target: str, stack: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "--no-print-directory", target, f"STACK={stack}"]
        command += [f"{name}={value}" for name, value in variables.items()]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def succeed(self, target: str, stack: str, **variables: str) -> str:
        run = self.make(target, stack, **variables)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout + run.stderr

    def processes(self, folder: Path | None = None) -> list[str]:
        """Command lines of processes that work in this checkout, or in that folder of it, or were told of it."""
        place = f"{folder or self.folder}/"
        found: list[str] = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                there = f"{(process / 'cwd').readlink()}/"
                told = place.encode() in (process / "environ").read_bytes()
            except OSError:
                continue
            if process.name != str(os.getpid()) and (told or place in line or there.startswith(place)):
                found.append(line)
        return found


def copy_checkout(target: Path) -> Checkout:
    """What git would clone, uncommitted work included, with this checkout's .venv."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target / name)
    (target / ".venv").symlink_to(CHECKOUT / ".venv")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=target, check=True)
    return Checkout(target)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = copy_checkout(tmp_path_factory.mktemp("checkout"))
    yield made
    for folder in (made.folder / ".sandbox").glob("*/"):
        made.make("destroy", folder.name)
