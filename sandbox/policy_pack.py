"""Lets the Pulumi engine start a Python policy pack, for which its Go build has no host.

The Pulumi engine starts an executable file that it is given as a pack; this one starts the pack's own program.
"""

import shlex
import sys
from pathlib import Path


class NoPack(Exception):
    """The folder holds no policy pack; the message names it."""


def executable_pack(pack: Path, folder: Path) -> Path:
    """Writes a file into `folder` that runs the policy pack in `pack` with this Python, and returns its path."""
    program = (pack / "__main__.py").resolve()
    if not program.is_file():
        raise NoPack(f"{pack} is no policy pack: it has no __main__.py")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{pack.resolve().name}-pack"
    file.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(program))} "$@"\n', encoding="utf-8"
    )
    file.chmod(0o755)
    return file
