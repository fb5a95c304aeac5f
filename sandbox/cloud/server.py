"""Serves the cloud to a Pulumi engine while that engine runs."""

import contextlib
import logging
from collections.abc import Generator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.cloud.autoscaler import Autoscaler
from sandbox.cloud.cloud import Cloud
from sandbox.cloud.control_planes import ControlPlanes, Paper
from sandbox.cloud.faults import Faults
from sandbox.cloud.node_networks import NodeNetworks
from sandbox.cloud.provider import Provider
from sandbox.cloud.scenario import Scenario, read_scenario
from sandbox.cloud.store import Store
from sandbox.cloud.tables import Tables
from sandbox.cluster import Workloads
from sandbox.tools import ClusterTools

# The Pulumi engine has the same limit for one message.
_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
# The Pulumi engine sends so many requests at once by default, and asks a few questions beside them.
_THREADS = 32
_LOG = "cloud.log"


@contextmanager
def serve_cloud(
    state_file: Path,
    clusters: Path | None = None,
    tools: ClusterTools | None = None,
    scenario: Path | None = None,
    workloads: Workloads | None = None,
) -> Generator[int]:
    """Serves on the port that is yielded; the Pulumi engine attaches by `PULUMI_DEBUG_PROVIDERS=gcp:PORT`.

    `clusters` is the folder for the control planes, each under its cluster's name; it needs `tools`. Without it
    clusters are only recorded. `scenario` is a file that says what is special about this Google. `workloads` are the
    pods for which something runs in its clusters; None: those that each cluster remembers. Internal errors are written
    to cloud.log beside the state. Raises InvalidTable if the scenario is not one.
    """
    store = Store(state_file)
    told = read_scenario(scenario)
    tables = Tables(told.families, told.reservations)
    faults = Faults(told.faults)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_logging_to(state_file.parent / _LOG))
        effects = Paper() if clusters is None else _control_planes(clusters, tools, tables, workloads, told)
        if isinstance(effects, ControlPlanes):
            stack.enter_context(NodeNetworks(effects, store.read))
            stack.enter_context(Autoscaler(effects, store, tables))
        server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="cloud"),
            options=[("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)],
        )
        cloud = Cloud(store, tables, effects, faults)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(cloud), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        stack.callback(lambda: server.stop(grace=None).wait())
        stack.callback(cloud.give_up)
        yield port


def _control_planes(
    clusters: Path, tools: ClusterTools | None, tables: Tables, workloads: Workloads | None, told: Scenario
) -> ControlPlanes:
    if tools is None:
        raise ValueError("a folder for clusters needs the tools of a control plane")
    return ControlPlanes(
        clusters,
        tools,
        tables,
        workloads,
        reachable=told.reachable,
        balancers_stay=told.load_balancers_stay,
    )


@contextmanager
def _logging_to(file: Path) -> Generator[None]:
    logger = logging.getLogger("sandbox.cloud")
    handler = logging.FileHandler(file, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
