"""Names the pods of a program for which the sandbox runs something; all other pods are only said to run."""

from pathlib import Path
from typing import Any

from pydantic import Field

from sandbox.cluster import layout, pods
from sandbox.rows import Row


class ModelServers(Row):
    """The containers that start a vLLM server; a process of the sandbox stands for each."""

    command: tuple[str, ...] = Field(min_length=1)
    """Words in a container's command line. The words behind them are the server's own arguments."""
    name_label: str
    """The label whose value is the name of the model that a pod serves, as `behave --model` takes it."""


class Jobs(Row):
    """The Jobs that really run: their pods end with the result of the process. Pods of other Jobs succeed at once."""

    label: str
    """The label of their pods whose value says what kind of Job it is."""
    scripts: tuple[str, ...] = ()
    """Kinds of Jobs whose Python command runs unchanged on this machine."""
    fabric_tests: tuple[str, ...] = ()
    """Kinds of Jobs that are NCCL tests between two nodes, in one of Google's images for that."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """All values of the label that the sandbox knows."""
        return (*self.scripts, *self.fabric_tests)


class InitContainers(Row):
    """The init containers that really run: a pod's containers start once they have ended well. All others are done at
    once."""

    command: tuple[str, ...] = Field(min_length=1)
    """Words with which their command lines begin: a program in Python."""

    def holds(self, container: dict[str, Any]) -> bool:
        sidecar = container.get("restartPolicy") == "Always"
        return not sidecar and tuple(pods.command_line(container)[: len(self.command)]) == self.command


class Workloads(Row):
    """The pods of a program for which the sandbox runs something. None: the program has no such pods."""

    model_servers: ModelServers | None = None
    jobs: Jobs | None = None
    init_containers: InitContainers | None = None


def write_workloads(directory: Path, workloads: Workloads) -> None:
    """Write them into a control plane's folder, where its processes read them."""
    layout.write_json(directory / layout.WORKLOADS, workloads.model_dump(mode="json", by_alias=True))


def read_workloads(directory: Path) -> Workloads:
    """What the control plane in that folder was last started with."""
    return Workloads.model_validate(layout.read_json(directory / layout.WORKLOADS) or {})
