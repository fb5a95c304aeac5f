"""What stands on this machine for hosts outside of the cluster, so that the processes of pods find them."""

import ssl
from pathlib import Path

from aiohttp import web

from sandbox.cluster import layout, metadata, storage_api
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.metadata import MetadataServer, Tokens
from sandbox.cluster.storage_api import StorageApi
from sandbox.objects import Objects

SOCKETS = {metadata.HOST: layout.METADATA_SOCKET, storage_api.HOST: layout.STORAGE_SOCKET}


async def serve(api: AsyncApi) -> None:
    """Serves all of them, at their sockets in the control plane's folder, for as long as this process lives."""
    tokens = Tokens()
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(layout.OUTSIDE_CERTIFICATE, layout.OUTSIDE_KEY)
    await _serve(MetadataServer(api, tokens).application(), layout.METADATA_SOCKET, None)
    await _serve(StorageApi(Objects(layout.CLOUD.parent), tokens).application(), layout.STORAGE_SOCKET, certificate)


async def _serve(application: web.Application, socket: Path, certificate: ssl.SSLContext | None) -> None:
    socket.unlink(missing_ok=True)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket), ssl_context=certificate).start()
