"""A control plane as its users see it: a folder that any process can start, ask, stop and remove."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.cluster import certificates, commands, devices, layout, ports, processes
from sandbox.cluster.api import Api, ApiError
from sandbox.cluster.layout import ClusterFeatures, Ports
from sandbox.cluster.stages import stages
from sandbox.cluster.workloads import Workloads, read_workloads, write_workloads
from sandbox.tools import ClusterTools

START_SECONDS = 60.0
NODE_READY_SECONDS = 30
# The supervisor waits 3 s for its children, in three rounds, before it kills them.
STOP_SECONDS = 15.0
LOG_LINES = 15

MULTI_NETWORK_CRDS = ("networking.gke.io_networks.yaml", "networking.gke.io_gkenetworkparamsets.yaml")

KINDS = Path(__file__).parent / "kinds"
IMPORT_ROOT = Path(__file__).resolve().parents[2]


class ClusterError(Exception):
    """The control plane does not run, or it refuses a request; the message is for a person."""


class ControlPlane:
    """The control plane of one cluster. Its folder holds its whole state; this object holds none.

    `tools` is needed for the first start only: the folder remembers them. `workloads` are the pods for which something
    of the sandbox's runs; None: those that the folder remembers.
    """

    def __init__(self, directory: Path, tools: ClusterTools | None = None, workloads: Workloads | None = None) -> None:
        self.directory = directory.resolve()
        self._given_tools = tools
        self._given_workloads = workloads

    @property
    def ca_file(self) -> Path:
        """The CA of the API server's certificate, as PEM. It exists after `prepare`, before the control plane runs."""
        return self.directory / layout.CA_FILE

    @property
    def token_file(self) -> Path:
        """The file with the administrator's token. It exists after `prepare`."""
        return self.directory / layout.TOKEN_FILE

    @property
    def endpoint(self) -> str:
        """`127.0.0.1:PORT` of the API server. Raises ClusterError if it was never started."""
        return f"127.0.0.1:{self._ports.kube_apiserver}"

    def prepare(self) -> None:
        """Make the folder with its certificates and tokens, unless it exists."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        with self._locked():
            certificates.create(self.directory)

    def start(self, features: ClusterFeatures) -> None:
        """Start the control plane and install what a fresh cluster with these features has.

        If it runs already, it is left alone. If it ran before, it continues with its data, at the same endpoint if that
        port is free. Raises ClusterError with the end of a log if it does not start.
        """
        self.prepare()
        with self._locked():
            ran_before = self.running()
            try:
                if not ran_before:
                    self._clean_up()
                    self._launch()
                self._wait_until_usable()
                self._install(features)
            except BaseException:
                # A caller who is interrupted here does not know yet that there is something to stop.
                if not ran_before:
                    self._clean_up()
                raise

    def running(self) -> bool:
        """Whether the control plane's supervisor runs."""
        return any(process.name == "supervisor" and process.alive() for process in processes.recorded(self.directory))

    def stop(self) -> None:
        """End all its processes, even those of a killed supervisor. The data stays."""
        if not self.directory.exists():
            return
        with self._locked():
            self._clean_up()

    def destroy(self) -> None:
        """Stop the control plane and remove its folder."""
        self.stop()
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def kubectl_command(self, *args: str) -> list[str]:
        """The command line of the real kubectl, as administrator of this control plane."""
        return [
            str(self._tools.kubectl),
            f"--kubeconfig={self.directory / layout.KUBECONFIG}",
            f"--cache-dir={self.directory / layout.KUBECTL_CACHE}",
            *args,
        ]

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it prints. Raises ClusterError with what it complains about."""
        result = subprocess.run(self.kubectl_command(*args), input=stdin, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise ClusterError(result.stderr.strip())
        return result.stdout

    def apply_nodes(self, nodes: Sequence[dict[str, Any]]) -> None:
        """Create or change these Node objects, `status` included, and wait until they are Ready."""
        if not nodes:
            return
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes})
        apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=sandbox")
        self.kubectl(*apply, "-f", "-", stdin=manifest)
        # The status of an existing node is a separate resource.
        self.kubectl(*apply, "--subresource=status", "-f", "-", stdin=manifest)
        names = [f"node/{node['metadata']['name']}" for node in nodes]
        self.kubectl("wait", "--for=condition=Ready", f"--timeout={NODE_READY_SECONDS}s", *names)

    def delete_nodes(self, selector: str) -> None:
        """Remove the nodes with these labels and the pods on them."""
        names = self.kubectl("get", "nodes", f"--selector={selector}", "--output=name").split()
        if not names:
            return
        self.kubectl("delete", "--ignore-not-found", *names)
        # No kubelet is left to end the node's pods, and the garbage collector takes a minute.
        for name in names:
            node = name.removeprefix("node/")
            on_it = ("--all-namespaces", f"--field-selector=spec.nodeName={node}")
            self.kubectl("delete", "pods", *on_it, "--force", "--wait=false")

    @cached_property
    def _tools(self) -> ClusterTools:
        tools = self._given_tools or layout.read_tools(self.directory)
        if tools is None:
            raise ClusterError(f"the control plane in {self.directory} was never started")
        return tools

    @property
    def _ports(self) -> Ports:
        stored = layout.read_ports(self.directory)
        if stored is None:
            raise ClusterError(f"the control plane in {self.directory} was never started")
        return stored

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        """Lets one start or stop happen at a time, over all processes."""
        with (self.directory / layout.LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _clean_up(self) -> None:
        supervisor = [process for process in processes.recorded(self.directory) if process.name == "supervisor"]
        processes.end(supervisor, STOP_SECONDS)
        left = processes.end(processes.recorded(self.directory), grace_seconds=1.0)
        if left:
            names = ", ".join(f"{process.name} ({process.pid})" for process in left)
            raise ClusterError(f"these processes of {self.directory} cannot be ended: {names}")
        for file in (layout.PROCESSES, layout.FAILURE, *layout.SUPERVISOR_SOCKETS):
            (self.directory / file).unlink(missing_ok=True)
        for socket in (self.directory / layout.MODEL_SOCKETS).glob("*.sock"):
            socket.unlink(missing_ok=True)

    def _launch(self) -> None:
        folder = self.directory
        try:
            chosen = ports.choose(folder)
        except ports.PortTaken as error:
            raise ClusterError(f"the control plane in {folder} cannot start again: {error}") from error
        layout.write_tools(folder, self._tools)
        workloads = self._given_workloads or read_workloads(folder)
        write_workloads(folder, workloads)
        layout.write_json(folder / layout.ADMISSION, commands.admission())
        layout.write_json(folder / layout.EGRESS_SELECTOR, commands.egress_selector())
        layout.write(folder / layout.STAGES, stages(self._tools.kwok_stages, workloads))
        kubeconfig = commands.kubeconfig(chosen.kube_apiserver, {"tokenFile": str(layout.TOKEN_FILE)})
        layout.write_json(folder / layout.KUBECONFIG, kubeconfig)
        shutil.rmtree(folder / layout.LOGS, ignore_errors=True)
        with (folder / layout.SUPERVISOR_LOG).open("wb") as log:
            subprocess.run(
                [sys.executable, "-m", "sandbox.cluster.supervisor", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(IMPORT_ROOT)},
                start_new_session=True,
                check=False,
            )

    def _wait_until_usable(self) -> None:
        api = Api(self.directory, self._ports.kube_apiserver)
        deadline = time.monotonic() + START_SECONDS
        try:
            while not _usable(api):
                if not self.running():
                    failed = layout.read_json(self.directory / layout.FAILURE) or "supervisor"
                    raise ClusterError(f"the control plane did not start: {failed} ended\n{self._log_tail(failed)}")
                if time.monotonic() > deadline:
                    tail = self._log_tail("kube-apiserver")
                    raise ClusterError(f"the control plane did not answer within {START_SECONDS:.0f} s\n{tail}")
                time.sleep(0.05)
        finally:
            api.close()

    def _log_tail(self, process: str) -> str:
        log = layout.SUPERVISOR_LOG if process == "supervisor" else layout.log_file(process)
        try:
            lines = (self.directory / log).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return f"{log} is missing"
        return "\n".join([f"{self.directory / log} ends:", *lines[-LOG_LINES:]])

    def _install(self, features: ClusterFeatures) -> None:
        """Apply the kinds that come with these features, unless this was done before."""
        if layout.read_json(self.directory / layout.FEATURES) == asdict(features):
            return
        files: list[Path] = []
        if features.multi_networking:
            files += [self._tools.gke_network_crds / name for name in MULTI_NETWORK_CRDS]
        if features.gateway_api:
            files += sorted(self._tools.gateway_crds.glob("gateway.networking.k8s.io_*.yaml"))
        if features.secret_manager:
            files.append(KINDS / "secretproviderclasses.yaml")
        if features.managed_prometheus:
            files.append(KINDS / "podmonitorings.yaml")
        if files:
            arguments = [f"--filename={file}" for file in files]
            self.kubectl("apply", "--server-side", "--field-manager=sandbox", *arguments)
            kinds = [f"--filename={file}" for file in files if "_vap_" not in file.name]
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", *kinds)
        objects = [commands.system_quota(), *(devices.device_classes() if features.managed_dranet else [])]
        manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--field-manager=sandbox", "--filename=-", stdin=manifest)
        layout.write_json(self.directory / layout.FEATURES, asdict(features))


def _usable(api: Api) -> bool:
    """Whether a pod could be created: the API answers, and the controllers have made the first service account."""
    try:
        api.call("GET", "/readyz")
        return api.find("/api/v1/namespaces/default/serviceaccounts/default") is not None
    except (ApiError, OSError):
        return False
