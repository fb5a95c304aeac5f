"""A transport's environment is the one that Google's own scripts set, whole: half of one profile is none."""

from catalog import ACCELERATORS, Accelerator
from catalog.fabric import Transport
from planning.serving.preflight import floor_of
from planning.serving.transport import group_environment
from sandbox.cluster.nccl import facts
from tests.unit.serving import H100_MEGA, ONE_GPU, TWO_NODES, environment, planned, platform

WITH_FABRIC = [each for each in ACCELERATORS.values() if each.fabric.transport is not Transport.NONE]

TCPX = {
    "NCCL_SOCKET_IFNAME": "eth0",
    "NCCL_ALGO": "Ring,Tree",
    "NCCL_PROTO": "Simple",
    "NCCL_CROSS_NIC": "0",
    "NCCL_NET_GDR_LEVEL": "PIX",
    "NCCL_P2P_PXN_LEVEL": "0",
    "NCCL_GPUDIRECTTCPX_SOCKET_IFNAME": "eth1,eth2,eth3,eth4",
    "NCCL_GPUDIRECTTCPX_CTRL_DEV": "eth0",
    "NCCL_DYNAMIC_CHUNK_SIZE": "524288",
    "NCCL_P2P_NET_CHUNKSIZE": "524288",
    "NCCL_P2P_PCI_CHUNKSIZE": "524288",
    "NCCL_P2P_NVL_CHUNKSIZE": "1048576",
    "NCCL_BUFFSIZE": "4194304",
    "NCCL_NSOCKS_PERTHREAD": "4",
    "NCCL_SOCKET_NTHREADS": "1",
    "NCCL_GPUDIRECTTCPX_TX_BINDINGS": "eth1:8-21,112-125;eth2:8-21,112-125;eth3:60-73,164-177;eth4:60-73,164-177",
    "NCCL_GPUDIRECTTCPX_RX_BINDINGS": "eth1:22-35,126-139;eth2:22-35,126-139;eth3:74-87,178-191;eth4:74-87,178-191",
    "NCCL_GPUDIRECTTCPX_PROGRAM_FLOW_STEERING_WAIT_MICROS": "500000",
}
"""container-engine-accelerators, gpudirect-tcpx/nccl-config.yaml of 2026-06-01, read 2026-11-28."""


def test_the_guest_configuration_checker_lets_the_pods_of_a_server_through() -> None:
    found = {name: value for name, value in environment(planned(TWO_NODES, H100_MEGA)).items() if value is not None}
    assert facts.CHECKER_FILE in found
    assert facts.refusal(found) is None


def test_nothing_that_the_checker_calls_unexpected_is_set() -> None:
    fabric = ACCELERATORS["h100-mega"].fabric.environment
    name = fabric[facts.CHECKER_FILE].rpartition("/")[2]
    assert not set(facts.guest_configurations()[name].flagged) & fabric.keys()


def test_every_variable_of_tcpx_is_that_of_googles_configuration() -> None:
    assert ACCELERATORS["h100"].fabric.environment == TCPX


def test_the_sidecars_of_tcpxo_have_no_retired_flag() -> None:
    """google/nccl-plugin-gpudirect-tcpxo, README: from v1.0.20 on, `--num_hops` is the only one."""
    transport = planned(TWO_NODES, H100_MEGA).transport
    assert transport is not None and transport.sidecar is not None
    assert [word for word in transport.sidecar.command if word.startswith("--")] == ["--num_hops=2"]


def test_the_environment_of_the_test_is_that_of_the_servers() -> None:
    made = platform(ONE_GPU, pool=H100_MEGA)
    assert made.preflights[0].environment == group_environment(made.fabric)


def test_what_was_measured_anywhere_clears_the_floor_and_tcp_and_half_of_the_nics_do_not() -> None:
    for accelerator in WITH_FABRIC:
        measured, floor = accelerator.fabric.all_gather, floor_of(accelerator)
        assert 0.4 <= floor / _rate(accelerator) <= 0.5, accelerator.name
        assert floor > 25, "the node's own NIC of 200 Gbps"
        if measured is not None:
            assert measured.gbytes_per_second / 2 < floor < measured.gbytes_per_second * 0.8, accelerator.name


def test_nics_alone_are_too_little_where_nvlink_joins_the_nodes() -> None:
    joined = [each for each in WITH_FABRIC if each.nodes.dra_driver]
    assert joined
    for accelerator in joined:
        nics = sum(network.gbps or 0 for network in accelerator.fabric.gpu_networks) / 8
        assert floor_of(accelerator) > nics, accelerator.name


def _rate(accelerator: Accelerator) -> float:
    """As the machine's documentation has it: NVLink 5 moves 900 GB/s each way; else the GPU NICs' rates."""
    if accelerator.nodes.dra_driver:
        return 900
    return {"h100": 100, "h100-mega": 200, "h200": 400, "b200": 400}[accelerator.name]
