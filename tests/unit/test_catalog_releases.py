"""Releases are pinned, exist, and fit the accelerators; a GKE version reaches a floor or does not."""

from typing import Any

import pytest

from catalog import (
    CHART_RELEASES,
    GKE_FEATURES,
    GKE_RELEASES,
    INSTALLER_RELEASES,
    PINS,
    VLLM_RELEASES,
    Accelerator,
    Basis,
    Entries,
    GkeFeature,
    GpuDriverVersion,
    Image,
    InstallerRelease,
    gke_version_reaches,
)
from tests.unit.catalog_entries import every_accelerator, every_entry, values


class TestReleases:
    def test_what_is_pinned_exists(self) -> None:
        assert PINS.vllm in VLLM_RELEASES

    def test_one_installer_of_each_transport_and_architecture_is_pinned(self) -> None:
        kinds = {(each.transport, each.architecture) for each in INSTALLER_RELEASES.values()}
        pinned = [(each.transport, each.architecture) for each in INSTALLER_RELEASES.values() if each.pinned]
        assert sorted(pinned) == sorted(kinds)

    @every_entry
    def test_no_image_floats(self, folder: Entries[Any], name: str) -> None:
        for _, _, value in values(folder[name]):
            if isinstance(value, Image):
                assert value.tag not in ("", "latest", "main", "release")
                assert (value.digest is None) == (value.digest_date is None)

    def test_a_locked_image_is_pulled_by_its_digest(self) -> None:
        image = VLLM_RELEASES["0.33.0"].image
        assert image.reference.startswith("docker.io/vllm/vllm-openai:v0.33.0")
        digest = "sha256:" + "0" * 64
        locked = Image.model_validate({**image.model_dump(), "digest": digest, "digest_date": "2026-11-24"})
        assert locked.reference == f"docker.io/vllm/vllm-openai:v0.33.0@{digest}"

    def test_only_measured_releases_have_a_measured_memory_model(self) -> None:
        for release in VLLM_RELEASES.values():
            measured = [tried for tried in release.tried if tried.basis is Basis.MEASURED and "gpu" in tried.with_]
            assert (release.memory_basis is Basis.MEASURED) == bool(measured)

    @every_accelerator
    def test_the_pinned_image_runs_on_its_architecture(self, accelerator: Accelerator) -> None:
        assert accelerator.architecture in VLLM_RELEASES[PINS.vllm].architectures

    @every_accelerator
    def test_its_default_gke_is_in_the_catalogue(self, accelerator: Accelerator) -> None:
        assert accelerator.gke.default_prefix is None or accelerator.gke.default_prefix.rstrip(".") in GKE_RELEASES

    def test_an_unknown_driver_is_none(self) -> None:
        assert GKE_RELEASES["1.35"].driver_branch(GpuDriverVersion.LATEST) is None
        assert GKE_RELEASES["1.33"].driver_branch(GpuDriverVersion.DEFAULT) == 575
        assert GKE_RELEASES["1.36"].driver_branch(GpuDriverVersion.LATEST) == 580

    @every_accelerator
    def test_charts_it_needs_exist(self, accelerator: Accelerator) -> None:
        driver = accelerator.nodes.dra_driver
        assert driver is None or driver in CHART_RELEASES
        assert (driver is not None) == (accelerator.machine_types[0].nvlink_nodes > 1)

    @pytest.mark.parametrize("installer", list(INSTALLER_RELEASES.values()), ids=lambda entry: entry.name)
    def test_an_installer_writes_into_folders_it_mounts(self, installer: InstallerRelease) -> None:
        mounted = [path.mount_path for path in installer.host_paths]
        assert all(any(copy.target.startswith(path) for path in mounted) for copy in installer.copies)
        assert bool(installer.host_preparation) <= (installer.host_image is not None)


class TestGkeVersions:
    TCPX = ("1.30", "1.34.5-gke.1153000", "1.35.2-gke.1485000", "1.36")

    @pytest.mark.parametrize(
        ("version", "reached"),
        [
            ("1.29.9-gke.1", False),
            ("1.30.1-gke.1", True),
            ("1.33.4-gke.1036000", True),
            ("1.34.4-gke.9999999", False),
            ("1.34.5-gke.1152999", False),
            ("1.34.5-gke.1153000", True),
            ("1.35.1-gke.1", False),
            ("1.35.10-gke.1", True),
            ("1.36.0-gke.1", True),
            ("1.33.", True),
            ("1.36.", True),
            ("1.35.", None),
            ("1.34.5", None),
            ("1.34.4", False),
            ("1.29.", False),
        ],
    )
    def test_a_minor_has_its_own_floor_or_that_of_the_next_lower(self, version: str, reached: bool | None) -> None:
        assert gke_version_reaches(version, self.TCPX) is reached

    @pytest.mark.parametrize(("name", "feature"), list(GKE_FEATURES.items()), ids=lambda value: str(value)[:20])
    def test_a_feature_starts_in_a_minor_that_later_ones_keep(self, name: str, feature: GkeFeature) -> None:
        assert feature.name == name
        assert gke_version_reaches("1.36.", feature.floors) is True
        assert gke_version_reaches("1.27.", feature.floors) is False

    def test_without_floors_all_is_well(self) -> None:
        assert gke_version_reaches("1.20.", ()) is True
