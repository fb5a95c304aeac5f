"""What stands on this machine for hosts outside of the cluster, so that the processes of pods find them."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from sandbox.cluster import hub_api, layout, metadata, storage_api
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.hub_api import HubApi
from sandbox.cluster.hub_behaviour import HubBehaviour
from sandbox.cluster.metadata import MetadataServer, Tokens
from sandbox.cluster.storage_api import StorageApi
from sandbox.objects import Objects

_INTERNET = "8.8.4.4"
"""An address of the internet, for hosts that have many: network policies know them by no other mark."""


@dataclass(frozen=True)
class Outside:
    """A host: the socket at which something stands for it, the address by which network policies know it, and whether
    it can be reached now."""

    socket: Path
    address: str
    reachable: Callable[[], bool] = lambda: True


def _hub_is_there() -> bool:
    return not HubBehaviour.read(layout.HUB_BEHAVIOUR).unreachable


HOSTS = {
    metadata.HOST: Outside(layout.METADATA_SOCKET, "169.254.169.254"),
    storage_api.HOST: Outside(layout.STORAGE_SOCKET, _INTERNET),
    hub_api.HOST: Outside(layout.HUB_SOCKET, _INTERNET, _hub_is_there),
    hub_api.FILES_HOST: Outside(layout.HUB_SOCKET, _INTERNET, _hub_is_there),
}


async def serve(api: AsyncApi) -> None:
    """Serves all of them, at their sockets in the control plane's folder, for as long as this process lives."""
    tokens = Tokens()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(layout.OUTSIDE_CERTIFICATE, layout.OUTSIDE_KEY)
    await _serve(MetadataServer(api, tokens).application(), layout.METADATA_SOCKET, None)
    await _serve(StorageApi(Objects(layout.CLOUD.parent), tokens).application(), layout.STORAGE_SOCKET, certificate)
    await _serve(HubApi().application(), layout.HUB_SOCKET, certificate)


async def _serve(application: web.Application, socket: Path, certificate: ssl.SSLContext | None) -> None:
    socket.unlink(missing_ok=True)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket), ssl_context=certificate).start()
