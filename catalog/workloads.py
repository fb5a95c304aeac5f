"""Numbers of the pods that a stack makes, which no model and no machine decides: probes, time limits, amounts."""

from functools import cache
from pathlib import Path

from pydantic import Field

from catalog._entry import Entry
from catalog.source import read_yaml

_FILE = Path(__file__).parent / "workloads.yaml"


class Probe(Entry):
    """A probe of the kubelet; times are in seconds."""

    period_seconds: int
    failure_threshold: int
    timeout_seconds: int | None = Field(default=None, description="None: Kubernetes' own second")
    initial_delay_seconds: int | None = Field(default=None, description="None: at once")

    @property
    def fields(self) -> dict[str, int]:
        """The fields of a pod spec."""
        fields = {
            "initialDelaySeconds": self.initial_delay_seconds,
            "periodSeconds": self.period_seconds,
            "failureThreshold": self.failure_threshold,
            "timeoutSeconds": self.timeout_seconds,
        }
        return {name: value for name, value in fields.items() if value is not None}


class Resources(Entry):
    """What a container asks for and may take, in Kubernetes' own units."""

    requests: dict[str, str]
    limits: dict[str, str]

    @property
    def fields(self) -> dict[str, dict[str, str]]:
        """The fields of a pod spec."""
        return {"requests": dict(self.requests), "limits": dict(self.limits)}


class ServerPods(Entry):
    """Beside what the plan decides of a model server."""

    user: int
    startup_timeout_seconds: int
    readiness: Probe
    liveness: Probe
    metrics_interval_seconds: int


class SmokeTest(Entry):
    """The Job that asks a new server for one token."""

    token_seconds: int
    margin_seconds: int
    amounts: dict[str, str] = Field(description="requests and limits")


class Preflight(Entry):
    """The pods that measure a fabric."""

    shared_memory_gib: int
    amounts: dict[str, str] = Field(description="requests and limits, beside GPUs")
    measure_seconds: int
    kill_after_seconds: int
    tries: int
    pause_seconds: int


class Installer(Entry):
    """The containers that lay a plugin out on a node."""

    pause: Resources
    prepare: Resources
    install: Resources


class Daemon(Entry):
    """What prepares each node of a pool."""

    cpu: str
    memory_mib: int
    health: Probe
    max_unavailable: str = Field(description="nodes at a time, of an update")


class SidecarPods(Entry):
    """The daemon of a transport beside each server."""

    cpus: int
    memory_gib: int
    scratch: str
    shared: str


class Amounts(Entry):
    """A container that asks for as much as it may take."""

    amounts: dict[str, str] = Field(description="requests and limits")


class Workloads(Entry):
    server: ServerPods
    smoke_test: SmokeTest
    preflight: Preflight
    installer: Installer
    daemon: Daemon
    sidecar: SidecarPods
    fetch: Amounts = Field(description="what fetches weights before a server starts")
    node_cache: Amounts = Field(description="what keeps the cache of a node")
    pre_pull: Amounts = Field(description="each container that only holds an image on a node")


@cache
def workloads() -> Workloads:
    """Those numbers, read once."""
    return Workloads.model_validate(read_yaml(_FILE), by_alias=True, by_name=False)
