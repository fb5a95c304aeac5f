"""Obtains checkov, kube-score and kubeconform, which the lock files of this folder pin; each is built or installed
once."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.tools import ToolsError, cache_folder

_HERE = Path(__file__).parent
_GO_TOOLS = {
    "kube_score": ("github.com/zegl/kube-score/cmd/kube-score", "kube-score"),
    "kubeconform": ("github.com/yannh/kubeconform/cmd/kubeconform", "kubeconform"),
}
"""One Go module for each: in one module they would change each other's dependencies."""


@dataclass(frozen=True)
class Linters:
    checkov: Path
    kube_score: Path
    kubeconform: Path
    kubernetes_schemas: Path
    """The folder of kubernetes-validate's schemas, with a folder for each version of Kubernetes."""


def linters(report: Callable[[str], None]) -> Linters:
    """The paths of all linters. Raises ToolsError."""
    modules = [_HERE / module / name for module in _GO_TOOLS for name in ("go.mod", "go.sum")]
    locks = [*modules, _HERE / "requirements.txt"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in locks) + sys.version.encode()).hexdigest()[:16]
    folder = cache_folder() / f"linters-{digest}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "linters.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, report)
            (folder / "complete").touch()
    (package,) = (folder / "checkov" / "lib").glob("python3*/site-packages/kubernetes_validate")
    return Linters(
        checkov=folder / "checkov" / "bin" / "checkov",
        kube_score=folder / "kube-score",
        kubeconform=folder / "kubeconform",
        kubernetes_schemas=package / "kubernetes-json-schema",
    )


def _make(folder: Path, report: Callable[[str], None]) -> None:
    folder.mkdir()
    for module, (program, name) in _GO_TOOLS.items():
        report(f"building {name}: half a minute, once")
        _run(["go", "build", "-o", str(folder / name), program], cwd=_HERE / module)
    report("installing checkov in an environment of its own: half a minute, once")
    # The environment is made with copies, and at the place where it stays, since it cannot be moved.
    _run([sys.executable, "-m", "venv", str(folder / "checkov")], cwd=_HERE)
    pip = [str(folder / "checkov" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    _run([*pip, "-r", "requirements.txt"], cwd=_HERE)


def _run(command: list[str], cwd: Path) -> None:
    try:
        result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ToolsError(f"{command[0]} is needed for the linters, and is not on PATH") from error
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip()).splitlines()[-1:]
        raise ToolsError(f"{' '.join(command[:3])} failed: {' '.join(last)}")
