"""Stands in for Cloud Storage's JSON API, as pods use it: objects are uploaded, read, listed and deleted.

Paths, parameters and fields are those of the API's discovery document (storage.v1, revision 20261009), and who may do
what is decided by the IAM policies in the stand-in cloud's state. Resumable uploads are as in
cloud.google.com/storage/docs/performing-resumable-uploads (2026-11).
"""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

from aiohttp import web

from sandbox.cluster import workload_identity
from sandbox.cluster.metadata import Tokens
from sandbox.cluster.storage_refusals import conflict, denied, invalid, not_found, unauthenticated, unknown
from sandbox.cluster.uploads import Upload, Uploads
from sandbox.objects import Object, Objects

HOST = "storage.googleapis.com"

# cloud.google.com/storage/docs/access-control/iam-roles, 2026-11: the permissions that are asked for here.
_VIEWS = frozenset({"storage.objects.get", "storage.objects.list"})
_CHANGES = frozenset({"storage.objects.create", "storage.objects.delete"})
_ROLES = {
    "roles/storage.objectViewer": _VIEWS,
    "roles/storage.objectCreator": frozenset({"storage.objects.create"}),
    "roles/storage.objectUser": _VIEWS | _CHANGES,
    "roles/storage.objectAdmin": _VIEWS | _CHANGES,
    "roles/storage.admin": _VIEWS | _CHANGES | {"storage.buckets.get"},
    "roles/storage.bucketViewer": frozenset({"storage.buckets.get"}),
    "roles/storage.legacyBucketReader": frozenset({"storage.buckets.get", "storage.objects.list"}),
    "roles/storage.legacyBucketWriter": _CHANGES | {"storage.buckets.get", "storage.objects.list"},
    "roles/storage.legacyObjectReader": frozenset({"storage.objects.get"}),
}
_MEMBER = web.RequestKey("member", str)
_BUCKET = "gcp:storage/bucket:Bucket"
_PAGE = 1000


def allowed(member: str, permission: str, bucket: str, name: str = "") -> bool:
    """Whether a member has a permission on a bucket, or on the object of that name in it."""
    resource = f"projects/_/buckets/{bucket}" + (f"/objects/{name}" if name else "")
    homes = (f"b/{bucket}", workload_identity.resources()[bucket]["outputs"]["project"])
    return any(permission in _ROLES.get(role, ()) for role in workload_identity.roles(member, homes, resource))


def exists(bucket: str) -> bool:
    return workload_identity.resources().get(bucket, {}).get("token") == _BUCKET


class StorageApi:
    def __init__(self, objects: Objects, tokens: Tokens) -> None:
        self._objects = objects
        self._tokens = tokens
        self._uploads = Uploads(objects)

    def application(self) -> web.Application:
        application = web.Application(middlewares=[self._authenticated])
        bucket, one = "/storage/v1/b/{bucket}", "/storage/v1/b/{bucket}/o/{object:.+}"
        application.add_routes([web.get(bucket, self._bucket), web.get(f"{bucket}/o", self._list)])
        application.add_routes([web.get(one, self._get), web.delete(one, self._delete)])
        application.add_routes([web.get(f"/download{one}", self._download)])
        for way in ("/upload", "/resumable/upload"):
            application.add_routes(
                [web.post(f"{way}{bucket}/o", self._insert), web.put(f"{way}{bucket}/o", self._go_on)]
            )
        application.add_routes([web.route("*", "/{rest:.*}", self._unknown)])
        return application

    @web.middleware
    async def _authenticated(self, request: web.Request, handler: Any) -> web.StreamResponse:
        # The address of an upload under way is as good as a token.
        upload = self._uploads.get(request.query.get("upload_id", ""))
        member = upload.member if upload else self._tokens.member(request.headers.get("Authorization"))
        if member is None:
            raise unauthenticated()
        request[_MEMBER] = member
        bucket = request.match_info.get("bucket")
        if bucket is not None and not exists(bucket):
            raise not_found("The specified bucket does not exist.")
        return await handler(request)

    def _require(self, request: web.Request, permission: str, name: str = "") -> str:
        """The bucket that the request names. Raises the refusal if the caller lacks the permission."""
        bucket = request.match_info["bucket"]
        if not allowed(request[_MEMBER], permission, bucket, name):
            raise denied(request[_MEMBER], permission)
        return bucket

    def _found(self, request: web.Request, permission: str) -> Object:
        name = request.match_info["object"]
        bucket = self._require(request, permission, name)
        found = self._objects.get(bucket, name)
        if found is None:
            raise not_found(f"No such object: {bucket}/{name}")
        _check_generation(request, found)
        return found

    async def _bucket(self, request: web.Request) -> web.Response:
        outputs = workload_identity.resources()[self._require(request, "storage.buckets.get")]["outputs"]
        names = ("name", "location", "storageClass", "selfLink", "hierarchicalNamespace", "labels")
        return web.json_response(
            {
                "kind": "storage#bucket",
                "id": outputs["name"],
                **{each: outputs[each] for each in names if each in outputs},
            }
        )

    async def _list(self, request: web.Request) -> web.Response:
        query = request.query
        bucket = self._require(request, "storage.objects.list")
        after = base64.urlsafe_b64decode(query.get("pageToken", "")).decode()
        rows = [each for each in _rows(self._objects.named(bucket, query.get("prefix", "")), query) if each[0] > after]
        page = rows[: min(int(query.get("maxResults", _PAGE)), _PAGE)]
        answer: dict[str, Any] = {"kind": "storage#objects"}
        items = [described(each) for _, each in page if each]
        prefixes = [name for name, each in page if each is None]
        answer |= ({"items": items} if items else {}) | ({"prefixes": prefixes} if prefixes else {})
        if len(page) < len(rows):
            answer["nextPageToken"] = base64.urlsafe_b64encode(page[-1][0].encode()).decode()
        return web.json_response(answer)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("alt") == "media":
            return await self._download(request)
        return web.json_response(described(self._found(request, "storage.objects.get")))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        found = self._found(request, "storage.objects.get")
        headers = {
            "Content-Type": found.content_type,
            "X-Goog-Hash": f"crc32c={found.crc32c},md5={found.md5}",
            "X-Goog-Generation": str(found.generation),
            "X-Goog-Stored-Content-Length": str(found.size),
        }
        # It answers a Range header, too.
        return web.FileResponse(self._objects.content(found), headers=headers)

    async def _delete(self, request: web.Request) -> web.Response:
        self._objects.delete(self._found(request, "storage.objects.delete"))
        return web.Response(status=204)

    async def _insert(self, request: web.Request) -> web.Response:
        """Begins a resumable upload, or takes a whole object."""
        kind = request.query.get("uploadType")
        if kind not in ("media", "resumable"):
            raise unknown(f"the sandbox's Cloud Storage knows no uploadType {kind}; it knows media and resumable")
        described_so: dict[str, Any] = await request.json() if kind == "resumable" and request.can_read_body else {}
        name = request.query.get("name") or described_so.get("name")
        if not name:
            raise invalid("Required parameter: name", "required")
        bucket = self._require(request, "storage.objects.create", name)
        self._may_replace(request, bucket, name)
        default = request.headers.get("X-Upload-Content-Type" if kind == "resumable" else "Content-Type")
        default = default or "application/octet-stream"
        upload = self._uploads.begin(request[_MEMBER], bucket, name, described_so, default)
        if kind == "media":
            return await self._continued(request, upload)
        location = request.url.update_query(uploadType="resumable", upload_id=upload.id)
        return web.Response(headers={"Location": str(location)})

    def _may_replace(self, request: web.Request, bucket: str, name: str) -> None:
        before = self._objects.get(bucket, name)
        _check_generation(request, before)
        if before and not allowed(request[_MEMBER], "storage.objects.delete", bucket, name):
            raise denied(request[_MEMBER], "storage.objects.delete")

    async def _go_on(self, request: web.Request) -> web.Response:
        upload = self._uploads.get(request.query.get("upload_id", ""))
        if upload is None:
            raise not_found("The upload session does not exist, or it is over.")
        return await self._continued(request, upload)

    async def _continued(self, request: web.Request, upload: Upload) -> web.Response:
        total = await upload.take(request)
        if total is None or upload.size < total:
            held = {"Range": f"bytes=0-{upload.size - 1}"} if upload.size else {}
            return web.Response(status=308, headers=held)
        self._may_replace(request, upload.bucket, upload.name)
        return web.json_response(described(await asyncio.to_thread(self._uploads.finish, upload)))

    async def _unknown(self, request: web.Request) -> web.Response:
        raise not_found(f"Not Found: {request.method} {request.path}")


def described(found: Object) -> dict[str, Any]:
    """What Google says of an object."""
    link = f"https://{HOST}/storage/v1/b/{found.bucket}/o/{found.name.replace('/', '%2F')}"
    return {
        "kind": "storage#object",
        "id": f"{found.bucket}/{found.name}/{found.generation}",
        "selfLink": link,
        "mediaLink": f"{link.replace('/storage/', '/download/storage/')}?generation={found.generation}&alt=media",
        "name": found.name,
        "bucket": found.bucket,
        "generation": str(found.generation),
        "metageneration": "1",
        "contentType": found.content_type,
        "storageClass": "STANDARD",
        "size": str(found.size),
        "md5Hash": found.md5,
        "crc32c": found.crc32c,
        "etag": base64.b64encode(str(found.generation).encode()).decode(),
        "timeCreated": found.created,
        "updated": found.created,
        **({"metadata": dict(found.metadata)} if found.metadata else {}),
    }


def _check_generation(request: web.Request, found: Object | None) -> None:
    wanted = request.query.get("ifGenerationMatch")
    if wanted is not None and int(wanted) != (found.generation if found else 0):
        raise conflict()


def _rows(found: list[Object], query: Any) -> Iterator[tuple[str, Object | None]]:
    """The objects by their names, and, where a delimiter is given, one row for all that have the same folder."""
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    last = None
    for each in found:
        rest = each.name[len(prefix) :]
        if not delimiter or delimiter not in rest:
            yield each.name, each
            continue
        folder = prefix + rest.partition(delimiter)[0] + delimiter
        if folder != last:
            last = folder
            yield folder, None
