"""Runs the script of a test's pod as a local process, in a folder with the files of the test's image."""

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.cluster.nccl.facts import NcclImage

HOSTS = "STANDIN_HOSTS"
IMAGE_ROOT = "STANDIN_ROOT"
BEHAVIOUR = "STANDIN_BEHAVIOUR"
NCCL = "STANDIN_NCCL"
PEAK = "STANDIN_PEAK"

_HERE = Path(__file__).parent
_IMPORT_ROOT = _HERE.parents[2]
# A path that begins with one of the image's own folders, and is not the end of a longer path.
_PATH = re.compile(r"(?<![\w.$}/-])/(scripts|third_party|sbin|tmp)\b")


@dataclass(frozen=True)
class NcclPod:
    """One pod of a test. `root` is the folder that stands for `/`; `hosts` is a folder that all pods of a test share;
    `behaviour` is a file that says how the test goes, read while it runs. All paths are absolute."""

    image: NcclImage
    root: Path
    hosts: Path
    host: str
    behaviour: Path

    def prepare(self) -> None:
        """Write the image's files into the pod's folder."""
        for folder in (self.root / "tmp", self.root / "scripts", self.hosts):
            folder.mkdir(parents=True, exist_ok=True)
        for script in self.image.scripts:
            shutil.copy2(_HERE / "scripts" / script, self.root / "scripts" / script)
        for program in self.image.programs:
            file = self.root / program.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("#!/bin/sh\n", encoding="utf-8")
            file.chmod(0o755)

    def command(self, line: list[str]) -> list[str]:
        """The container's command line, with the image's paths replaced by those on this machine."""
        return [_PATH.sub(lambda match: f"{self.root}/{match[1]}", word) for word in line]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        return {
            **variables,
            "PATH": os.pathsep.join([str(_HERE / "bin"), os.defpath]),
            "PYTHONPATH": str(_IMPORT_ROOT),
            "STANDIN_PYTHON": sys.executable,
            "STANDIN_HOST": self.host,
            HOSTS: str(self.hosts),
            IMAGE_ROOT: str(self.root),
            BEHAVIOUR: str(self.behaviour),
            NCCL: self.image.nccl,
            PEAK: str(self.image.gbytes_per_second),
        }

    def leave(self) -> None:
        """Remove the pod's files; no other pod can reach it from then on."""
        (self.hosts / self.host).unlink(missing_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)
