"""Runs the real LeaderWorkerSet controller as local processes, one for each pod of its chart, as kubelets would."""

import asyncio
import base64
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from sandbox.cluster import commands, layout, ports
from sandbox.cluster.api import MERGE_PATCH, AsyncApi
from sandbox.cluster.layout import Ports
from sandbox.cluster.stages import PROCESS_LABELS, SERVING_ANNOTATION

logger = logging.getLogger(__name__)

PROCESS = "leader-worker-set"
SERVICE = ("lws-webhook-service", 443)
WEBHOOKS = (
    "mutatingwebhookconfigurations/lws-mutating-webhook-configuration",
    "validatingwebhookconfigurations/lws-validating-webhook-configuration",
)
SELECTOR = "%2C".join(f"{quote(label, safe='')}%3D{value}" for label, value in PROCESS_LABELS.items())
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/leaderworkersets.leaderworkerset.x-k8s.io"

CERTIFICATES = layout.LEADER_WORKER_SET / "certificates"

TOKEN_SECONDS = 365 * 24 * 3600
FIRST_RESTART_SECONDS = 1.0
LAST_RESTART_SECONDS = 30.0

Spawn = Callable[[str, list[str], dict[str, str]], Awaitable[asyncio.subprocess.Process]]
End = Callable[[str], Awaitable[None]]


@dataclass
class _Controller:
    """The process that stands for one pod of the chart."""

    name: str
    port: int
    # The uid of its service account: another account needs another token.
    identity: str = ""
    process: asyncio.subprocess.Process | None = None
    restart_after: float = 0.0
    restart_delay: float = FIRST_RESTART_SECONDS

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.returncode is None


class LeaderWorkerSetController:
    """Keeps a process for each pod of the chart. A pod is Ready when its process serves the webhooks and the API server
    knows their certificate. If there are several, they choose a leader by their own Lease."""

    def __init__(self, binary: Path, known: Ports, api: AsyncApi, spawn: Spawn, end: End) -> None:
        self._binary = binary
        self._first_port = known.leader_worker_set_webhook
        self._api_port = known.kube_apiserver
        self._api = api
        self._spawn = spawn
        self._end = end
        self._controllers: dict[str, _Controller] = {}
        self._leads_from_before = True

    def webhook_address(self) -> tuple[str, int]:
        """The local address that the webhooks' Service leads to: that of a process that runs, if there is one."""
        found = next((each for each in self._controllers.values() if each.runs), None)
        return "127.0.0.1", found.port if found else self._first_port

    async def reconcile(self) -> bool:
        """Looks at the cluster once; returns whether nothing is under way, so that the next look can wait."""
        pods = {pod["metadata"]["uid"]: pod for pod in await self._scheduled_pods()}
        for uid in [uid for uid in self._controllers if uid not in pods]:
            await self._stop(uid)
        if not pods:
            shutil.rmtree(CERTIFICATES, ignore_errors=True)
            return True
        return all([await self._look_after(uid, pod) for uid, pod in pods.items()])

    async def _look_after(self, uid: str, pod: dict[str, Any]) -> bool:
        """Starts or checks the pod's process; returns whether it serves."""
        mounts = await self._mounts(pod)
        if mounts is None:
            return False
        account, config, secret = mounts
        _write_certificates(secret.get("data", {}))
        controller = self._controllers.get(uid)
        if controller and controller.process and controller.process.returncode is not None:
            self._back_off(controller, controller.process.returncode)
        if controller and controller.process and controller.identity != account["metadata"]["uid"]:
            await self._stop(uid)
            controller = None
        if controller is None:
            controller = self._controllers[uid] = self._new()
        if controller.process is None:
            if time.monotonic() >= controller.restart_after:
                await self._start(controller, account, config)
            return False
        if SERVING_ANNOTATION in pod["metadata"].get("annotations", {}):
            return True
        if await self._serves(controller):
            controller.restart_delay = FIRST_RESTART_SECONDS
            await self._announce(pod)
        return False

    def _new(self) -> _Controller:
        """A new controller whose name and port no other one has."""
        names = [f"{PROCESS}-{number}" for number in range(1, len(self._controllers) + 1)]
        taken = {each.name for each in self._controllers.values()}
        name = next(each for each in (PROCESS, *names) if each not in taken)
        used = {each.port for each in self._controllers.values()}
        return _Controller(name, ports.another(self._first_port, used))

    async def _scheduled_pods(self) -> list[dict[str, Any]]:
        pods = await self._api.call("GET", f"/api/v1/pods?labelSelector={SELECTOR}")
        return [
            pod for pod in pods["items"] if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]
        ]

    async def _mounts(self, pod: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
        """The pod's service account, configuration and certificate Secret; None as long as one of them is missing.

        A kubelet does not start a container before that either. The CRD must exist too, since the controller ends
        without it.
        """
        spec = pod["spec"]
        config_map = _volume(spec, "configMap", "name")
        secret = _volume(spec, "secret", "secretName")
        core = _namespace(pod)
        found = [
            await self._api.find(path)
            for path in (
                f"{core}/serviceaccounts/{spec['serviceAccountName']}",
                f"{core}/configmaps/{config_map}",
                f"{core}/secrets/{secret}",
                CRD,
            )
        ]
        if any(each is None for each in found):
            return None
        account, config, certificates, _ = found
        return account, config, certificates

    async def _start(self, controller: _Controller, account: dict[str, Any], config_map: dict[str, Any]) -> None:
        if self._leads_from_before:
            # Processes that led before this control plane's start are gone and cannot give up their Lease.
            namespace = account["metadata"]["namespace"]
            await self._api.call("DELETE", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
            self._leads_from_before = False
        folder = layout.LEADER_WORKER_SET / controller.name
        config, kubeconfig = folder / "config.json", folder / "kubeconfig"
        layout.write(config, _configuration(config_map, controller.port))
        # The process has the chart's own rights and no others, so that a role that lacks something is noticed here.
        path = f"{_namespace(account)}/serviceaccounts/{account['metadata']['name']}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        granted = await self._api.call("POST", path, request)
        found = commands.kubeconfig(self._api_port, {"token": granted["status"]["token"]})
        found["clusters"][0]["cluster"]["certificate-authority"] = str(layout.CA_FILE.absolute())
        layout.write_json(kubeconfig, found, 0o600)
        command = [str(self._binary), f"--config={config}", "--zap-log-level=info"]
        controller.identity = account["metadata"]["uid"]
        controller.process = await self._spawn(controller.name, command, {"KUBECONFIG": str(kubeconfig)})

    async def _serves(self, controller: _Controller) -> bool:
        for webhook in WEBHOOKS:
            configuration = await self._api.find(f"/apis/admissionregistration.k8s.io/v1/{webhook}")
            hooks: list[dict[str, Any]] = configuration["webhooks"] if configuration else []
            if not hooks or not all(hook["clientConfig"].get("caBundle") for hook in hooks):
                return False
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", controller.port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def _announce(self, pod: dict[str, Any]) -> None:
        """Annotate the pod as serving; kwok's stage makes it Ready then."""
        annotation = {"metadata": {"annotations": {SERVING_ANNOTATION: "true"}}}
        path = f"{_namespace(pod)}/pods/{pod['metadata']['name']}"
        await self._api.call("PATCH", path, annotation, MERGE_PATCH)

    def _back_off(self, controller: _Controller, exit_code: int) -> None:
        delay = controller.restart_delay
        logger.warning("%s ended with exit code %d, again in %.0f s", controller.name, exit_code, delay)
        controller.process = None
        controller.restart_after = time.monotonic() + delay
        controller.restart_delay = min(2 * delay, LAST_RESTART_SECONDS)

    async def _stop(self, uid: str) -> None:
        controller = self._controllers.pop(uid)
        logger.info("%s: its pod is gone", controller.name)
        if controller.process is not None:
            await self._end(controller.name)


def _namespace(found: dict[str, Any]) -> str:
    """The API's path of the namespace that an object is in."""
    return f"/api/v1/namespaces/{found['metadata']['namespace']}"


def _volume(spec: dict[str, Any], kind: str, key: str) -> str:
    """The name of the object of that kind that the pod mounts first."""
    return next((volume[kind][key] for volume in spec.get("volumes", []) if kind in volume), "")


def _configuration(config_map: dict[str, Any], webhook_port: int) -> str:
    """The chart's configuration with addresses on this machine, as JSON, which is YAML too."""
    (content,) = config_map["data"].values()
    configuration: dict[str, Any] = yaml.safe_load(content)
    return json.dumps(
        {
            **configuration,
            "webhook": {"host": "127.0.0.1", "port": webhook_port, "certDir": str(CERTIFICATES)},
            "metrics": {"bindAddress": "0"},
            "health": {"healthProbeBindAddress": "0"},
        }
    )


def _write_certificates(data: dict[str, str]) -> None:
    """Write the Secret's files and remove all others, as a kubelet mounts a Secret."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    for file in CERTIFICATES.iterdir():
        if file.name not in data:
            file.unlink()
    for name, encoded in data.items():
        content = base64.b64decode(encoded)
        file = CERTIFICATES / name
        if not file.exists() or file.read_bytes() != content:
            layout.write(file, content, 0o600)
