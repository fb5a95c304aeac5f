"""Starts a Python policy pack with an engine that has no host for such packs.

The engine starts an executable file that it is given as a pack; ours hands over to the pack's own program.
"""

import shlex
import sys
from pathlib import Path


class NoPack(Exception):
    """The folder holds no policy pack; the message names it."""


def executable_pack(pack: Path, folder: Path) -> Path:
    """A file in `folder` that runs the pack in the folder `pack` with this very Python."""
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
