"""The program that keeps a node's cache: what it makes, what it empties, and what it never touches."""

import os
import stat
from pathlib import Path

import pytest

from components.manifests.programs.node_cache import evict, prepare, used

PIECE = 64 * 1024


def fill(folder: Path, pieces: int, age: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(pieces):
        (folder / f"{index}.safetensors").write_bytes(os.urandom(PIECE))
    os.utime(folder, (1_000_000 - age, 1_000_000 - age))


def test_a_folder_is_the_servers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, user, group: owners.update({Path(path).name: (user, group)}))
    prepare(tmp_path / "root", ["acme--one", "acme--two"], 10001)
    prepare(tmp_path / "root", ["acme--one", "acme--two"], 10001)
    assert owners == {"acme--one": (10001, 10001), "acme--two": (10001, 10001)}
    assert stat.S_IMODE((tmp_path / "root" / "acme--one").stat().st_mode) == 0o700


def test_nothing_goes_while_all_is_below_the_bound(tmp_path: Path) -> None:
    fill(tmp_path / "old", 4, age=100)
    fill(tmp_path / "wanted", 4, age=0)
    assert evict(tmp_path, ["wanted"], used(tmp_path), 0) == []
    assert used(tmp_path / "old") >= 4 * PIECE


def test_above_the_bound_the_longest_unused_goes_first_and_no_more_than_needed(tmp_path: Path) -> None:
    fill(tmp_path / "older", 4, age=200)
    fill(tmp_path / "old", 4, age=100)
    fill(tmp_path / "wanted", 4, age=300)
    assert evict(tmp_path, ["wanted"], used(tmp_path) - PIECE, 0) == [str(tmp_path / "older")]
    assert used(tmp_path / "old") >= 4 * PIECE and used(tmp_path / "wanted") >= 4 * PIECE
    assert list((tmp_path / "older").iterdir()) == []
    assert evict(tmp_path, ["wanted"], used(tmp_path), 0) == []


def test_what_a_server_of_the_plan_uses_stays_however_full_it_is(tmp_path: Path) -> None:
    fill(tmp_path / "wanted", 4, age=300)
    fill(tmp_path / "old", 1, age=100)
    assert evict(tmp_path, ["wanted"], 0, 0) == [str(tmp_path / "old")]
    assert len(list((tmp_path / "wanted").iterdir())) == 4


def test_of_compiled_kernels_the_latest_stay(tmp_path: Path) -> None:
    kernels = tmp_path / "wanted" / "kernels"
    for name, age in (("first", 300), ("second", 200), ("latest", 100)):
        fill(kernels / name, 2, age=age)
    assert evict(tmp_path, ["wanted"], 1 << 40, 5 * PIECE) == [str(kernels / "first")]
    assert evict(tmp_path, ["wanted"], 1 << 40, 0) == [str(kernels / "second")]
    assert [folder.name for folder in kernels.iterdir()] == ["latest"]
