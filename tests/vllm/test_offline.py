"""vLLM itself finds what was fetched to a node, by the model's name and with no hub to ask."""

import json
import subprocess
from pathlib import Path

import pytest

from oracle.environment import make, variables
from tests.unit.hub_of_files import REPOSITORY, HubOfFiles, serve
from tests.unit.test_fetch_weights import FILES, WANTED, run

pytestmark = pytest.mark.vllm


def test_vllm_takes_the_fetched_folder_for_the_models_name(tmp_path: Path) -> None:
    with serve(HubOfFiles(dict(FILES))) as hub:
        assert run(hub, tmp_path / "node")[0] == 0
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "node" / "hub"), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [str(make()), str(Path(__file__).with_name("offline.py")), REPOSITORY],
        env={**variables(), **offline},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    folder = Path(said["folder"])
    assert folder.is_relative_to(tmp_path / "node") and said["served"] == REPOSITORY
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == WANTED


def test_without_what_was_fetched_vllm_says_so_and_asks_nobody(tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HOME": str(tmp_path)}
    script = str(Path(__file__).with_name("offline.py"))
    done = subprocess.run(
        [str(make()), script, REPOSITORY], env={**variables(), **offline}, capture_output=True, text=True
    )
    assert done.returncode != 0 and "LocalEntryNotFoundError" in done.stderr
