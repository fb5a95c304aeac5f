"""The process of all model servers of a control plane. It runs in that folder and does what the supervisor tells it."""

import asyncio
import shutil
import signal
import ssl

from aiohttp import web

from sandbox.cluster import layout
from sandbox.models.node_agent import NodeAgent
from sandbox.models.servers import Servers, ServerSpec


async def main() -> None:
    shutil.rmtree(layout.MODEL_SOCKETS, ignore_errors=True)
    layout.MODEL_SOCKETS.mkdir(mode=0o700)
    servers = Servers()

    async def set_servers(request: web.Request) -> web.Response:
        specs = [ServerSpec.from_json(each) for each in await request.json()]
        await servers.set(specs)
        return web.json_response(sorted(spec.key for spec in specs))

    control = web.Application()
    control.add_routes([web.put("/servers", set_servers)])
    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(layout.SERVING_CERTIFICATE, layout.SERVING_KEY)
    await _serve(NodeAgent(layout.POD_LOGS).application(), layout.NODE_SOCKET, certificate)
    await _serve(control, layout.MODELS_CONTROL_SOCKET, None)

    over = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, over.set)
    await over.wait()


async def _serve(application: web.Application, socket: object, certificate: ssl.SSLContext | None) -> None:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket), ssl_context=certificate).start()


if __name__ == "__main__":
    asyncio.run(main())
