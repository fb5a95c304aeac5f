"""Again and again up and down, killed on the way or not: nothing grows, here or outside of the checkout.

Two cycles of each kind by night; CYCLES says how many else.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sandbox.conftest import Checkout, copy_checkout
from tests.sandbox.torture import killed

CYCLES = int(os.environ.get("CYCLES", "2"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600 * CYCLES)]

_MORE = 1.1
"""The memory of a process and the size of its files differ by some percent from run to run."""


@dataclass(frozen=True)
class Sizes:
    """What there is while the stack is up."""

    processes: int
    sockets: int
    files: int
    megabytes: int
    supervisor_megabytes: int


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stands for the system's temporary folder."""
    folder = tmp_path_factory.mktemp("outside")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def there(outside: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    checkout = copy_checkout(tmp_path_factory.mktemp("checkout"))
    yield checkout
    checkout.make("destroy", "dev")


def sizes(checkout: Checkout) -> Sizes:
    place = checkout.folder / ".sandbox"
    files = [path for path in place.rglob("*") if path.is_file()]
    supervisor = next(each for each in Path("/proc").glob("[0-9]*") if _supervises(each, place))
    resident = next(line for line in (supervisor / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return Sizes(
        processes=len(checkout.processes()),
        sockets=sum(path.is_socket() for path in place.rglob("*")),
        files=len(files),
        megabytes=sum(path.stat().st_size for path in files) // 10**6,
        supervisor_megabytes=int(resident.split()[1]) // 1000,
    )


def _supervises(process: Path, place: Path) -> bool:
    try:
        line = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return b"sandbox.cluster.supervisor" in line and str(place).encode() in line


def tools() -> dict[str, int]:
    """The files of the tools' cache with their sizes in bytes, but for the notes of which checkouts use it: others on
    this machine come and go."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inference-platform" / "tools"
    return {
        str(path.relative_to(cache)): path.stat().st_size
        for path in cache.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".log") and path.parent.name != ".used-by"
    }


def status(checkout: Checkout) -> str:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=checkout.folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kill", [None, "up", "destroy"])
def test_nothing_grows(there: Checkout, outside: Path, kill: str | None) -> None:
    before, checkout = tools(), status(there)
    seen: list[Sizes] = []
    for cycle in range(CYCLES):
        if kill == "up":
            killed(there, "up", "dev", 5 + 20 * cycle % 45)
        there.succeed("up", "dev")
        seen.append(sizes(there))
        if kill == "destroy":
            killed(there, "destroy", "dev", 5 + 20 * cycle % 45)
        there.succeed("destroy", "dev")
        print(f"killed {kill}, cycle {cycle + 1}: {seen[-1]}")
        assert there.processes() == []
        assert not (there.folder / ".sandbox").exists()
        assert [str(path) for path in outside.rglob("*")] == []
    first, last = seen[0], seen[-1]
    assert (last.processes, last.sockets) == (first.processes, first.sockets), seen
    assert last.files <= first.files * _MORE and last.megabytes <= first.megabytes * _MORE + 1, seen
    assert last.supervisor_megabytes <= first.supervisor_megabytes * _MORE, seen
    assert tools() == before
    assert status(there) == checkout
