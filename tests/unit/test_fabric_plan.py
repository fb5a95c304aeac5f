"""The networks between nodes are the machine's own, whatever the accelerator: each fact is the catalogue's."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from catalog import ACCELERATORS, INSTALLER_RELEASES, FabricMode
from config import stack_names
from config.validate import validate
from planning.plan import FabricPlan, PlatformPlan
from planning.platform import plan_platform
from tests.unit.google_rules import CHECKOUT, changed, stack_values

STACKS = stack_names(CHECKOUT)
WITH_FABRIC = ["article", "b200", "gb200", "gb300", "h100", "h100-mega", "h200"]


def plan(stack: str, changes: dict[str, Any] | None = None) -> PlatformPlan:
    values = changed(stack_values(stack), changes or {})
    return plan_platform(validate(stack, values, frozenset(), to_deploy=False), stack)


def fabric(stack: str, changes: dict[str, Any] | None = None) -> FabricPlan:
    made = plan(stack, changes).fabric
    assert made is not None
    return made


def test_every_accelerator_of_the_catalogue_has_a_stack_file() -> None:
    used = {pool["accelerator"] for stack in STACKS for pool in stack_values(stack)["nodePools"]}
    assert used == set(ACCELERATORS)


@pytest.mark.parametrize("stack", STACKS)
def test_a_fabric_is_there_only_where_the_machine_has_one(stack: str) -> None:
    expected = any(pool["accelerator"] in WITH_FABRIC for pool in stack_values(stack)["nodePools"])
    assert (plan(stack).fabric is not None) is expected
    assert plan(stack).cluster.multi_networking is expected


@pytest.mark.parametrize(
    ("stack", "transport", "networks_of_vpcs"),
    [
        ("h100", "gpudirect-tcpx", [1, 1, 1, 1]),
        ("h100-mega", "gpudirect-tcpxo", [1] * 8),
        ("h200", "gpudirect-rdma", [1, 8]),
        ("b200", "gpudirect-rdma", [1, 8]),
        ("gb200", "gpudirect-rdma", [1, 4]),
        ("gb300", "rdma-metal", [1, 1]),
    ],
)
def test_each_transport_has_its_vpcs_and_subnetworks(stack: str, transport: str, networks_of_vpcs: list[int]) -> None:
    made = fabric(stack)
    assert made.transport == transport
    assert [len(vpc.pod_networks) for vpc in made.vpcs] == networks_of_vpcs


@pytest.mark.parametrize("stack", WITH_FABRIC)
def test_firewall_rules_are_only_where_a_vpc_takes_them(stack: str) -> None:
    for vpc in fabric(stack).vpcs:
        assert (vpc.firewall is None) is (vpc.network_profile is not None)


@pytest.mark.parametrize("stack", WITH_FABRIC)
def test_ranges_come_from_the_one_block_and_never_overlap(stack: str) -> None:
    made = plan(stack, {"network": {"addressBlock": "10.64.0.0/12"}})
    assert made.fabric
    network = made.network
    ranges = [ip_network(part.cidr) for part in (network.subnetwork, network.pods, network.services)]
    ranges += [ip_network(n.subnetwork.cidr) for n in made.fabric.pod_networks if n.subnetwork]
    assert all(part.subnet_of(ip_network("10.64.0.0/12")) for part in ranges)  # pyright: ignore[reportArgumentType]
    assert not any(a.overlaps(b) for index, a in enumerate(ranges) for b in ranges[:index])


@pytest.mark.parametrize("stack", ["h100", "h100-mega", "h200", "b200", "gb200"])
def test_pods_find_each_network_on_the_interface_of_its_nic(stack: str) -> None:
    made = fabric(stack)
    assert made.mode is FabricMode.NETWORK_OBJECTS
    assert [nic.interface for nic in made.interfaces] == [f"eth{i}" for i in range(1, len(made.interfaces) + 1)]
    assert [nic.network for nic in made.interfaces] == [network.name for network in made.pod_networks]
    assert all(network.device_mode for network in made.pod_networks)
    assert made.claim_templates == ()


def test_mega_has_no_gvnic_network_that_would_take_the_slot_of_a_gpus() -> None:
    assert [network.name for network in fabric("h100-mega").pod_networks] == [f"vpc{i}" for i in range(1, 9)]


def test_tcpx_and_tcpxo_pods_get_their_daemon_with_its_devices_and_injector() -> None:
    for stack in ("h100", "h100-mega"):
        made = plan(stack)
        assert made.fabric and made.fabric.sidecar
        assert "/dev/nvidia7" in made.fabric.sidecar.devices
        assert made.fabric.needs_host_access
        assert [daemon.name for daemon in made.node_daemons] == ["device-injector"]


def test_tcpxo_nodes_are_prepared_with_their_own_tools() -> None:
    (installer,) = plan("h100-mega").nccl_installers
    assert installer.host_image and any("import-helper" in line for line in installer.host_preparation)


def test_bare_metal_uses_googles_subnetwork_and_claims() -> None:
    made = fabric("gb300")
    assert made.mode is FabricMode.DRANET and made.interfaces == ()
    rdma = made.pod_networks[-1]
    assert rdma.subnetwork is None and rdma.google_subnetwork == "default-subnet-1-gb300-rdma"
    assert rdma.device_mode is None and made.vpcs[-1].mtu is None
    (template,) = made.claim_templates
    assert (template.device_class, template.count) == ("mrdma.google.com", 8)


class TestDranet:
    def test_it_takes_the_place_of_the_network_objects(self) -> None:
        made = plan("h200", {"nodePools.0.fabric": "dranet"})
        assert made.fabric and made.fabric.interfaces == ()
        assert {network.device_mode for network in made.fabric.pod_networks} == {None}
        assert made.fabric.claim_templates[0].count == 8
        assert made.node_pools[0].labels["cloud.google.com/gke-networking-dra-driver"] == "true"

    def test_google_makes_the_networks_of_an_accelerator_network_profile(self) -> None:
        made = plan("h200", {"nodePools.0.fabric": "acceleratorNetworkProfile"})
        assert made.fabric and made.fabric.vpcs == ()
        assert made.node_pools[0].accelerator_network_profile == "auto"
        assert any("hang for ever when it is deleted" in warning.text for warning in made.warnings)


class TestInstaller:
    @pytest.mark.parametrize("stack", WITH_FABRIC)
    def test_it_is_one_of_the_catalogue_for_that_transport(self, stack: str) -> None:
        made = plan(stack)
        assert made.fabric
        (installer,) = made.nccl_installers
        releases = [INSTALLER_RELEASES[name] for name in INSTALLER_RELEASES]
        (release,) = [release for release in releases if release.image == installer.image]
        assert release.transport == made.fabric.transport

    def test_an_untried_pair_of_plugin_and_nccl_is_a_warning_not_a_silent_pass(self) -> None:
        assert any("nobody is known to have run it" in warning.text for warning in plan("gb200").warnings)

    def test_mounts_of_the_workload_are_the_installers(self) -> None:
        assert [mount.host_path for mount in fabric("h200").mounts] == ["/home/kubernetes/bin/gib"]


def names(made: PlatformPlan) -> Iterator[str]:
    if made.fabric:
        for vpc in made.fabric.vpcs:
            yield vpc.name
            yield from filter(None, [vpc.firewall])
            yield from (network.subnetwork.name for network in vpc.pod_networks if network.subnetwork)
    for pool in made.node_pools:
        if pool.placement and pool.placement.policy:
            yield pool.placement.policy


@pytest.mark.parametrize("stack", STACKS)
def test_names_fit_googles_limit_with_the_longest_prefix(stack: str) -> None:
    made = plan(stack, {"namePrefix": "a" * 16})
    assert all(len(name) <= 63 and name.startswith("a" * 16) for name in names(made))
