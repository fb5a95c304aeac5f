"""Makes torch, Triton and vLLM believe in a GPU of a given kind, so that their own code chooses as it would there.

Nothing here decides what vLLM builds: only what it would ask the driver, NVML or the device is answered by hand. The
order matters: torch's compiler caches what it knows of `torch.cuda` before that is patched, and vLLM's platform is set
before anything of vLLM reads it. `pretend()` does all of it, once, in a process that has imported neither.
"""

import ctypes
import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEVICES = 16
"""The ranks of the widest shape that is asked about."""


@dataclass(frozen=True)
class Card:
    """One GPU as CUDA describes it."""

    name: str
    capability: tuple[int, int]
    memory: int
    """Bytes."""
    multiprocessors: int
    shared_memory: int
    """Bytes that one block may ask for."""


def pretend(card: Card, libcuda: Path, scratch: Path) -> None:
    """Loads vLLM as on that card. `libcuda` is a library of empty functions, which lets vLLM's own CUDA code load."""
    _set_environment(scratch)
    ctypes.CDLL(str(libcuda), mode=ctypes.RTLD_GLOBAL)
    importlib.import_module("vllm.env_override")
    importlib.import_module("torch._dynamo.trace_rules").get_torch_obj_rule_map()
    properties = _properties(card)
    _patch_torch(card, properties)
    _patch_platform(card, properties)
    _patch_triton(card)
    _patch_distributed()
    _patch_symmetric_memory()
    _patch_humming(card)


def _set_environment(scratch: Path) -> None:
    os.environ.update(
        CUDA_VISIBLE_DEVICES="",
        HF_HUB_OFFLINE="1",
        TRANSFORMERS_OFFLINE="1",
        TOKENIZERS_PARALLELISM="false",
        OMP_NUM_THREADS="1",
        VLLM_NO_USAGE_STATS="1",
        VLLM_LOGGING_LEVEL="ERROR",
        VLLM_CONFIGURE_LOGGING="0",
        VLLM_HAS_FLASHINFER_CUBIN="1",
        VLLM_ALLREDUCE_USE_SYMM_MEM="0",
        VLLM_DEEP_GEMM_WARMUP="skip",
        HUMMING_DISABLE_PARALLEL_BUILD="1",
        VLLM_CACHE_ROOT=str(scratch / "vllm"),
        TRITON_CACHE_DIR=str(scratch / "triton"),
        FLASHINFER_WORKSPACE_BASE=str(scratch / "flashinfer"),
        TORCHINDUCTOR_CACHE_DIR=str(scratch / "inductor"),
        HF_HOME=str(scratch / "huggingface"),
    )


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


class _Stream:
    """A stream or event on which nothing ever runs."""

    cuda_stream = 0
    stream_id = 0

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        import torch

        self.device = torch.device("cuda:0")

    def __enter__(self) -> "_Stream":
        return self

    def __exit__(self, *_error: Any) -> bool:
        return False

    def __getattr__(self, _name: str) -> Any:
        return _nothing


def _properties(card: Card) -> Any:
    class Properties:
        """torch.cuda.get_device_properties()"""

        name = card.name
        major, minor = card.capability
        total_memory = card.memory
        multi_processor_count = card.multiprocessors
        shared_memory_per_block = 49152
        shared_memory_per_block_optin = card.shared_memory
        shared_memory_per_multiprocessor = card.shared_memory + 1024
        max_threads_per_multi_processor = 2048
        regs_per_multiprocessor = 65536
        L2_cache_size = 50 * 2**20
        warp_size = 32
        is_integrated = integrated = pci_bus_id = 0
        uuid = "GPU-00000000"
        gcnArchName = ""  # noqa: N815

    return Properties


def _patch_torch(card: Card, properties: Any) -> None:
    import torch

    torch.compile = lambda model=None, **_: model if model is not None else lambda function: function
    cuda = torch.cuda
    cuda._lazy_init = _nothing
    cuda.is_initialized = lambda: False
    cuda.current_device = lambda: 0
    cuda.device_count = lambda: DEVICES
    cuda.get_device_capability = lambda _device=None: card.capability
    cuda.get_device_properties = lambda _device=None: properties()
    cuda.get_device_name = lambda _device=None: card.name
    cuda.mem_get_info = lambda _device=None: (card.memory, card.memory)
    cuda.Stream = cuda.Event = torch.Stream = torch.Event = _Stream
    cuda.current_stream = cuda.default_stream = lambda _device=None: _Stream()
    cuda._exchange_device = cuda._maybe_exchange_device = lambda _device: 0
    accelerator = torch.accelerator
    accelerator.current_device_index = lambda: 0
    accelerator.device_count = lambda: DEVICES
    accelerator.is_available = lambda: True
    accelerator.current_accelerator = lambda check_available=False: torch.device("cuda")
    accelerator.set_device_index = _nothing
    accelerator.get_memory_info = lambda _device=None: (card.memory, card.memory)
    accelerator.current_stream = lambda _device=None: _Stream()
    for module in (cuda, accelerator):
        module.synchronize = module.empty_cache = module.reset_peak_memory_stats = _nothing
        module.memory_allocated = module.max_memory_allocated = module.memory_reserved = lambda _device=None: 0
        module.memory_stats = lambda _device=None: {}
    cuda.set_device = cuda.set_stream = _nothing


def _patch_platform(card: Card, properties: Any) -> None:
    """vLLM's own platform for CUDA, with by hand only what it would ask NVML or the driver."""
    from vllm import platforms
    from vllm.platforms import cuda
    from vllm.platforms.interface import DeviceCapability
    from vllm.utils import platform_utils

    class PretendedCuda(cuda.CudaPlatformBase):
        @classmethod
        def get_device_capability(cls, device_id: int = 0) -> DeviceCapability:
            return DeviceCapability(*card.capability)

        @classmethod
        def get_device_name(cls, device_id: int = 0) -> str:
            return card.name

        @classmethod
        def get_device_uuid(cls, device_id: int = 0) -> str:
            return "GPU-00000000"

        @classmethod
        def get_device_total_memory(cls, device_id: int = 0) -> int:
            return card.memory

        @classmethod
        def is_fully_connected(cls, physical_device_ids: list[int]) -> bool:
            return True

        @classmethod
        def device_count(cls) -> int:
            return DEVICES

        @classmethod
        def num_compute_units(cls, device_id: int = 0) -> int:
            return card.multiprocessors

        @classmethod
        def get_device_communicator_cls(cls) -> str:
            return "vllm.distributed.device_communicators.base_device_communicator.DeviceCommunicatorBase"

        @classmethod
        def get_device_numa_node(cls, device_id: int = 0) -> None:
            return None

        @classmethod
        def get_all_device_numa_nodes(cls) -> None:
            return None

        @classmethod
        def logical_device_id_to_visible_device_id(cls, device_id: int) -> int:
            return device_id

        @classmethod
        def device_id_to_physical_device_id(cls, device_id: int) -> int:
            return device_id

        @classmethod
        def visible_device_id_to_physical_device_id(cls, device_id: int) -> int:
            return device_id

    platform_utils.cuda_get_device_properties = lambda _device, names, init_cuda=False: tuple(
        getattr(properties, name) for name in names
    )
    cuda._cuda_device_count_stateless = lambda *_args, **_kwargs: DEVICES
    platforms.current_platform = PretendedCuda()


def _patch_triton(card: Card) -> None:
    import torch
    import triton
    from triton.backends.compiler import GPUTarget

    major, minor = card.capability

    class Utilities:
        @staticmethod
        def get_device_properties(_device: int) -> dict[str, int]:
            return {
                "max_shared_mem": card.shared_memory,
                "multiprocessor_count": card.multiprocessors,
                "warpSize": 32,
                "max_num_regs": 65536,
                "sm_clock_rate": 1,
                "mem_clock_rate": 1,
                "mem_bus_width": 1,
            }

    class Driver:
        utils = Utilities

        def get_current_target(self) -> GPUTarget:
            return GPUTarget("cuda", major * 10 + minor, 32)

        def get_active_torch_device(self) -> torch.device:
            return torch.device("cuda:0")

        def get_device_interface(self) -> Any:
            return torch.cuda

        def get_current_device(self) -> int:
            return 0

        def get_benchmarker(self) -> Any:
            return lambda *_args, **_kwargs: [0.0]

        def is_active(self) -> bool:
            return True

    triton.runtime.driver.set_active(Driver())


def _patch_distributed() -> None:
    """Process groups in which one process stands for its rank and the others are silent."""
    import torch.distributed
    from vllm.distributed import parallel_state
    from vllm.distributed.device_communicators import custom_all_reduce  # noqa: F401  (before tensors are faked)
    from vllm.distributed.device_communicators.shm_broadcast import MessageQueue
    from vllm.model_executor.models import registry

    new_group = torch.distributed.new_group
    torch.distributed.new_group = lambda ranks=None, backend=None, **rest: new_group(ranks, backend="fake", **rest)
    parallel_state._node_count = lambda *_args, **_kwargs: 1
    MessageQueue.create_from_process_group = staticmethod(_nothing)
    registry._run_in_subprocess = lambda function: function()  # a new process would know no pretended card


def _patch_symmetric_memory() -> None:
    """Memory that the GPUs of one node see of each other, and what kernels in CUTLASS's language ask of the driver."""
    import torch
    from torch.distributed import _symmetric_memory as symmetric

    class Memory:
        multicast_ptr = buffer_ptrs_dev = signal_pad_ptrs_dev = 512
        """No addresses: nothing is read or written."""

        def __init__(self, tensor: torch.Tensor) -> None:
            self.buffer_size = tensor.untyped_storage().nbytes()

        def get_buffer(self, _rank: int, *_shape: Any) -> "Memory":
            return self

        def data_ptr(self) -> int:
            return self.multicast_ptr

    symmetric.empty = torch.empty
    symmetric.rendezvous = lambda tensor, _group: Memory(tensor)
    try:
        hardware = importlib.import_module("cutlass.utils").HardwareInfo
        runtime = importlib.import_module("cutlass.cute.runtime")
    except ImportError:
        return
    hardware.get_max_active_clusters = lambda *_args, **_kwargs: 1
    hardware.__init__ = _nothing
    runtime.from_dlpack = lambda source, *_args, **_kwargs: _Described(source)
    importlib.import_module("cutlass.cute").compile = _nothing


class _Described:
    """A tensor as CUTLASS's language describes it to its compiler, which compiles nothing: only its dtype is read."""

    def __init__(self, source: Any) -> None:
        cutlass, torch = importlib.import_module("cutlass"), importlib.import_module("torch")
        kinds = {torch.bfloat16: cutlass.BFloat16, torch.float16: cutlass.Float16, torch.float32: cutlass.Float32}
        tensor = getattr(source, "tensor", source)
        self.element_type = kinds.get(getattr(tensor, "dtype", None))

    def __getattr__(self, _name: str) -> Any:
        return lambda *_args, **_kwargs: self


def _patch_humming(card: Card) -> None:
    """A library of kernels that asks CUDA directly; a release of vLLM without it needs no patch."""
    try:
        device = importlib.import_module("humming.utils.device")
    except ImportError:
        return
    major, minor = card.capability

    class DeviceInfo:
        index = 0
        name = card.name
        is_ppu = False
        sm_count = card.multiprocessors
        sm_major, sm_minor = major, minor
        sm_version = major * 10 + minor
        max_threads_per_block = 1024
        max_threads_per_sm = 2048
        max_registers_per_sm = 65536
        l2_cache_size = 50 * 2**20
        l2_cache_size_mb = 50.0
        l1_cache_size = 256 * 1024
        l1_cache_size_kb = 256.0
        default_smem_size = 49152
        max_smem_size = card.shared_memory

        def __init__(self, _index: int) -> None:
            pass

    class Extension:
        _DeviceInfo = DeviceInfo

    device._extension = Extension
