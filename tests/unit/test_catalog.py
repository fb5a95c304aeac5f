"""The catalogue's entries are well-formed, agree with each other, and say where their figures come from."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import catalog
from catalog import (
    ACCELERATORS,
    ALERTS,
    CHART_RELEASES,
    FEES,
    GKE_CHANNELS,
    GKE_FEATURES,
    GKE_RELEASES,
    INSTALLER_RELEASES,
    NETWORK_PROFILES,
    NODE_DAEMONS,
    PINS,
    REGION_PRICES,
    VLLM_RELEASES,
    Accelerator,
    Architecture,
    Basis,
    CapacityKind,
    DiskType,
    Dranet,
    Entries,
    Entry,
    GkeFeature,
    GpuDriverVersion,
    Image,
    InstallerRelease,
    InvalidEntry,
    LocalSsdMode,
    MachineType,
    NicKind,
    NoFabric,
    PriceKind,
    RdmaFabric,
    RdmaMetalFabric,
    Transport,
    gke_version_reaches,
    price,
    sources,
)
from catalog.assumption import assumptions
from catalog.performance import performance
from catalog.quotas import compute_quotas
from catalog.release import Copy

FOLDERS: dict[str, Entries[Any]] = {
    "accelerators": ACCELERATORS,
    "alerts": ALERTS,
    "charts": CHART_RELEASES,
    "fees": FEES,
    "features": GKE_FEATURES,
    "channels": GKE_CHANNELS,
    "gke": GKE_RELEASES,
    "installers": INSTALLER_RELEASES,
    "network profiles": NETWORK_PROFILES,
    "daemons": NODE_DAEMONS,
    "prices": REGION_PRICES,
    "vllm": VLLM_RELEASES,
}
EVERY_ENTRY = [pytest.param(folder, name, id=f"{kind}/{name}") for kind, folder in FOLDERS.items() for name in folder]


def readable() -> Iterator[Accelerator]:
    """The accelerators whose files are right: a wrong one fails the test that bears its name, and no other."""
    for name in ACCELERATORS:
        with contextlib.suppress(InvalidEntry):
            yield ACCELERATORS[name]


every_entry = pytest.mark.parametrize(("folder", "name"), EVERY_ENTRY)
every_accelerator = pytest.mark.parametrize("accelerator", [pytest.param(entry, id=entry.name) for entry in readable()])
every_machine = pytest.mark.parametrize(
    ("accelerator", "machine"),
    [pytest.param(entry, machine, id=machine.name) for entry in readable() for machine in entry.machine_types],
)


def cited(entry: Entry) -> set[str]:
    """The keys of the sources that an entry names, at any depth."""
    found: set[str] = set()
    for owner, name, value in values(entry):
        if name == "sources":
            found.update(value)
        elif name == "source" and not isinstance(owner, Copy):
            found.add(value)
    return found


def values(entry: object) -> Iterator[tuple[Entry, str, Any]]:
    """Every field at or below an entry: whose it is, its name and its value."""
    if isinstance(entry, Entry):
        for name in type(entry).model_fields:
            value = getattr(entry, name)
            yield entry, name, value
            yield from values(value)
    elif isinstance(entry, dict):
        for value in cast(dict[Any, Any], entry).values():
            yield from values(value)
    elif isinstance(entry, tuple):
        for value in cast(tuple[Any, ...], entry):
            yield from values(value)


class TestFiles:
    def test_each_accelerator_that_is_promised_has_an_entry(self) -> None:
        assert set(ACCELERATORS) == {
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
        used |= set(performance().sources)
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
        assert [name for name, chart in CHART_RELEASES.items() if f"{chart.name}-{chart.version}" != name] == []
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


class TestAccelerators:
    @every_accelerator
    def test_the_default_machine_type_is_one_of_its_own(self, accelerator: Accelerator) -> None:
        assert accelerator.machine_type(accelerator.default_machine_type).gpus >= 1

    @every_accelerator
    def test_the_default_boot_disk_is_allowed(self, accelerator: Accelerator) -> None:
        assert accelerator.boot_disk.default in accelerator.boot_disk.allowed

    @pytest.mark.parametrize("name", ["h200", "b200", "gb200", "gb300", "rtx-pro-6000"])
    def test_the_newer_machines_boot_from_hyperdisk_alone(self, name: str) -> None:
        assert ACCELERATORS[name].boot_disk.allowed == (DiskType.HYPERDISK_BALANCED,)

    @every_accelerator
    def test_nodes_keep_other_pods_away(self, accelerator: Accelerator) -> None:
        taints = {(taint.key, taint.value) for taint in accelerator.nodes.taints}
        assert ("nvidia.com/gpu", "present") in taints
        assert (("kubernetes.io/arch", "arm64") in taints) == (accelerator.architecture is Architecture.ARM64)

    def test_a_label_names_one_accelerator(self) -> None:
        labels = [accelerator.gke_label for accelerator in ACCELERATORS.values()]
        assert len(labels) == len(set(labels))

    def test_a_machine_type_belongs_to_one_accelerator(self) -> None:
        names = [machine.name for accelerator in ACCELERATORS.values() for machine in accelerator.machine_types]
        assert len(names) == len(set(names))

    @every_accelerator
    def test_torch_sees_a_little_less_than_what_is_sold(self, accelerator: Accelerator) -> None:
        memory = accelerator.memory
        # The vendor's GB are somewhere between 10^9 bytes and GiB.
        assert 0.91 * memory.nominal_gb < memory.torch_gib < memory.nominal_gb

    def test_only_what_was_measured_says_so(self) -> None:
        measured = {name for name, entry in ACCELERATORS.items() if entry.memory.torch_basis is Basis.MEASURED}
        assert measured == {"h100", "h100-mega", "h200"}
        assert ACCELERATORS["h200"].memory.torch_gib == 139.80
        assert ACCELERATORS["h100"].memory.torch_gib == 79.18

    @every_accelerator
    def test_its_default_gke_is_above_its_floor(self, accelerator: Accelerator) -> None:
        prefix = accelerator.gke.default_prefix
        assert prefix is None or gke_version_reaches(prefix, accelerator.gke.floors) is True

    @every_accelerator
    def test_a_missing_quota_metric_is_never_called_certain(self, accelerator: Accelerator) -> None:
        quota = accelerator.quota
        assert quota.quota_id or not quota.certain

    def test_spot_and_flex_start_count_against_preemptible_quota(self) -> None:
        quota = ACCELERATORS["h200"].quota
        assert quota.metric_for(CapacityKind.SPOT) == "PREEMPTIBLE_NVIDIA_H200_GPUS"
        assert quota.metric_for(CapacityKind.FLEX_START) == "PREEMPTIBLE_NVIDIA_H200_GPUS"
        assert quota.metric_for(CapacityKind.RESERVATION) == "NVIDIA_H200_GPUS"
        assert quota.quota_id_for(CapacityKind.SPOT) == "PREEMPTIBLE-NVIDIA-H200-GPUS-per-project-region"
        assert quota.dimensions_for(CapacityKind.RESERVATION) == {"gpu_family": "NVIDIA_H200"}
        assert quota.dimensions_for(CapacityKind.SPOT) == {}


class TestMachineTypes:
    @every_machine
    def test_nvlink_joins_all_gpus_of_a_node_or_none(self, accelerator: Accelerator, machine: MachineType) -> None:
        if accelerator.nvlink is None:
            assert machine.nvlink_gpus == 1
        else:
            assert machine.nvlink_gpus_per_node == machine.gpus
            assert machine.nvlink_gpus % machine.gpus == 0

    def test_a_rack_of_gb200_or_gb300_is_one_domain(self) -> None:
        for name in ("gb200", "gb300"):
            machine = ACCELERATORS[name].machine_types[0]
            assert (machine.nvlink_gpus, machine.nvlink_nodes) == (72, 18)

    @every_machine
    def test_local_ssds_add_up(self, accelerator: Accelerator, machine: MachineType) -> None:
        ssd = machine.local_ssd
        assert (ssd.mode is LocalSsdMode.NONE) == (ssd.count == 0) == (ssd.total_gib == 0)
        size = 3000 if accelerator.architecture is Architecture.ARM64 else 375
        assert ssd.total_gib == ssd.count * size

    @every_machine
    def test_each_can_be_had_somehow(self, accelerator: Accelerator, machine: MachineType) -> None:
        assert machine.capacity
        assert len(machine.capacity) == len(set(machine.capacity))
        if accelerator.reservation_sub_block_required:
            assert machine.capacity == (CapacityKind.RESERVATION,)

    @pytest.mark.parametrize(
        ("accelerator", "machine"),
        [("h200", "a3-ultragpu-8g"), ("b200", "a4-highgpu-8g"), ("h100", "a3-highgpu-1g"), ("h100", "a3-highgpu-4g")],
    )
    def test_what_google_does_not_sell_on_demand_is_not_offered_so(self, accelerator: str, machine: str) -> None:
        assert CapacityKind.ON_DEMAND not in ACCELERATORS[accelerator].machine_type(machine).capacity

    @every_machine
    def test_its_share_of_a_gpu_is_a_share(self, accelerator: Accelerator, machine: MachineType) -> None:
        assert 0 < machine.gpu_fraction <= 1
        assert machine.gpu_fraction == 1 or machine.gpus == 1
        assert accelerator.torch_gib_of(machine) <= accelerator.memory.torch_gib

    @every_machine
    def test_its_zones_are_dated_and_its_own(self, accelerator: Accelerator, machine: MachineType) -> None:
        available = accelerator.availability_of(machine)
        assert len(available.zones) == len(set(available.zones))
        in_zones = {zone.rsplit("-", 1)[0] for zone in available.zones}
        assert not in_zones & set(available.regions_without_known_zone)
        if not available.zones or available.regions_without_known_zone:
            assert not available.certain

    def test_an_unknown_machine_type_is_a_key_error(self) -> None:
        with pytest.raises(KeyError):
            ACCELERATORS["h200"].machine_type("a3-ultragpu-16g")


class TestFabric:
    @every_accelerator
    def test_each_network_is_a_nic_of_its_own_in_a_known_vpc(self, accelerator: Accelerator) -> None:
        fabric = accelerator.fabric
        names = [network.name for network in fabric.networks]
        vpcs = [vpc.name for vpc in fabric.vpcs]
        assert len(names) == len(set(names))
        assert len(vpcs) == len(set(vpcs))
        assert {network.vpc for network in fabric.networks} == set(vpcs)
        interfaces = [network.interface for network in fabric.networks if network.interface]
        assert interfaces == [f"eth{index + 1}" for index in range(len(interfaces))]

    @pytest.mark.parametrize("name", ["h200", "b200", "gb200"])
    def test_rdma_has_a_network_for_each_gpu_after_one_gvnic(self, name: str) -> None:
        accelerator = ACCELERATORS[name]
        gpus = accelerator.machine_type(accelerator.default_machine_type).gpus
        assert [network.name for network in accelerator.fabric.networks] == [
            "gvnic-1",
            *(f"rdma-{index}" for index in range(gpus)),
        ]
        assert all(network.kind is NicKind.MRDMA for network in accelerator.fabric.gpu_networks)
        assert len(accelerator.fabric.gpu_networks) == gpus

    @pytest.mark.parametrize(("name", "nics"), [("h100", 4), ("h100-mega", 8)])
    def test_the_tcp_transports_have_a_vpc_for_each_nic(self, name: str, nics: int) -> None:
        fabric = ACCELERATORS[name].fabric
        assert [network.name for network in fabric.networks] == [f"vpc{index + 1}" for index in range(nics)]
        assert all(len(fabric.networks_of(vpc.name)) == 1 for vpc in fabric.vpcs)

    @every_accelerator
    def test_a_network_profile_is_known_and_takes_no_firewall_rule(self, accelerator: Accelerator) -> None:
        for vpc in accelerator.fabric.vpcs:
            assert vpc.firewall_rules_allowed == (vpc.network_profile is None)
            assert vpc.network_profile is None or vpc.network_profile in NETWORK_PROFILES

    def test_the_profiles_zones_are_those_of_their_machines(self) -> None:
        for name, profile in NETWORK_PROFILES.items():
            users = [
                accelerator
                for accelerator in ACCELERATORS.values()
                if any(vpc.network_profile == name for vpc in accelerator.fabric.vpcs)
            ]
            assert users
            assert set(profile.zones) == {zone for user in users for zone in user.availability.zones}
            assert not profile.certain

    @every_machine
    def test_the_nics_share_the_machines_bandwidth(self, accelerator: Accelerator, machine: MachineType) -> None:
        fabric = accelerator.fabric_of(machine)
        if isinstance(fabric, NoFabric):
            assert not fabric.networks
            return
        rates = [network.gbps or 0 for network in fabric.networks]
        if isinstance(fabric, RdmaMetalFabric):
            rates += [fabric.rdma_gbps or 0] * (fabric.rdma_nics - 1)
        # The cluster's own eth0 has 200 Gbps on each machine with a fabric.
        assert sum(rates) + 200 == machine.network_gbps

    def test_only_whole_machines_have_a_fabric(self) -> None:
        h100 = ACCELERATORS["h100"]
        assert [machine.name for machine in h100.machine_types if machine.fabric] == ["a3-highgpu-8g"]
        assert isinstance(h100.fabric_of(h100.machine_type("a3-highgpu-4g")), NoFabric)

    @every_accelerator
    def test_what_it_installs_is_made_for_it(self, accelerator: Accelerator) -> None:
        fabric = accelerator.fabric
        assert (fabric.installer is None) == isinstance(fabric, NoFabric)
        if fabric.installer is not None:
            installer = INSTALLER_RELEASES[fabric.installer]
            assert accelerator.gke_label in installer.gke_labels
            assert installer.transport is fabric.transport
            assert installer.architecture is accelerator.architecture
        for daemon in fabric.node_daemons:
            assert accelerator.gke_label in NODE_DAEMONS[daemon].gke_labels

    def test_without_network_objects_dranet_hands_out_the_nics(self) -> None:
        for accelerator in ACCELERATORS.values():
            fabric = accelerator.fabric
            assert (fabric.dranet is Dranet.REQUIRED) == (not fabric.network_objects)
            if fabric.network_objects:
                assert all(network.device_mode for network in fabric.networks)

    @every_accelerator
    def test_gib_is_named_where_rdma_is(self, accelerator: Accelerator) -> None:
        rdma = isinstance(accelerator.fabric, RdmaFabric | RdmaMetalFabric)
        assert (accelerator.fabric.environment.get("NCCL_NET") == "gIB") == rdma


class TestReleases:
    def test_what_is_pinned_exists(self) -> None:
        assert PINS.vllm in VLLM_RELEASES
        assert f"lws-{PINS.lws}" in CHART_RELEASES

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


class TestPrices:
    @every_machine
    @pytest.mark.parametrize("kind", list(CapacityKind))
    def test_a_price_is_known_or_explicitly_unknown(
        self, accelerator: Accelerator, machine: MachineType, kind: CapacityKind
    ) -> None:
        found = price(machine.name, "us-central1", kind)
        assert found is None or (found.usd > 0 and found.as_of.year >= 2025)

    def test_nobody_publishes_a_price_of_gb200_or_gb300(self) -> None:
        for machine in ("a4x-highgpu-4g", "a4x-maxgpu-4g-metal"):
            for region in REGION_PRICES:
                assert all(price(machine, region, kind) is None for kind in [*CapacityKind, *PriceKind])

    def test_a_region_or_machine_that_is_not_listed_is_unknown(self) -> None:
        assert price("g2-standard-4", "mars-north1", CapacityKind.SPOT) is None
        assert price("z9-standard-4", "us-central1", CapacityKind.SPOT) is None

    def test_the_newest_of_several_is_taken(self) -> None:
        found = price("a3-highgpu-8g", "us-central1", CapacityKind.SPOT)
        assert found is not None
        assert (found.usd, found.as_of.isoformat()) == (52.962297, "2026-09-17")

    def test_the_worked_check_of_an_h200_node_adds_up(self) -> None:
        fee = FEES["us-central1"].cluster_hour.usd
        system = price("e2-standard-8", "us-central1", CapacityKind.ON_DEMAND)
        assert system is not None
        for kind, total in ((PriceKind.ON_DEMAND, 85.44), (PriceKind.CALENDAR, 60.00), (PriceKind.SPOT, 51.51)):
            node = price("a3-ultragpu-8g", "us-central1", kind)
            assert node is not None
            assert node.usd + 2 * system.usd + fee == pytest.approx(total, abs=0.005)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    def test_g2_follows_from_its_two_cited_shapes(self, region: str) -> None:
        """The fee of four vCPUs and 16 GiB is half of what the 12 costs more than the 4; the rest is the GPU."""
        small = price("g2-standard-4", region, CapacityKind.ON_DEMAND)
        middle = price("g2-standard-12", region, CapacityKind.ON_DEMAND)
        if small is None or middle is None:
            assert price("g2-standard-8", region, CapacityKind.ON_DEMAND) is None
            return
        step = (middle.usd - small.usd) / 2
        for machine in ACCELERATORS["l4"].machine_types:
            found = price(machine.name, region, CapacityKind.ON_DEMAND)
            assert found is not None
            expected = machine.gpus * (small.usd - step) + machine.vcpus / 4 * step
            assert found.usd == pytest.approx(expected, abs=2e-4)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    @pytest.mark.parametrize(
        ("one", "many", "factor"),
        [
            ("g4-standard-48", "g4-standard-384", 8),
            ("a2-highgpu-1g", "a2-highgpu-4g", 4),
            ("a2-ultragpu-1g", "a2-ultragpu-8g", 8),
            ("a3-highgpu-2g", "a3-highgpu-8g", 4),
        ],
    )
    def test_other_families_cost_by_the_gpu(self, region: str, one: str, many: str, factor: int) -> None:
        unit, whole = (price(machine, region, CapacityKind.ON_DEMAND) for machine in (one, many))
        assert (unit is None) == (whole is None)
        if unit is not None and whole is not None:
            assert whole.usd == pytest.approx(unit.usd * factor, rel=1e-4)

    @pytest.mark.parametrize("region", list(REGION_PRICES))
    def test_spot_is_below_the_list_price(self, region: str) -> None:
        for machine in REGION_PRICES[region].machine_types:
            listed = price(machine, region, PriceKind.ON_DEMAND)
            spot = price(machine, region, PriceKind.SPOT)
            assert listed is None or spot is None or spot.usd < listed.usd, machine


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
