"""The other side of a comparison: a git ref in a temporary worktree, planned by its own code."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from review.plans import PlanView, read_plan
from review.secrets import scrub
from sandbox.scratch import scratch_folder

_MAIN = ("origin/main", "main", "origin/master", "master")


class NoBase(Exception):
    """There is nothing to compare with; the message says why."""


@dataclass(frozen=True)
class Planned:
    """A plan, or the reason for which there is none."""

    plan: PlanView | None
    problem: str = ""


def default_base(checkout: Path) -> str:
    """The commit at which this branch left the main one; on the main branch, its last commit. Raises NoBase."""
    for name in _MAIN:
        found = _git(checkout, "merge-base", "HEAD", name)
        if found.returncode == 0:
            return found.stdout.strip()
    found = _git(checkout, "rev-parse", "HEAD")
    if found.returncode != 0:
        raise NoBase("this folder is no git checkout with a commit; name a ref with BASE=")
    return found.stdout.strip()


@contextmanager
def worktree(checkout: Path, ref: str) -> Generator[Path]:
    """Yields a folder with the files of `ref`; it is removed afterwards. Raises NoBase."""
    commit = _git(checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit.returncode != 0:
        raise NoBase(f"{ref} names no commit here; fetch it first, or write BASE= one that is here")
    with scratch_folder("base") as scratch:
        # Of a killed command git still knows the folder.
        _git(checkout, "worktree", "prune")
        folder = scratch / "base"
        added = _git(checkout, "worktree", "add", "--detach", "--quiet", str(folder), commit.stdout.strip())
        if added.returncode != 0:
            raise NoBase(added.stderr.strip())
        try:
            yield folder
        finally:
            _git(checkout, "worktree", "remove", "--force", str(folder))


def plan_of(folder: Path, stack: str) -> Planned:
    """The plan by the code in `folder`. It runs in another process, because its modules have the same names as ours."""
    if not (folder / f"Pulumi.{stack}.yaml").is_file():
        return Planned(None, f"it has no stack {stack}")
    command = [sys.executable, "-m", "planning", "stack", stack, "--format", "json"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip().splitlines() or ["it says nothing"]
        # A program that fails says why on its last line; a refused plan may need a few lines.
        why = said[-1:] if any(line.startswith("Traceback") for line in said) else said[-4:]
        return Planned(None, f"it cannot be planned: {scrub(' '.join(why))}")
    try:
        return Planned(read_plan(run.stdout))
    except ValueError as error:
        return Planned(None, f"its plan cannot be read: {scrub(' '.join(str(error).split())[:300])}")


def short(ref: str) -> str:
    """A commit in its short form; a name unchanged."""
    return ref[:10] if len(ref) == 40 and all(character in "0123456789abcdef" for character in ref) else ref


def _git(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=False)
