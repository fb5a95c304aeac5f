"""The hub with the token of a pod. A part of the programs that may have one alone; it is put before them."""

import os
from pathlib import Path

from components.manifests.programs.hub_files import Hub


def hub_of_the_pod() -> Hub:
    """The hub that the pod's variables name, with the token of the file that they name, where there is one."""
    token = Path(os.environ.get("HF_TOKEN_PATH", "/nonexistent"))
    return Hub(
        os.environ.get("HF_ENDPOINT", "https://huggingface.co"),
        token.read_text(encoding="utf-8").strip() if token.is_file() else "",
    )
