"""The Go modules of this folder: the pins of their go.mod, their downloaded folders, and builds of their programs."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.tools._cache import Report, ToolsError, content_key
from sandbox.tools._child import Child, run_child

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class GoModule:
    """A folder with go.mod and go.sum, the one place of its tools' versions and checksums."""

    name: str

    @property
    def folder(self) -> Path:
        return _HERE / self.name

    def version(self, module: str) -> str:
        """The pinned version of a module, without the leading "v"."""
        found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", self._text(), re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.folder / 'go.mod'} does not require {module}")
        return found[1]

    def go_version(self) -> str:
        """The oldest version of Go that can build this module."""
        found = re.search(r"^go (\S+)$", self._text(), re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.folder / 'go.mod'} has no go directive")
        return found[1]

    def key(self, *words: str) -> str:
        """The content key of what is made from this module with these flags."""
        return content_key([*self.folder.glob("go.*"), *self.folder.glob("*.go")], *words)

    def _text(self) -> str:
        return (self.folder / "go.mod").read_text()


@dataclass(frozen=True)
class GoProgram:
    """Programs that are built together. `packages` says which file name each package gets among the executables."""

    title: str
    module: GoModule
    packages: Mapping[str, str]
    linker_flags: str
    minutes: int

    def key(self) -> str:
        return self.module.key(self.linker_flags, *sorted(self.packages))


def build(program: GoProgram, *, source: Path, executables: Path, log: Path, report: Report) -> None:
    """Builds every program of the module in `source`, or in a completed copy of it, into the folder `executables`."""
    go = require_go(program.module, program.title)
    # An interrupted `go build` leaves files behind; here they are removed together with this folder.
    scratch = executables / ".scratch"
    scratch.mkdir(parents=True)
    command = [go, "build", "-v", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {program.linker_flags}"]
    command += [f"-o={executables}{os.sep}", *program.packages]
    environment = _environment() | {"GOTMPDIR": str(scratch)}
    if not run_child(Child(command, source, environment, log, program.title), report):
        reason = _last_words(log.read_text(errors="replace"))
        raise ToolsError(f"building {program.title} failed: {reason} (log: {log})")
    shutil.rmtree(scratch)
    for package, file_name in program.packages.items():
        (executables / _default_name(package)).rename(executables / file_name)


def module_folders(module: GoModule, wanted: Iterable[str], title: str) -> dict[str, Path]:
    """Downloads modules that go.mod pins, checked against go.sum, and returns their folders."""
    go = require_go(module, title)
    outcome = subprocess.run(
        [go, "mod", "download", "-json", *wanted],
        cwd=module.folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    # The output is one JSON document after the other, and not a list.
    decoder, rest, folders, errors = json.JSONDecoder(), outcome.stdout.strip(), dict[str, Path](), list[str]()
    while rest:
        document, end = decoder.raw_decode(rest)
        rest = rest[end:].lstrip()
        if "Error" in document:
            errors.append(document["Error"])
        else:
            folders[document["Path"]] = Path(document["Dir"])
    if outcome.returncode or errors:
        raise ToolsError(f"downloading {title} failed: {_last_words(' '.join(errors) or outcome.stderr)}")
    return folders


def require_go(module: GoModule, title: str) -> str:
    """The path of the Go command. Raises ToolsError if it is missing or too old for this module."""
    needed = module.go_version()
    go = shutil.which("go")
    if go is None:
        raise ToolsError(f"Go {needed} or newer is needed to build {title}; no go is on PATH (https://go.dev/dl/)")
    # Go is asked in the module's folder, since it may switch to the toolchain that go.mod names.
    answer = subprocess.run(
        [go, "version"], cwd=module.folder, env=_environment(), capture_output=True, text=True, check=False
    )
    found = re.search(r"go version go(\d+(?:\.\d+)*)", answer.stdout)
    if found is None:
        raise ToolsError(f"Go {needed} or newer is needed to build {title}; {go} says: {_last_words(answer.stderr)}")
    if _numbers(found[1]) < _numbers(needed):
        raise ToolsError(f"Go {needed} or newer is needed to build {title}; found {found[1]} at {go}")
    return go


def _environment() -> dict[str, str]:
    # The caller's environment must not change what is built: no workspace, no flags, no C compiler.
    return {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}


def _default_name(package: str) -> str:
    """The file name that `go build` gives a package: the path's last part that is not a major version."""
    parts = package.split("/")
    return parts[-2] if re.fullmatch(r"v\d+", parts[-1]) else parts[-1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _last_words(output: str) -> str:
    """The end of a program's output on one line, without the names of packages that it compiled."""
    if "no space left on device" in output:
        return "no space left on device; a first build needs 12 GB (see GOCACHE, GOMODCACHE, XDG_CACHE_HOME)"
    lines = [line.strip() for line in output.splitlines() if " " in line.strip()]
    return " | ".join(lines[-3:]) or "it said nothing"
