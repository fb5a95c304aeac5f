"""Accelerators, their machine types and their fabrics agree with each other and with what Google sells."""

import pytest

from catalog import (
    ACCELERATORS,
    INSTALLER_RELEASES,
    NETWORK_PROFILES,
    NODE_DAEMONS,
    Accelerator,
    Architecture,
    Basis,
    CapacityKind,
    DiskType,
    Dranet,
    LocalSsdMode,
    MachineType,
    NicKind,
    NoFabric,
    RdmaFabric,
    RdmaMetalFabric,
    gke_version_reaches,
    pinned_installer,
)
from tests.unit.catalog_entries import every_accelerator, every_machine


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

    @every_accelerator
    def test_only_what_was_measured_says_so(self, accelerator: Accelerator) -> None:
        memory = accelerator.memory
        assert (memory.torch_basis is Basis.MEASURED) == ("gpu-measurements" in memory.sources)

    def test_the_measured_ones_are_as_measured(self) -> None:
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
        pinned = pinned_installer(fabric.transport, accelerator.architecture)
        assert (pinned is None) == isinstance(fabric, NoFabric)
        if pinned is not None:
            assert accelerator.gke_label in INSTALLER_RELEASES[pinned].gke_labels
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
