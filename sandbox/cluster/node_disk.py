"""Nodes whose disk is small, on demand."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.models.behaviour import UnknownBehaviour

FORMS = "disk=100KiB"
_SIZE = re.compile(r"disk=(\d+)(Ki|Mi|Gi)B")
_UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_SCRIPT = Path(__file__).with_name("small_disk.py")


@dataclass(frozen=True)
class NodeDisk:
    """`size`: the bytes that a program finds on each folder of its node; None: as many as this machine has."""

    size: int | None = None

    @classmethod
    def parse(cls, text: str) -> "NodeDisk":
        """Parses `disk=100KiB`. Raises UnknownBehaviour."""
        if not text.strip():
            return cls()
        match = _SIZE.fullmatch(text.strip())
        if match is None:
            raise UnknownBehaviour(f"{text!r} is nothing that nodes do; write {FORMS}, with KiB, MiB or GiB")
        return cls(int(match[1]) * _UNITS[match[2]])

    @classmethod
    def read(cls, file: Path) -> "NodeDisk":
        """What a file asks for; an ordinary disk without the file."""
        return cls.parse(file.read_text(encoding="utf-8") if file.exists() else "")

    def around(self, command: list[str], folders: Iterable[Path]) -> list[str]:
        """The command with these folders of its node on a disk of that size."""
        small = [str(folder) for folder in folders]
        if self.size is None or not small:
            return command
        return [sys.executable, "-S", str(_SCRIPT), str(self.size), *small, "--", *command]
