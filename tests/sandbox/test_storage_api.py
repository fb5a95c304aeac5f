"""Cloud Storage's JSON API as its own client knows it: whole and resumable uploads, ranges, lists, refusals."""

import asyncio
import base64
import hashlib
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import googleapiclient
import httplib2
import pytest
import requests
from aiohttp import web
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest, MediaIoBaseUpload, build_http

from sandbox.cluster.metadata import Tokens
from sandbox.cluster.storage_api import StorageApi
from sandbox.objects import Objects
from tests.sandbox.cloud_client import PROJECT

BUCKET = "weights"
FILL, SERVE, NOBODY, PART = (
    f"serviceAccount:{name}@p.iam.gserviceaccount.com" for name in ("fill", "serve", "nobody", "part")
)
DOCUMENT = json.loads((Path(googleapiclient.__file__).parent / "discovery_cache/documents/storage.v1.json").read_text())
CHUNK = 256 * 1024
CONTENT = bytes(range(256)) * 3000
MD5 = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()


def granted(
    member: str, role: str, condition: dict[str, str] | None = None, home: str = f"b/{BUCKET}"
) -> dict[str, Any]:
    inputs = {"member": member, "role": role, **({"condition": condition} if condition else {})}
    return {f"{home}/{role}/{member}": {"token": "", "inputs": inputs, "outputs": {}}}


@dataclass
class Google:
    address: str
    tokens: Tokens
    clients: list[httplib2.Http]

    def headers(self, member: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.issue(member)}"}

    def objects(self, member: str) -> Any:
        """Google's own client, by its own discovery document."""

        def built(http: Any, *rest: Any, **known: Any) -> HttpRequest:
            request = HttpRequest(http, *rest, **known)
            request.headers.update(self.headers(member))
            return request

        here = {"rootUrl": f"{self.address}/", "baseUrl": f"{self.address}/storage/v1/", "mtlsRootUrl": ""}
        document = {**DOCUMENT, **here}
        self.clients.append(build_http())
        return discovery.build_from_document(document, http=self.clients[-1], requestBuilder=built).objects()

    def upload(self, member: str, name: str, **body: str) -> str:
        """Begins a resumable upload; returns its address."""
        address = f"{self.address}/upload/storage/v1/b/{BUCKET}/o?uploadType=resumable"
        answer = requests.post(address, json={"name": name, **body}, headers=self.headers(member), timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.headers["Location"]

    def send(self, upload: str, content: bytes, first: int, total: int | str) -> requests.Response:
        said = f"bytes {first}-{first + len(content) - 1}/{total}" if content else f"bytes */{total}"
        headers = {**self.headers(FILL), "Content-Range": said}
        return requests.put(upload, content, headers=headers, timeout=10, allow_redirects=False)


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    plane = tmp_path / "clusters" / "one"
    plane.mkdir(parents=True)
    monkeypatch.chdir(plane)
    bucket = {"token": "gcp:storage/bucket:Bucket", "inputs": {}, "outputs": {"name": BUCKET, "project": PROJECT}}
    begins = {"title": "t", "expression": f'resource.name.startsWith("projects/_/buckets/{BUCKET}/objects/a/")'}
    resources = {
        BUCKET: bucket,
        **granted(FILL, "roles/storage.objectUser"),
        **granted(SERVE, "roles/storage.objectViewer", home=PROJECT),
        **granted(PART, "roles/storage.objectViewer", begins),
        **granted(NOBODY, "roles/storage.objectViewer", {"title": "t", "expression": "request.time < now"}),
    }
    (tmp_path / "cloud.json").write_text(json.dumps({"resources": resources}))
    tokens, loop, ready = Tokens(), asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def serve() -> None:
        runner = web.AppRunner(StorageApi(Objects(tmp_path), tokens).application(), handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(30)
    google = Google(f"http://127.0.0.1:{runners[0].addresses[0][1]}", tokens, [])
    yield google
    for client in google.clients:
        client.close()
    asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_googles_own_client_uploads_in_chunks_and_finds_what_it_sent(google: Google) -> None:
    media = MediaIoBaseUpload(io.BytesIO(CONTENT), "application/octet-stream", chunksize=CHUNK, resumable=True)
    body = {"name": "a/model-1.safetensors", "md5Hash": MD5}
    made = google.objects(FILL).insert(bucket=BUCKET, body=body, media_body=media, ifGenerationMatch=0).execute()
    found = google.objects(SERVE).get(bucket=BUCKET, object="a/model-1.safetensors").execute()
    assert made == found and found["size"] == str(len(CONTENT)) and found["md5Hash"] == body["md5Hash"]
    assert set(found) <= set(DOCUMENT["schemas"]["Object"]["properties"]), "fields of the discovery document alone"
    assert google.objects(SERVE).get_media(bucket=BUCKET, object="a/model-1.safetensors").execute() == CONTENT
    google.objects(FILL).delete(bucket=BUCKET, object="a/model-1.safetensors").execute()
    with pytest.raises(HttpError, match="No such object: weights/a/model-1"):
        google.objects(SERVE).get(bucket=BUCKET, object="a/model-1.safetensors").execute()


def put(google: Google, name: str, content: bytes, **query: str) -> requests.Response:
    address = f"{google.address}/upload/storage/v1/b/{BUCKET}/o"
    query = {"uploadType": "media", "name": name, **query}
    return requests.post(address, content, params=query, headers=google.headers(FILL), timeout=10)


def test_a_broken_upload_goes_on_where_it_was_and_is_no_object_before_its_end(google: Google) -> None:
    upload = google.upload(FILL, "a/x")
    half = google.send(upload, CONTENT[: 2 * CHUNK], 0, len(CONTENT))
    assert (half.status_code, half.headers["Range"]) == (308, f"bytes=0-{2 * CHUNK - 1}")
    assert google.objects(SERVE).list(bucket=BUCKET).execute() == {"kind": "storage#objects"}
    asked = google.send(upload, b"", 0, "*")
    assert (asked.status_code, asked.headers["Range"]) == (308, f"bytes=0-{2 * CHUNK - 1}")
    assert google.send(upload, CONTENT[-10:], len(CONTENT) - 10, len(CONTENT)).status_code == 400, "a gap"
    done = google.send(upload, CONTENT[CHUNK:], CHUNK, len(CONTENT))
    assert done.status_code == 200 and done.json()["md5Hash"] == MD5
    assert google.send(upload, b"", 0, "*").status_code == 404, "the upload is over"


def test_what_was_damaged_on_its_way_becomes_no_object(google: Google) -> None:
    upload = google.upload(FILL, "a/x", crc32c="AAAAAA==")
    refused = google.send(upload, CONTENT, 0, len(CONTENT))
    assert refused.status_code == 400
    assert refused.json()["error"]["message"].startswith('Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C')
    assert google.objects(SERVE).list(bucket=BUCKET).execute() == {"kind": "storage#objects"}


def test_a_part_of_an_object_is_read_by_its_range(google: Google) -> None:
    assert put(google, "a/x", CONTENT).status_code == 200
    address = f"{google.address}/storage/v1/b/{BUCKET}/o/a%2Fx?alt=media"
    part = requests.get(address, headers={**google.headers(SERVE), "Range": "bytes=1000-1999"}, timeout=10)
    assert (part.status_code, part.content) == (206, CONTENT[1000:2000])
    assert part.headers["X-Goog-Stored-Content-Length"] == str(len(CONTENT))
    beyond = requests.get(address, headers={**google.headers(SERVE), "Range": "bytes=9000000-"}, timeout=10)
    assert beyond.status_code == 416


def test_a_list_has_pages_and_folders(google: Google) -> None:
    for name in ("a/1", "a/2", "b/1", "c"):
        assert put(google, name, b"x").status_code == 200
    objects = google.objects(SERVE)
    top = objects.list(bucket=BUCKET, delimiter="/").execute()
    assert top["prefixes"] == ["a/", "b/"] and [each["name"] for each in top["items"]] == ["c"]
    names: list[str] = []
    request = objects.list(bucket=BUCKET, prefix="a/", maxResults=1)
    while request is not None:
        page = request.execute()
        names += [each["name"] for each in page["items"]]
        request = objects.list_next(request, page)
    assert names == ["a/1", "a/2"]


def test_an_object_that_is_there_already_is_not_replaced_unawares(google: Google) -> None:
    assert put(google, "a/x", b"1", ifGenerationMatch="0").status_code == 200
    again = put(google, "a/x", b"2", ifGenerationMatch="0")
    assert again.status_code == 412 and "pre-conditions" in again.text


@pytest.mark.parametrize(
    ("member", "method", "path", "status", "message"),
    [
        (
            SERVE,
            "DELETE",
            "o/a%2Fx",
            403,
            "serve@p.iam.gserviceaccount.com does not have storage.objects.delete",
        ),
        (NOBODY, "GET", "o/a%2Fx", 403, "does not have storage.objects.get access"),
        (NOBODY, "GET", "o", 403, "does not have storage.objects.list access"),
        (PART, "GET", "o/b%2Fx", 403, "does not have storage.objects.get access"),
        (PART, "GET", "o/a%2Fx", 200, "a/x"),
        (SERVE, "GET", "", 403, "does not have storage.buckets.get access"),
        (FILL, "GET", "o/a%2Fy", 404, "No such object: weights/a/y"),
    ],
)
def test_each_may_do_what_its_roles_say(
    google: Google, member: str, method: str, path: str, status: int, message: str
) -> None:
    for name in ("a/x", "b/x"):
        put(google, name, b"x")
    address = f"{google.address}/storage/v1/b/{BUCKET}/{path}".rstrip("/")
    answer = requests.request(method, address, headers=google.headers(member), timeout=10)
    assert (answer.status_code, message in answer.text) == (status, True), answer.text


def test_a_stranger_a_wrong_bucket_and_an_unknown_way_are_refused(google: Google) -> None:
    address = f"{google.address}/storage/v1/b/{BUCKET}/o"
    assert requests.get(address, headers={"Authorization": "Bearer ya29.other"}, timeout=10).status_code == 401
    elsewhere = requests.get(address.replace(BUCKET, "other"), headers=google.headers(FILL), timeout=10)
    assert elsewhere.status_code == 404 and "The specified bucket does not exist." in elsewhere.text
    other = put(google, "a/x", b"x", uploadType="multipart")
    assert other.status_code == 501 and "it knows media and resumable" in other.text
    assert requests.patch(address, headers=google.headers(FILL), timeout=10).status_code == 404
