"""A bucket on this machine: the stand-in's Cloud Storage over real sockets, with a metadata server."""

import asyncio
import json
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.cluster.metadata import Tokens
from sandbox.cluster.storage_api import StorageApi
from sandbox.objects import Objects

BUCKET = "acme-weights"
PROJECT = "acme-inference"
FILL, SERVE = (f"serviceAccount:{name}@{PROJECT}.iam.gserviceaccount.com" for name in ("fill", "serve"))
_ROLES = {
    FILL: ("roles/storage.objectUser",),
    SERVE: ("roles/storage.objectViewer", "roles/storage.bucketViewer"),
}


@dataclass
class BucketOfObjects:
    folder: Path
    member: str = FILL
    """Who has the token that the metadata server gives."""
    broken: int = 0
    """How many uploads of a part are answered 503 before Google works again."""
    address: str = ""
    requests: list[str] = field(default_factory=list[str])

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": self.address, "GCE_METADATA_HOST": self.address.removeprefix("http://")}

    @property
    def objects(self) -> dict[str, bytes]:
        store = Objects(self.folder)
        return {each.name: store.content(each).read_bytes() for each in store.named(BUCKET)}

    def below(self, folder: str) -> dict[str, bytes]:
        start = f"{folder}/"
        return {name.removeprefix(start): data for name, data in self.objects.items() if name.startswith(start)}

    def put(self, name: str, content: bytes) -> None:
        store = Objects(self.folder)
        draft = store.draft(BUCKET, "by-hand")
        draft.write_bytes(content)
        store.put(BUCKET, name, draft, "text/plain", {})

    def delete(self, name: str) -> None:
        store = Objects(self.folder)
        (found,) = (each for each in store.named(BUCKET, name) if each.name == name)
        store.delete(found)


@contextmanager
def serve(bucket: BucketOfObjects) -> Generator[BucketOfObjects]:
    """The stand-in reads who may do what from the cloud's state above the folder in which it runs."""
    here = Path.cwd()
    plane = bucket.folder / "clusters" / "one"
    plane.mkdir(parents=True)
    (bucket.folder / "cloud.json").write_text(json.dumps({"resources": _resources()}))
    os.chdir(plane)
    loop, ready = asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        tokens = Tokens()
        runner = web.AppRunner(_application(bucket, tokens), handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        bucket.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert ready.wait(30)
        yield bucket
    finally:
        asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        os.chdir(here)


def _application(bucket: BucketOfObjects, tokens: Tokens) -> web.Application:
    @web.middleware
    async def watched(request: web.Request, handler: Any) -> web.StreamResponse:
        bucket.requests.append(f"{request.method} {request.path}")
        if request.method == "PUT" and bucket.broken:
            bucket.broken -= 1
            raise web.HTTPServiceUnavailable
        return await handler(request)

    async def token(request: web.Request) -> web.Response:
        assert request.headers["Metadata-Flavor"] == "Google"
        return web.json_response({"access_token": tokens.issue(bucket.member), "expires_in": 3600})

    outer = web.Application(middlewares=[watched])
    outer.router.add_get("/computeMetadata/v1/instance/service-accounts/default/token", token)
    # An application below a path would see another path than Google's, so its routes are taken over.
    inner = StorageApi(Objects(bucket.folder), tokens).application()

    for route in inner.router.routes():
        if route.resource is not None:
            outer.router.add_route(route.method, route.resource.canonical, _behind(inner, route.handler))
    return outer


def _behind(inner: web.Application, handler: Any) -> Any:
    (authenticated,) = inner.middlewares

    async def handle(request: web.Request) -> web.StreamResponse:
        return await authenticated(request, handler)

    return handle


def _resources() -> dict[str, Any]:
    bucket = {"token": "gcp:storage/bucket:Bucket", "inputs": {}, "outputs": {"name": BUCKET, "project": PROJECT}}
    members = {
        f"b/{BUCKET}/{role}/{member}": {"token": "", "inputs": {"member": member, "role": role}, "outputs": {}}
        for member, roles in _ROLES.items()
        for role in roles
    }
    return {BUCKET: bucket, **members}
