"""Stands in for the metadata server that GKE runs on each node: it gives a pod the access token of its identity."""

import secrets
import time
from dataclasses import dataclass

from aiohttp import web

from sandbox.cluster import workload_identity
from sandbox.cluster.api import AsyncApi
from sandbox.cluster.pods import ON_A_NODE
from sandbox.cluster.workload_identity import GOOGLE_ACCOUNT, Denied

HOST = "metadata.google.internal"
POD_HEADER = "X-Sandbox-Pod"
"""The uid of the pod that asks; the way into the outside writes it, as a node knows its pods by their addresses."""

_SECONDS = 3600
_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default"


@dataclass(frozen=True)
class _Issued:
    member: str
    expires: float


class Tokens:
    """The access tokens that this cluster's pods have got."""

    def __init__(self) -> None:
        self._issued: dict[str, _Issued] = {}

    def issue(self, member: str) -> str:
        token = f"ya29.sandbox.{secrets.token_urlsafe(24)}"
        self._issued[token] = _Issued(member, time.time() + _SECONDS)
        return token

    def member(self, authorization: str | None) -> str | None:
        """The member of Google's IAM that bears the token of such a header; None if it is no token of ours."""
        issued = self._issued.get((authorization or "").removeprefix("Bearer "))
        return issued.member if issued and issued.expires > time.time() else None


class MetadataServer:
    def __init__(self, api: AsyncApi, tokens: Tokens) -> None:
        self._api = api
        self._tokens = tokens

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get(f"{_ACCOUNT}/token", self._token),
                web.get(f"{_ACCOUNT}/email", self._email),
                web.get("/computeMetadata/v1/project/project-id", self._project),
            ]
        )
        return application

    async def _token(self, request: web.Request) -> web.Response:
        account = await self._account_of(request)
        try:
            token = self._tokens.issue(workload_identity.member(account))
        except Denied as reason:
            text = f"Unable to generate access token; IAM returned 403 Forbidden: {reason}"
            raise web.HTTPForbidden(text=text) from reason
        return web.json_response({"access_token": token, "expires_in": _SECONDS, "token_type": "Bearer"})

    async def _email(self, request: web.Request) -> web.Response:
        metadata = (await self._account_of(request))["metadata"]
        pool = f"{workload_identity.project()}.svc.id.goog"
        return web.Response(text=metadata.get("annotations", {}).get(GOOGLE_ACCOUNT, pool))

    async def _project(self, request: web.Request) -> web.Response:
        await self._account_of(request)
        return web.Response(text=workload_identity.project())

    async def _account_of(self, request: web.Request) -> workload_identity.Object:
        """The Kubernetes service account of the pod that asks."""
        if request.headers.get("Metadata-Flavor") != "Google":
            raise web.HTTPForbidden(text="Missing required header: Metadata-Flavor")
        found = (await self._api.call("GET", ON_A_NODE))["items"]
        pod = next((each for each in found if each["metadata"]["uid"] == request.headers.get(POD_HEADER)), None)
        if pod is None:
            raise web.HTTPNotFound(text="no pod of this cluster asks")
        namespace, name = pod["metadata"]["namespace"], pod["spec"]["serviceAccountName"]
        return await self._api.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
