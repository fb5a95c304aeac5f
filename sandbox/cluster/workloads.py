"""Which pods of a program something of the sandbox's runs for; kwok alone would only say of them that they run."""

from pathlib import Path

from pydantic import Field

from sandbox.cluster import layout
from sandbox.rows import Row


class ModelServers(Row):
    """Containers that start a vLLM server, which a process of the sandbox's stands for."""

    command: tuple[str, ...] = Field(min_length=1)
    """Words of a container's command line; those behind them are the server's own arguments."""
    name_label: str
    """Label of such a pod that says which model it serves: the name by which `behave --model` knows it."""


class Jobs(Row):
    """Jobs whose pods end as what they ran; pods of every other Job succeed at once."""

    label: str
    """Label of their pods, whose value says what kind of Job it is."""
    scripts: tuple[str, ...] = ()
    """Kinds whose command runs as it is, on this machine, if it is Python."""
    fabric_tests: tuple[str, ...] = ()
    """Kinds that are NCCL tests between two nodes, in one of Google's images for that."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """All values of the label that the sandbox knows."""
        return (*self.scripts, *self.fabric_tests)


class Workloads(Row):
    """None: the program has no such pods, or nobody has to answer for them."""

    model_servers: ModelServers | None = None
    jobs: Jobs | None = None


def write_workloads(directory: Path, workloads: Workloads) -> None:
    """Write them into a control plane's folder, where its processes read them."""
    layout.write_json(directory / layout.WORKLOADS, workloads.model_dump(mode="json", by_alias=True))


def read_workloads(directory: Path) -> Workloads:
    """What the control plane in that folder was last started with."""
    return Workloads.model_validate(layout.read_json(directory / layout.WORKLOADS) or {})
