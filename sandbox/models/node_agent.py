"""Answers `kubectl logs` and `kubectl exec` for simulated nodes: with the logs of what really ran, or with a clear
refusal."""

from pathlib import Path

from aiohttp import web


def log_file(folder: Path, namespace: str, pod: str, container: str) -> Path:
    """The file with the output of a container that really ran."""
    return folder / namespace / pod / f"{container}.log"


def previous_log(file: Path) -> Path:
    """The log of the same container's start before."""
    return file.with_suffix(".previous.log")


class NodeAgent:
    """Answers the requests that the API server makes of a kubelet."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/containerLogs/{namespace}/{pod}/{container}", self._container_logs),
                web.route("*", "/portForward/{rest:.*}", self._refuse_ports),
                web.route("*", "/{rest:.*}", self._refuse),
            ]
        )
        return application

    async def _container_logs(self, request: web.Request) -> web.Response:
        names = request.match_info
        file = log_file(self._logs, names["namespace"], names["pod"], names["container"])
        if request.query.get("previous") == "true":
            file = previous_log(file)
        if not file.is_file():
            return _not_simulated("this node is simulated: it runs no containers, so they have no logs")
        text = file.read_text(encoding="utf-8", errors="replace")
        if tail := request.query.get("tailLines"):
            text = "".join(text.splitlines(keepends=True)[-int(tail) :]) if int(tail) else ""
        return web.Response(text=text)

    async def _refuse_ports(self, request: web.Request) -> web.Response:
        return _not_simulated(
            "this node is simulated and forwards no ports; kubectl proxy, or kubectl get --raw, "
            "with /api/v1/namespaces/NAMESPACE/services/http:NAME:PORT/proxy/ leads to a Service here too"
        )

    async def _refuse(self, request: web.Request) -> web.Response:
        return _not_simulated("this node is simulated: it runs no containers to enter")


def _not_simulated(text: str) -> web.Response:
    return web.Response(status=501, text=text)
