"""Runs the real LeaderWorkerSet controller as a local process while the chart's pod is there, as a kubelet would."""

import asyncio
import base64
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml

from sandbox.cluster import commands, layout
from sandbox.cluster.api import MERGE_PATCH, AsyncApi
from sandbox.cluster.layout import Ports

logger = logging.getLogger(__name__)

PROCESS = "leader-worker-set"
NAMESPACE = commands.PROCESS_NAMESPACE
SERVICE = (NAMESPACE, "lws-webhook-service", 443)
WEBHOOKS = (
    "mutatingwebhookconfigurations/lws-mutating-webhook-configuration",
    "validatingwebhookconfigurations/lws-validating-webhook-configuration",
)
CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/leaderworkersets.leaderworkerset.x-k8s.io"

CONFIG = layout.LEADER_WORKER_SET / "config.json"
KUBECONFIG = Path("leader-worker-set.kubeconfig")
CERTIFICATES = layout.LEADER_WORKER_SET / "certificates"

TOKEN_SECONDS = 365 * 24 * 3600
FIRST_RESTART_SECONDS = 1.0
LAST_RESTART_SECONDS = 30.0

Spawn = Callable[[str, list[str], dict[str, str]], Awaitable[asyncio.subprocess.Process]]
End = Callable[[str], Awaitable[None]]


class LeaderWorkerSetController:
    """Its pod is Ready when the process serves the webhooks and the API server knows their certificate."""

    def __init__(self, binary: Path, ports: Ports, api: AsyncApi, spawn: Spawn, end: End) -> None:
        self._binary = binary
        self._port = ports.leader_worker_set_webhook
        self._api_port = ports.kube_apiserver
        self._api = api
        self._spawn = spawn
        self._end = end
        self._process: asyncio.subprocess.Process | None = None
        # Who the process is: with another service account it needs another token.
        self._identity = ""
        self._restart_after = 0.0
        self._restart_delay = FIRST_RESTART_SECONDS

    @property
    def webhook_address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    async def reconcile(self) -> bool:
        """One look at the cluster; whether nothing is under way, so that the next look can wait."""
        pods = await self._scheduled_pods()
        if not pods:
            await self._stop()
            return True
        mounts = await self._mounts(pods[0])
        if mounts is None:
            return False
        account, config, secret = mounts
        _write_certificates(secret.get("data", {}))
        if self._process is not None and self._process.returncode is not None:
            self._back_off(self._process.returncode)
        if self._process is not None and self._identity != account["metadata"]["uid"]:
            await self._stop()
        if self._process is None:
            if time.monotonic() >= self._restart_after:
                await self._start(account, config)
            return False
        silent = [pod for pod in pods if commands.SERVING_ANNOTATION not in pod["metadata"].get("annotations", {})]
        if silent and await self._serves():
            self._restart_delay = FIRST_RESTART_SECONDS
            await self._announce(silent)
        return not silent

    async def _scheduled_pods(self) -> list[dict[str, Any]]:
        label, value = commands.PROCESS_LABEL
        pods = await self._api.call("GET", f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={label}%3D{value}")
        return [
            pod for pod in pods["items"] if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]
        ]

    async def _mounts(self, pod: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]] | None:
        """Service account, configuration and certificate Secret; None as long as one of them is missing.

        A kubelet does not start a container before that either. The kind itself is looked for as well, since the
        controller ends without it.
        """
        spec = pod["spec"]
        config_map = _volume(spec, "configMap", "name")
        secret = _volume(spec, "secret", "secretName")
        core = f"/api/v1/namespaces/{NAMESPACE}"
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

    async def _start(self, account: dict[str, Any], config_map: dict[str, Any]) -> None:
        layout.write(CONFIG, _configuration(config_map, self._port))
        # The chart's own rights and no others: what its roles lack shows here.
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account['metadata']['name']}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        granted = await self._api.call("POST", path, request)
        kubeconfig = commands.kubeconfig(self._api_port, {"token": granted["status"]["token"]})
        layout.write_json(KUBECONFIG, kubeconfig, 0o600)
        command = [str(self._binary), f"--config={CONFIG}", "--zap-log-level=info"]
        self._identity = account["metadata"]["uid"]
        self._process = await self._spawn(PROCESS, command, {"KUBECONFIG": str(KUBECONFIG)})

    async def _serves(self) -> bool:
        for webhook in WEBHOOKS:
            configuration = await self._api.find(f"/apis/admissionregistration.k8s.io/v1/{webhook}")
            hooks: list[dict[str, Any]] = configuration["webhooks"] if configuration else []
            if not hooks or not all(hook["clientConfig"].get("caBundle") for hook in hooks):
                return False
        try:
            _, writer = await asyncio.open_connection(*self.webhook_address)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    async def _announce(self, pods: list[dict[str, Any]]) -> None:
        """Let the pods become Ready."""
        annotation = {"metadata": {"annotations": {commands.SERVING_ANNOTATION: "true"}}}
        for pod in pods:
            path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}"
            await self._api.call("PATCH", path, annotation, MERGE_PATCH)

    def _back_off(self, exit_code: int) -> None:
        logger.warning("%s ended with exit code %d, again in %.0f s", PROCESS, exit_code, self._restart_delay)
        self._process = None
        self._restart_after = time.monotonic() + self._restart_delay
        self._restart_delay = min(2 * self._restart_delay, LAST_RESTART_SECONDS)

    async def _stop(self) -> None:
        if self._process is not None:
            logger.info("%s: its pod is gone", PROCESS)
            await self._end(PROCESS)
            self._process = None
            shutil.rmtree(CERTIFICATES, ignore_errors=True)
        self._restart_delay = FIRST_RESTART_SECONDS


def _volume(spec: dict[str, Any], kind: str, key: str) -> str:
    """The name of the object of that kind that the pod mounts first."""
    return next((volume[kind][key] for volume in spec.get("volumes", []) if kind in volume), "")


def _configuration(config_map: dict[str, Any], webhook_port: int) -> str:
    """The chart's configuration, with addresses on this machine; JSON is YAML."""
    (content,) = config_map["data"].values()
    configuration: dict[str, Any] = yaml.safe_load(content)
    return json.dumps(
        {
            **configuration,
            "leaderElection": {"leaderElect": False},
            "webhook": {"host": "127.0.0.1", "port": webhook_port, "certDir": str(CERTIFICATES)},
            "metrics": {"bindAddress": "0"},
            "health": {"healthProbeBindAddress": "0"},
        }
    )


def _write_certificates(data: dict[str, str]) -> None:
    """What the Secret holds and nothing else: a kubelet mounts it so."""
    CERTIFICATES.mkdir(parents=True, exist_ok=True)
    for file in CERTIFICATES.iterdir():
        if file.name not in data:
            file.unlink()
    for name, encoded in data.items():
        content = base64.b64decode(encoded)
        file = CERTIFICATES / name
        if not file.exists() or file.read_bytes() != content:
            layout.write(file, content, 0o600)
