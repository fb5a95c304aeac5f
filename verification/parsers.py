"""Reads what nvidia-smi, vLLM, NCCL and nccl-tests print."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NVIDIA_SMI = (
    "nvidia-smi",
    "--query-gpu=index,name,memory.total,memory.used,driver_version",
    "--format=csv,noheader,nounits",
)


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi reports it; memory is in MiB."""

    index: int
    name: str
    memory_total: int
    memory_used: int
    driver: str


def gpus(text: str) -> list[Gpu]:
    """The GPUs in the output of NVIDIA_SMI. Raises ValueError."""
    found: list[Gpu] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) != 5:
            raise ValueError(f"not a line of nvidia-smi: {line!r}")
        index, name, total, used, driver = cells
        found.append(Gpu(int(index), name, int(total), int(used), driver))
    return found


_UNITS = {
    "": 1.0,
    "m": 1e-3,
    **{f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGTP", start=1)},
    **{prefix: 1000.0**power for power, prefix in enumerate("kMGTP", start=1)},
}


def quantity(text: str) -> float:
    """The number in one of Kubernetes' quantities, such as `11910m` or `49283072Ki`. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([a-zA-Z]{0,2})", text)
    if match is None or match[2] not in _UNITS:
        raise ValueError(f"not a quantity: {text!r}")
    return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class EngineLog:
    """What vLLM logs while it starts; None where the log does not say."""

    tensor_parallel: int | None
    pipeline_parallel: int | None
    kv_cache_tokens: int | None
    concurrency: float | None
    """How many requests of the longest context fit at once."""
    max_model_len: int | None
    start_seconds: float | None
    """The seconds for profiling, the KV cache and warming up."""

    @property
    def has_start(self) -> bool:
        """Whether the log reaches back to the start; a long log loses it when it is rotated."""
        return self.tensor_parallel is not None


_TENSOR_PARALLEL = re.compile(r"\btensor_parallel_size=(\d+)")
_PIPELINE_PARALLEL = re.compile(r"\bpipeline_parallel_size=(\d+)")
_KV_CACHE = re.compile(r"KV cache size: ([\d,]+) tokens")
_CONCURRENCY = re.compile(r"Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x")
_START = re.compile(r"init engine \(profile, create kv cache, warmup model\) took ([\d.]+) s")


def engine_log(text: str) -> EngineLog:
    """What a pod's log says. A container that restarted says everything again, and the last time counts."""
    return EngineLog(
        tensor_parallel=_integer(_last(_TENSOR_PARALLEL, text)),
        pipeline_parallel=_integer(_last(_PIPELINE_PARALLEL, text)),
        kv_cache_tokens=_integer(_last(_KV_CACHE, text)),
        concurrency=_number(_last(_CONCURRENCY, text, group=2)),
        max_model_len=_integer(_last(_CONCURRENCY, text)),
        start_seconds=_number(_last(_START, text)),
    )


@dataclass(frozen=True)
class NcclLog:
    """What NCCL logs about its connections between nodes, at NCCL_DEBUG=INFO."""

    speaks: bool
    """Whether NCCL logged anything at all."""
    networks: frozenset[str]
    """The networks that it uses: gIB, IB, FasTrak, or Socket for plain TCP."""
    net_channels: int
    """The number of connections to other nodes."""
    gpudirect_channels: int
    """How many of these read and write the GPU's memory directly."""


_NETWORK = re.compile(r"NCCL INFO Using network (\S+)")
_NET_CHANNEL = re.compile(r"NCCL INFO Channel \S+ : .* via NET/\S+")


def nccl_log(text: str) -> NcclLog:
    channels = _NET_CHANNEL.findall(text)
    return NcclLog(
        speaks="NCCL INFO" in text,
        networks=frozenset(_NETWORK.findall(text)),
        net_channels=len(channels),
        gpudirect_channels=sum(channel.endswith("/GDRDMA") or "/GDRDMA" in channel for channel in channels),
    )


# NCCL logs this line at NCCL_DEBUG=VERSION or more, and vLLM when it loads the library for several GPUs.
_NCCL_VERSION = re.compile(r"\bNCCL version (\d+\.\d+\.\d+)|vLLM is using nccl==(\d+\.\d+\.\d+)")


def nccl_version(text: str) -> str | None:
    """The version of NCCL in a server's log; None if neither NCCL nor vLLM tells it."""
    found = [match[1] or match[2] for match in _NCCL_VERSION.finditer(text)]
    return found[-1] if found else None


@dataclass(frozen=True)
class NcclTest:
    """The result of an nccl-tests program; bandwidths in GB/s."""

    peak_bus_bandwidth: float
    peak_size: int
    """The size, in bytes, of the fastest message."""
    average_bus_bandwidth: float | None
    wrong: int
    """The number of wrong values over all sizes."""


_ROW = re.compile(r"^\s*(\d+)\s+\d+\s+\w+\s+\w+\s+-?\d+\s+(.*)$", re.MULTILINE)
_AVERAGE = re.compile(r"Avg bus bandwidth\s*:\s*([\d.]+)")


def nccl_test(text: str) -> NcclTest:
    """The result of an nccl-tests program. Raises ValueError if the text has none, as after a test that died."""
    rows = list(_rows(text))
    if not rows:
        raise ValueError("no line of results")
    size, bandwidth = max(((size, max(pair)) for size, pair, _ in rows), key=lambda row: row[1])
    average = _AVERAGE.search(text)
    return NcclTest(bandwidth, size, float(average[1]) if average else None, sum(wrong for _, _, wrong in rows))


_WARNING = re.compile(r"^preflight: warning: (.*)$", re.MULTILINE)


def preflight_warnings(text: str) -> list[str]:
    """The warnings of a preflight."""
    return _WARNING.findall(text)


def _rows(text: str) -> Iterator[tuple[int, tuple[float, float], int]]:
    """The rows by message size: the size, the bus bandwidth out of place and in place, and the wrong values."""
    for match in _ROW.finditer(text):
        cells = match[2].split()
        if len(cells) != 8:
            continue
        wrong = sum(int(cell) for cell in (cells[3], cells[7]) if cell != "N/A")
        yield int(match[1]), (float(cells[2]), float(cells[6])), wrong


def _last(pattern: re.Pattern[str], text: str, group: int = 1) -> str | None:
    found: str | None = None
    for match in pattern.finditer(text):
        found = match[group]
    return found


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text.replace(",", ""))


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
