"""The tools' cache says what it holds, and gives up what no checkout uses."""

from pathlib import Path

import pytest

from sandbox.tools import _cache, entries, prune

NEW, OLD = "0" * 15 + "2", "0" * 15 + "1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "inference-platform" / "tools"


def silent(line: str) -> None:
    pass


def make(folder: Path) -> None:
    (folder / "program").write_text("x" * 10_000)


def use(monkeypatch: pytest.MonkeyPatch, checkout: Path, key: str, name: str = "pulumi") -> Path:
    """What a checkout does that needs a tool."""
    (checkout / "sandbox" / "tools").mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(_cache, "_CHECKOUT", checkout)
    return _cache.entry(name, key, make, silent)


def kept() -> dict[str, int]:
    return {entry.folder.name: len(entry.checkouts) for entry in entries()}


def test_an_entry_knows_the_checkouts_that_use_it_and_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for checkout in ("one", "two", "two"):
        use(monkeypatch, tmp_path / checkout, NEW)
    (entry,) = entries()
    assert set(entry.checkouts) == {tmp_path / "one", tmp_path / "two"}
    assert 10_000 <= entry.size < 100_000


def test_what_no_checkout_uses_is_deleted_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, tmp_path / "moved-on", OLD)
    use(monkeypatch, tmp_path / "moved-on", NEW)
    use(monkeypatch, tmp_path / "stays", NEW, name="pulumi-home")
    assert kept() == {f"pulumi-{OLD}": 0, f"pulumi-{NEW}": 1, f"pulumi-home-{NEW}": 1}
    told: list[str] = []
    assert prune(told.append) >= 10_000
    assert kept() == {f"pulumi-{NEW}": 1, f"pulumi-home-{NEW}": 1} and told == [f"deleted pulumi-{OLD}"]


def test_a_checkout_that_was_deleted_uses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    use(monkeypatch, tmp_path / "gone", NEW)
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    assert prune(silent) > 0
    assert not [each for each in cache.iterdir() if each.is_dir()]


def test_notes_of_checkouts_that_are_gone_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    for number in range(5):
        use(monkeypatch, tmp_path / f"of-a-test-{number}", NEW)
        (tmp_path / f"of-a-test-{number}").rename(tmp_path / f"gone-{number}")
    use(monkeypatch, tmp_path / "stays", NEW)
    assert len(list((cache / f"pulumi-{NEW}" / ".used-by").iterdir())) == 1


def test_what_is_pruned_under_a_checkouts_hands_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = _cache._use  # pyright: ignore[reportPrivateUsage]
    pruned: list[int] = []

    def too_late(name: str, folder: Path) -> None:
        if not pruned:
            pruned.append(prune(silent))
        noted(name, folder)

    monkeypatch.setattr(_cache, "_use", too_late)
    folder = use(monkeypatch, tmp_path / "slow", NEW)
    assert pruned[0] > 0 and (folder / "program").exists() and kept() == {f"pulumi-{NEW}": 1}


def test_an_empty_cache_holds_nothing() -> None:
    assert entries() == () and prune(silent) == 0
