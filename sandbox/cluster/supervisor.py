"""The process that keeps a control plane: it starts the parts in order, and ends all of them when one dies or on a
signal.

Run as `python -m sandbox.cluster.supervisor FOLDER`. It moves to the background, and the command returns once it is on
record.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from sandbox.cluster import commands, layout, outside, processes
from sandbox.cluster.api import Api, ApiError, AsyncApi
from sandbox.cluster.compute_domains import ComputeDomainController
from sandbox.cluster.devices import DeviceController
from sandbox.cluster.egress import EgressProxy, ServiceResolver
from sandbox.cluster.forward import ForwardProxy
from sandbox.cluster.init_pods import InitPods
from sandbox.cluster.job_pods import JobPods
from sandbox.cluster.layout import Ports
from sandbox.cluster.leader_worker_set import SERVICE, LeaderWorkerSetController
from sandbox.cluster.model_pods import ModelPods
from sandbox.cluster.networks import NetworkController
from sandbox.cluster.pod_volumes import PodVolumes
from sandbox.cluster.pods import ON_A_NODE, Pod
from sandbox.cluster.programs import Programs
from sandbox.cluster.workloads import Workloads, read_workloads
from sandbox.tools import ClusterTools

logger = logging.getLogger("supervisor")

GRACE_SECONDS = 3.0
POLL_SECONDS = 0.05
BUSY_SECONDS = 0.25
IDLE_SECONDS = 1.0
IMPORT_ROOT = Path(__file__).resolve().parents[2]
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"


class Supervisor:
    """Runs the parts of a control plane; the working folder is the control plane's folder."""

    def __init__(self, tools: ClusterTools, ports: Ports, workloads: Workloads) -> None:
        self._tools = tools
        self._ports = ports
        self._workloads = workloads
        # The children in the order in which they were started.
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._over = asyncio.Event()
        self._failed: str | None = None
        # By uid, as they were at the last look.
        self._pods: dict[str, Pod] = {}
        self._watches: list[asyncio.Task[None]] = []

    async def run(self) -> bool:
        """Keeps the control plane until a signal or a failure; returns False after a failure."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signal_number, self._over.set)
        keep = asyncio.create_task(self._keep())
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait({keep, over}, return_when=asyncio.FIRST_COMPLETED)
        for task in (keep, over, *self._watches):
            task.cancel()
        await asyncio.gather(keep, over, *self._watches, return_exceptions=True)
        if not keep.cancelled() and (error := keep.exception()):
            logger.error("the supervisor itself failed", exc_info=error)
            self._failed = "supervisor"
        await self._end_all()
        if self._failed is not None and layout.TOOLS.exists():
            layout.write_json(layout.FAILURE, self._failed)
        return self._failed is None

    async def _keep(self) -> None:
        api = self._api()
        leader_worker_set = LeaderWorkerSetController(
            self._tools.lws_controller, self._ports, api, self._spawn, self._end
        )
        # This needs another connection: a request of ours may wait for a webhook, and the webhook's call waits for this
        # resolver.
        services = ServiceResolver(self._api(), {SERVICE: leader_worker_set.webhook_address})
        volumes = PodVolumes(self._api())
        models = ModelPods(self._api(), self._workloads.model_servers, volumes)
        await outside.serve(self._api())
        way_out = ForwardProxy(self._api(), models.resolve, outside.HOSTS, lambda uid: self._pods.get(uid))
        forward, proxy = await way_out.serve()
        programs = Programs(self._api(), volumes, proxy, self._spawn, self._end)
        kubelets = (
            InitPods(self._api(), self._workloads.init_containers, programs),
            models,
            JobPods(self._api(), self._workloads.jobs, programs),
        )
        async with await EgressProxy([services, models.resolve]).serve(layout.EGRESS_SOCKET), forward:
            await self._start("etcd", commands.etcd)
            await _until(lambda: _accepts(self._ports.etcd_client))
            await self._start("kube-apiserver", commands.kube_apiserver)
            await _until(lambda: _ready(api))
            # Leases of an earlier kwok would keep the new one off its nodes until they expire.
            await api.call("DELETE", LEASES)
            for name, command in commands.CONTROLLERS.items():
                await self._start(name, command)
            controllers = (NetworkController(api), DeviceController(api), ComputeDomainController(api))
            pod_api = self._api()

            async def controllers_look() -> bool:
                settled = await leader_worker_set.reconcile()
                for controller in controllers:
                    await controller.reconcile()
                return settled

            async def kubelets_look() -> bool:
                found = (await pod_api.call("GET", ON_A_NODE))["items"]
                self._pods = {pod["metadata"]["uid"]: pod for pod in found}
                volumes.forget_all_but(found)
                return all([await kubelet.reconcile(found) for kubelet in kubelets])

            # These run in parallel, since a controller's request may wait for something that the kubelets do.
            await asyncio.gather(self._repeat(controllers_look), self._repeat(kubelets_look))

    def _api(self) -> AsyncApi:
        return AsyncApi(Api(Path(), self._ports.kube_apiserver))

    async def _repeat(self, look: Callable[[], Awaitable[bool]]) -> None:
        """Looks at the cluster again and again, more often while something is under way."""
        complaint = ""
        # If somebody removes the folder, the control plane is to end too.
        while layout.TOOLS.exists():
            settled = True
            try:
                settled = await look()
            except Exception as error:
                # One unexpected object is no reason to end the control plane. We look at it again a second later, so
                # one message is enough.
                if complaint != repr(error):
                    complaint = repr(error)
                    logger.warning("%s", complaint)
            await asyncio.sleep(IDLE_SECONDS if settled else BUSY_SECONDS)
        logger.warning("the folder is gone")

    async def _start(self, name: str, command: commands.Command) -> None:
        """Starts a process without which the control plane cannot work."""
        process = await self._spawn(name, command(self._tools, self._ports), {})
        self._watches.append(asyncio.create_task(self._watch(name, process)))

    async def _watch(self, name: str, process: asyncio.subprocess.Process) -> None:
        exit_code = await process.wait()
        logger.error("%s ended with exit code %d, so the rest ends too", name, exit_code)
        self._failed = self._failed or name
        self._over.set()

    async def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> asyncio.subprocess.Process:
        # The environment of whoever starts the cluster must not change how it behaves.
        environment = {"PATH": os.defpath, "HOME": str(Path.cwd()), "PYTHONPATH": str(IMPORT_ROOT), **environment}
        process = await processes.spawn(command, layout.log_file(name), environment)
        self._children[name] = process
        self._record()
        logger.info("%s started", name)
        return process

    async def _end(self, name: str) -> None:
        process = self._children[name]
        for send in (process.terminate, process.kill):
            if process.returncode is None:
                send()
                try:
                    await asyncio.wait_for(process.wait(), GRACE_SECONDS)
                except TimeoutError:
                    continue
        del self._children[name]
        self._record()
        logger.info("%s ended", name)

    async def _end_all(self) -> None:
        # End the clients first: a server waits for those that are still connected.
        clients = [name for name in self._children if name not in ("etcd", "kube-apiserver")]
        await asyncio.gather(*(self._end(name) for name in clients))
        for name in reversed(list(self._children)):
            await self._end(name)

    def _record(self) -> None:
        record({name: process.pid for name, process in self._children.items()})


def record(children: dict[str, int]) -> None:
    """Writes down which processes run, this one first, unless somebody has removed the folder."""
    if not layout.TOOLS.exists():
        return
    running = [processes.identify(name, pid) for name, pid in {"supervisor": os.getpid(), **children}.items()]
    processes.record(Path(), [process for process in running if process is not None])


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await asyncio.sleep(POLL_SECONDS)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _ready(api: AsyncApi) -> bool:
    try:
        await api.call("GET", "/readyz")
    except (ApiError, OSError):
        return False
    return True


def main() -> None:
    os.chdir(sys.argv[1])
    on_record, say_on_record = os.pipe()
    if os.fork():
        os.close(say_on_record)
        os.read(on_record, 1)
        os._exit(0)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    record({})
    os.close(on_record)
    os.close(say_on_record)
    tools, ports = layout.read_tools(Path()), layout.read_ports(Path())
    if tools is None or ports is None:
        sys.exit(f"{sys.argv[1]} was not prepared")
    ended_well = asyncio.run(_run(tools, ports))
    # The supervisor's own record stays, because somebody may still wait for this process.
    for socket in layout.SUPERVISOR_SOCKETS:
        socket.unlink(missing_ok=True)
    sys.exit(0 if ended_well else 1)


async def _run(tools: ClusterTools, ports: Ports) -> bool:
    return await Supervisor(tools, ports, read_workloads(Path())).run()


if __name__ == "__main__":
    main()
