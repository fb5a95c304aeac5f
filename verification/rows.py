"""The rows of `make verify`, by the name that stands in its column CHECK, or that it begins with."""

from enum import StrEnum


class VerifyRow(StrEnum):
    API_SERVER = "API server"
    NODES = "nodes of"
    """Of a pool, which follows."""
    ADDRESSES = "external addresses"
    LWS_KIND = "LeaderWorkerSet kind"
    LWS_CONTROLLER = "LeaderWorkerSet controller"
    TOKEN = "token in"
    """A namespace, which follows."""
    PODS = "pods Ready"
    GROUP = "LeaderWorkerSet"
    MODELS = "/v1/models"
    CHAT = "chat"
    COMPLETIONS = "completions"
    METRICS = "metrics"
    NVIDIA_SMI = "nvidia-smi"
    DRIVER = "driver"
    ENGINE_LOG = "engine log"
    NCCL_NETWORK = "NCCL network"
    NCCL_VERSION = "NCCL version"
    GPUDIRECT = "GPUDirect"
    PREFLIGHT = "nccl-"
    """A pool, which follows: the Job that measured its fabric."""
