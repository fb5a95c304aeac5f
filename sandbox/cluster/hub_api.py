"""Stands in for Hugging Face's hub as pods reach it: a model's list of files, and the files, on two hosts.

Its answers have the form that the hub's own had on 2026-11-28: small files come at once, large ones by a redirect to a
host that takes no token, and a refusal says its reason in a header.
"""

import datetime
from urllib.parse import quote

from aiohttp import web

from sandbox import checkpoints
from sandbox.checkpoints import HubFile
from sandbox.cluster import layout
from sandbox.cluster.hub_behaviour import HubBehaviour

HOST = "huggingface.co"
FILES_HOST = "cas-bridge.xethub.hf.co"

_AT_ONCE = 64 * 1024


class HubApi:
    """Answers for both hosts, and writes down each request and how many bytes of files it brought."""

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/api/models/{owner}/{name}/revision/{revision}", self._listed),
                web.get("/{owner}/{name}/resolve/{revision}/{file:.+}", self._resolved),
                web.get("/files/{owner}/{name}/{file:.+}", self._large),
            ]
        )
        application.on_response_prepare.append(_write_down)
        return application

    async def _listed(self, request: web.Request) -> web.Response:
        repository, commit = _repository(request), _commit(request)
        rows = [_row(file) for file in checkpoints.files(repository).values()]
        gate = "manual" if checkpoints.gated(repository) else False
        return web.json_response({"id": repository, "sha": commit, "gated": gate, "siblings": rows})

    async def _resolved(self, request: web.Request) -> web.StreamResponse:
        repository, behaviour = _repository(request), HubBehaviour.read(layout.HUB_BEHAVIOUR)
        commit, file = _commit(request), _file(request)
        known = request.headers.get("Authorization") is not None
        if behaviour.gated or (checkpoints.gated(repository) and not known):
            raise _refusal(403 if known else 401, "GatedRepo", f"Access to model {repository} is restricted.")
        if file.name in behaviour.forbidden:
            raise _refusal(403, "", "Forbidden")
        if not file.lfs:
            return await _send(request, file, behaviour)
        where = f"https://{FILES_HOST}/files/{repository}/{quote(file.name)}"
        headers = {"Location": where, "X-Repo-Commit": commit, "X-Linked-Size": str(len(file.content))}
        return web.Response(status=302, headers=headers)

    async def _large(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") is not None:
            # The address is signed already, and storage refuses two ways to say who asks.
            raise web.HTTPBadRequest(text="Only one auth mechanism allowed")
        return await _send(request, _file(request), HubBehaviour.read(layout.HUB_BEHAVIOUR))


def _repository(request: web.Request) -> str:
    return f"{request.match_info['owner']}/{request.match_info['name']}"


def _commit(request: web.Request) -> str:
    revision = request.match_info["revision"]
    commit = checkpoints.commit(_repository(request), revision)
    if commit is None:
        raise _refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
    return commit


def _file(request: web.Request) -> HubFile:
    file = checkpoints.files(_repository(request)).get(request.match_info["file"])
    if file is None:
        raise _refusal(404, "EntryNotFound", "Entry not found")
    return file


def _row(file: HubFile) -> dict[str, object]:
    row: dict[str, object] = {"rfilename": file.name, "size": len(file.content), "blobId": file.git_digest}
    return {**row, "lfs": {"sha256": file.sha256, "size": len(file.content)}} if file.lfs else row


def _refusal(status: int, code: str, message: str) -> web.HTTPException:
    refusals = {401: web.HTTPUnauthorized, 403: web.HTTPForbidden, 404: web.HTTPNotFound}
    return refusals[status](text=message, headers={"X-Error-Code": code, "X-Error-Message": message})


async def _send(request: web.Request, file: HubFile, behaviour: HubBehaviour) -> web.StreamResponse:
    """The file, from the byte on that the request asks for."""
    data = file.content
    begin = request.http_range.start or 0
    if begin >= len(data) > 0:
        raise web.HTTPRequestRangeNotSatisfiable()
    if file.name in behaviour.corrupt:
        data = data[:-1] + bytes([data[-1] ^ 1])
    answer = web.StreamResponse(status=206 if begin else 200, headers={"Content-Length": str(len(data) - begin)})
    if begin:
        answer.headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
    answer.force_close()
    await answer.prepare(request)
    end = len(data) - 1 if file.name in behaviour.truncated else len(data)
    for at in range(begin, end, _AT_ONCE):
        await answer.write(data[at : min(at + _AT_ONCE, end)])
    if end < len(data) and request.transport is not None:
        request.transport.close()
    return answer


async def _write_down(request: web.Request, answer: web.StreamResponse) -> None:
    moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    layout.HUB_REQUESTS.parent.mkdir(parents=True, exist_ok=True)
    with layout.HUB_REQUESTS.open("a", encoding="utf-8") as file:
        file.write(f"{moment} {answer.status} {request.method} https://{request.host}{request.path_qs}\n")
