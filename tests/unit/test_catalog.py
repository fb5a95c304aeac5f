"""The catalogue's entries are well-formed and say where their figures come from."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog import (
    ACCELERATORS,
    CHART_RELEASES,
    INSTALLER_RELEASES,
    REGION_PRICES,
    VLLM_RELEASES,
    Accelerator,
    Entries,
    Image,
    InvalidEntry,
    Transport,
    sources,
)
from catalog.assumption import assumptions
from catalog.cold_start import cold_start
from catalog.performance import performance
from catalog.quotas import compute_quotas
from tests.unit.catalog_entries import FOLDERS, cited, every_entry


class TestFiles:
    def test_each_accelerator_that_is_promised_has_an_entry(self) -> None:
        assert set(ACCELERATORS) >= {
            "l4", "rtx-pro-6000", "a100-40gb", "a100-80gb", "h100", "h100-mega", "h200", "b200", "gb200", "gb300",
        }  # fmt: skip

    def test_no_folder_is_empty(self) -> None:
        assert [kind for kind, folder in FOLDERS.items() if not folder] == []

    @every_entry
    def test_it_is_right_and_says_where_it_is_from(self, folder: Entries[Any], name: str) -> None:
        keys = cited(folder[name])
        assert keys
        assert keys <= sources().keys()

    def test_no_source_is_listed_that_nothing_cites(self) -> None:
        used = {key for folder in FOLDERS.values() for entry in folder.values() for key in cited(entry)}
        used |= {*compute_quotas().sources, *(key for each in assumptions() for key in each.sources)}
        used |= {*performance().sources, *cold_start().node_cache.sources, cold_start().nat_gib.source}
        used |= {each.source for each in cold_start().bucket.gib_month.values()}
        assert sources().keys() - used == set()

    @pytest.mark.parametrize(
        ("folder", "kind"),
        [("accelerators", ACCELERATORS), ("installers", INSTALLER_RELEASES)],
        ids=["accelerators", "installers"],
    )
    def test_an_entry_is_named_as_its_file(self, folder: str, kind: Entries[Any]) -> None:
        assert [name for name, entry in kind.items() if entry.name != name] == [], folder

    def test_a_release_is_named_as_its_file(self) -> None:
        assert [name for name, release in VLLM_RELEASES.items() if release.version != name] == []
        assert [name for name, chart in CHART_RELEASES.items() if chart.name != name] == []
        assert [name for name, region in REGION_PRICES.items() if region.region != name] == []


class TestInvalidEntries:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "accelerators"
        folder.mkdir()
        return folder

    @pytest.mark.parametrize(
        "change",
        [
            ("gkeLabel: nvidia-l4", "gkeLable: nvidia-l4"),
            ("maxPodsPerNode: 32", "maxPodsPerNode: many"),
            ("default: pd-balanced", "default: floppy"),
            ("title: NVIDIA L4 24 GB", "title: [unclosed"),
            ("vcpus: 4\n", "vcpus: 4\n    wheels: 4\n"),
        ],
        ids=["misspelt key", "wrong type", "unknown value", "no YAML", "unknown key"],
    )
    def test_its_file_is_named_in_the_error(self, folder: Path, change: tuple[str, str]) -> None:
        good = (Path(catalog.__file__).parent / "accelerators" / "l4.yaml").read_text(encoding="utf-8")
        assert change[0] in good
        (folder / "broken-one.yaml").write_text(good.replace(*change), encoding="utf-8")
        with pytest.raises(InvalidEntry, match=r"accelerators/broken-one\.yaml"):
            Entries(folder, Accelerator)["broken-one"]

    def test_a_fictional_accelerator_needs_its_file_alone(self, folder: Path) -> None:
        good = (Path(catalog.__file__).parent / "accelerators" / "h200.yaml").read_text(encoding="utf-8")
        (folder / "x1.yaml").write_text(good.replace("name: h200", "name: x1"), encoding="utf-8")
        assert Entries(folder, Accelerator)["x1"].fabric.transport is Transport.RDMA

    def test_a_default_that_is_not_offered_is_refused(self, folder: Path) -> None:
        good = (Path(catalog.__file__).parent / "accelerators" / "l4.yaml").read_text(encoding="utf-8")
        text = good.replace("defaultMachineType: g2-standard-12", "defaultMachineType: g2-standard-1")
        (folder / "l4.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(InvalidEntry, match="g2-standard-1"):
            Entries(folder, Accelerator)["l4"]

    def test_a_digest_without_its_date_is_refused(self) -> None:
        with pytest.raises(ValueError, match="lock-images"):
            Image(repository="docker.io/library/busybox", tag="1", digest="sha256:" + "0" * 64)


def test_opening_the_catalogue_reads_no_entry() -> None:
    code = (
        "import catalog, sys\n"
        "assert not any(folder._loaded for folder in (catalog.ACCELERATORS, catalog.REGION_PRICES))\n"
        "assert not {'pulumi', 'config', 'planning'} & set(sys.modules)\n"
        "print('opened')"
    )
    root = Path(catalog.__file__).parent.parent
    run = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    assert run.stdout == "opened\n"
