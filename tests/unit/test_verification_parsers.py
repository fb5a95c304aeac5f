"""What nvidia-smi, vLLM, NCCL and nccl-tests really print is understood; recorded/README.md says who printed it."""

from pathlib import Path

import pytest

from verification import parsers

RECORDED = Path(__file__).parent / "recorded"
SANDBOX_RECORDED = Path(__file__).parents[2] / "sandbox" / "cluster" / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text(encoding="utf-8")


def test_the_gpus_of_a_node() -> None:
    assert parsers.gpus(recorded("nvidia_smi_query.csv")) == [
        parsers.Gpu(0, "NVIDIA H100 80GB HBM3", 81559, 1545, "580.159.04"),
        parsers.Gpu(1, "NVIDIA H100 80GB HBM3", 81559, 1545, "580.159.04"),
    ]


def test_what_is_no_list_of_gpus_is_an_error() -> None:
    with pytest.raises(ValueError, match="NVIDIA-SMI has failed"):
        parsers.gpus("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n")


def test_the_start_of_an_engine_in_the_form_of_the_pinned_version() -> None:
    log = parsers.engine_log(recorded("vllm_0.33_format.log"))
    assert log == parsers.EngineLog(2, 1, 1_961_184, 14.96, 131_072, 55.1)
    assert log.has_start


def test_the_kv_cache_of_older_versions_too() -> None:
    log = parsers.engine_log(recorded("vllm_0.20_two_gpus.log"))
    assert (log.kv_cache_tokens, log.concurrency, log.max_model_len) == (620_944, 2.37, 262_144)


def test_after_a_restart_the_last_start_counts() -> None:
    first = recorded("vllm_0.33_format.log")
    second = first.replace("1,961,184", "1,000,000").replace("tensor_parallel_size=2", "tensor_parallel_size=4")
    log = parsers.engine_log(first + second)
    assert (log.tensor_parallel, log.kv_cache_tokens) == (4, 1_000_000)


def test_a_log_without_the_engines_start_says_nothing() -> None:
    log = parsers.engine_log('(APIServer pid=1) INFO: 10.0.0.1:1 - "GET /health HTTP/1.1" 200 OK\n')
    assert log == parsers.EngineLog(None, None, None, None, None, None)
    assert not log.has_start


@pytest.mark.parametrize(
    ("file", "networks", "channels", "gpudirect"),
    [
        ("nccl_gib_two_nodes.log", {"gIB"}, 2, 2),
        ("nccl_ib_in_vllm.log", {"IB"}, 2, 2),
        ("nccl_tcp_fallback.log", {"Socket"}, 0, 0),
        # NVLink's channels lead to no other node.
        ("nccl_one_node.log", {"Socket"}, 0, 0),
    ],
)
def test_the_network_that_nccl_uses(file: str, networks: set[str], channels: int, gpudirect: int) -> None:
    log = parsers.nccl_log(recorded(file))
    assert (log.networks, log.net_channels, log.gpudirect_channels) == (networks, channels, gpudirect)


def test_rdma_without_gpudirect_is_seen() -> None:
    log = parsers.nccl_log(recorded("nccl_gib_two_nodes.log").replace("/GDRDMA", "", 1))
    assert (log.net_channels, log.gpudirect_channels) == (2, 1)


@pytest.mark.parametrize(
    ("file", "peak", "average"),
    [
        (RECORDED / "nccl_all_gather_a4.txt", 376.64, 135.094),
        (RECORDED / "nccl_all_gather_dstack_a3_mega.txt", 188.59, 146.948),
        (SANDBOX_RECORDED / "nccl_all_gather.txt", 186.35, None),
    ],
)
def test_the_bandwidth_of_an_all_gather(file: Path, peak: float, average: float | None) -> None:
    result = parsers.nccl_test(file.read_text(encoding="utf-8"))
    assert (result.peak_bus_bandwidth, result.average_bus_bandwidth, result.wrong) == (peak, average, 0)


def test_values_that_came_out_wrong_are_counted() -> None:
    text = recorded("nccl_all_gather_a4.txt").replace("376.40      0", "376.40      3")
    assert parsers.nccl_test(text).wrong == 3


def test_a_test_that_died_has_no_result() -> None:
    with pytest.raises(ValueError, match="no line of results"):
        parsers.nccl_test("nccl-host-1: Test NCCL failure common.cu:1005 'unhandled system error'\n")
