"""What the cloud made while the Pulumi engine was killed is taken in by the next command, or named; it is never
forgotten."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.cloud.store import Store
from tests.sandbox.conftest import Checkout
from tests.sandbox.torture import kill
from tests.sandbox.waiting import wait_for

pytestmark = pytest.mark.timeout(1200)

NETWORK = "gcp:compute/network:Network"
SILENT = "faults: [{stage: create, type: Network, outcome: silent}]\n"


@pytest.fixture
def home(checkout: Checkout) -> Iterator[Path]:
    """The folder of dev, whose VPC was made while the Pulumi engine was killed."""
    folder = checkout.folder / ".sandbox" / "dev"
    (checkout.folder / "silent.yaml").write_text(SILENT)
    command = ["make", "up", "STACK=dev", "SANDBOX_SCENARIO=silent.yaml"]
    with subprocess.Popen(
        command, cwd=checkout.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        wait_for("the VPC is made", lambda: networks(folder) != [])
        kill(checkout, process.pid)
    yield folder
    shutil.rmtree(folder.parent, ignore_errors=True)


def networks(folder: Path) -> list[str]:
    file = folder / "cloud.json"
    return [id_ for id_, _ in Store(file).read().of(NETWORK)] if file.exists() else []


def test_destroy_deletes_what_was_made_while_the_engine_was_killed(checkout: Checkout, home: Path) -> None:
    told = checkout.succeed("destroy", "dev")
    assert "made while a command was killed" in told
    assert "stack dev is gone" in told and not home.exists()


def test_destroy_names_what_no_state_knows_and_keeps_it(checkout: Checkout, home: Path) -> None:
    (made,) = networks(home)
    shutil.rmtree(home / "state")
    for _ in range(2):
        run = checkout.make("destroy", "dev")
        told = run.stdout + run.stderr
        assert run.returncode != 0 and "stack dev is gone" not in told, told
        assert f"{NETWORK} {made}" in told and "rm -r .sandbox/dev" in told
        assert networks(home) == [made]
    assert checkout.processes() == []
