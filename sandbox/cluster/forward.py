"""An HTTP proxy for processes that stand for pods: by it they reach Services by name, as pods do by the cluster's
DNS, and those hosts outside of the cluster for which something on this machine stands."""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.cluster.api import ApiError, AsyncApi
from sandbox.cluster.egress import Resolver, dial, tunnel
from sandbox.cluster.egress_policies import lets_out
from sandbox.cluster.metadata import POD_HEADER
from sandbox.cluster.outside import Outside
from sandbox.cluster.pods import Pod

logger = logging.getLogger(__name__)

DNS_SUFFIX = ".cluster.local"

_POLICIES = "/apis/networking.k8s.io/v1"
_BETWEEN_HOPS = ("connection", "proxy-connection", "proxy-authorization", POD_HEADER.lower())
_USER = "pod"


class Unreachable(Exception):
    """The destination cannot be reached; the message says why."""


class ForwardProxy:
    """Takes one request for each connection, since the next request may go to another pod. Who asks is in the proxy's
    URL: a process has no address of its own, as a pod has."""

    def __init__(
        self,
        api: AsyncApi,
        resolve_pod: Resolver,
        outside: Mapping[str, Outside],
        pod_of: Callable[[str], Pod | None],
    ) -> None:
        """`outside`: what stands for hosts outside of the cluster; by HTTPS they are reached through a tunnel.
        `pod_of`: the pod with a uid, if it is on a node."""
        self._api = api
        self._resolve_pod = resolve_pod
        self._pod_of = pod_of
        self._outside = outside

    async def serve(self) -> tuple[asyncio.Server, str]:
        """Starts the proxy; returns the server and its URL on this machine."""
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._forward(reader, writer)
        except (ApiError, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.warning("forward: connection ended: %s", error)
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        method, url, version = first.split()
        target = urlsplit(f"//{url}" if method == "CONNECT" else url)
        pod = _pod(headers)
        try:
            server = await self._connect(target.hostname or "", target.port or 80, pod)
        except Unreachable as error:
            body = str(error).encode()
            # A client that wanted a tunnel shows the first line alone.
            head = f"HTTP/1.1 503 {error}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            kept = [line for line in headers if line.partition(":")[0].lower() not in _BETWEEN_HOPS]
            asks = f"{POD_HEADER}: {pod}"
            request = "\r\n".join([f"{method} {path} {version}", *kept, asks, "Connection: close", "", ""])
            server[1].write(request.encode("latin-1"))
        await tunnel(reader, writer, *server)

    async def _connect(self, host: str, port: int, pod: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if host in self._outside:
            return await self._connect_outside(host, port, pod)
        for pod_address, pod_port in await self._endpoints(host, port):
            address = await self._resolve_pod(pod_address, pod_port)
            server = None if address is None else await dial(address)
            if server is not None:
                return server
        raise Unreachable(f"no Ready pod answers for {host}:{port}")

    async def _connect_outside(
        self, host: str, port: int, uid: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        there, pod = self._outside[host], self._pod_of(uid)
        if pod is not None:
            namespace = pod["metadata"]["namespace"]
            policies = (await self._api.call("GET", f"{_POLICIES}/namespaces/{namespace}/networkpolicies"))["items"]
            if not lets_out(policies, pod, there.address, port):
                raise Unreachable(f"no network policy of {namespace} lets the pod out to {host}:{port}")
        server = await dial(there.socket) if there.reachable() else None
        if server is None:
            raise Unreachable(f"{host} does not answer")
        return server

    async def _endpoints(self, host: str, port: int) -> list[tuple[str, int]]:
        """The addresses of the pods behind `[HOSTNAME.]NAME.NAMESPACE.svc[.cluster.local]`."""
        labels = host.removesuffix(DNS_SUFFIX).split(".")
        if len(labels) not in (3, 4) or labels[-1] != "svc":
            raise Unreachable(f"{host} is no Service's name; write NAME.NAMESPACE.svc{DNS_SUFFIX}")
        *hostname, name, namespace = labels[:-1]
        service = await self._api.find(f"/api/v1/namespaces/{namespace}/services/{name}")
        if service is None:
            raise Unreachable(f"there is no Service {name} in namespace {namespace}")
        port_name = next((each.get("name", "") for each in service["spec"]["ports"] if each["port"] == port), None)
        if port_name is None:
            raise Unreachable(f"Service {namespace}/{name} has no port {port}")
        selector = f"kubernetes.io%2Fservice-name%3D{name}"
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector={selector}"
        slices = await self._api.call("GET", path)
        return [address for item in slices["items"] for address in _ready(item, port_name, hostname)]


def proxy_of(proxy: str, pod: str) -> str:
    """The proxy's URL for the process of the pod with this uid."""
    return proxy.replace("://", f"://{_USER}:{pod}@")


def _pod(headers: list[str]) -> str:
    """The uid of the pod that asks; empty if nobody says so."""
    for line in headers:
        name, _, value = line.partition(":")
        if name.lower() == "proxy-authorization":
            try:
                return base64.b64decode(value.strip().removeprefix("Basic ")).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return ""
    return ""


def _ready(endpoint_slice: dict[str, Any], port_name: str, hostname: list[str]) -> Iterator[tuple[str, int]]:
    ports: list[dict[str, Any]] = endpoint_slice.get("ports") or []
    endpoints: list[dict[str, Any]] = endpoint_slice.get("endpoints") or []
    for port in ports:
        if port.get("name", "") != port_name:
            continue
        for endpoint in endpoints:
            named = not hostname or endpoint.get("hostname") == hostname[0]
            if named and endpoint.get("conditions", {}).get("ready", True):
                yield from ((address, port["port"]) for address in endpoint["addresses"])
