"""A digest in the catalogue is one that a registry gave for the tag, with the day it did."""

import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from maintenance.lock_images import RegistryError, lock, resolve

DIGEST = "sha256:" + "ab" * 32
DAY = date(2026, 11, 24)
ENTRY = """# Kept: why this tag.
version: 1.0.0
image: {repository: HOST/team/server, tag: v1.0.0}
sidecar:
  image:
    repository: HOST/team/gone
    tag: v2
"""


class Registry(BaseHTTPRequestHandler):
    """Answers as a public registry does: a challenge first, then the digest."""

    def do_HEAD(self) -> None:
        if self.headers.get("Authorization") != "Bearer anonymous":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="test",scope="repository:team:pull"')
        elif self.path == "/v2/team/server/manifests/v1.0.0" and "image.index" in self.headers["Accept"]:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        body = b'{"token": "anonymous"}' if "scope=repository" in self.path else b"{}"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_digest_of_a_tag_is_the_registrys_own(host: str) -> None:
    assert resolve(f"{host}/team/server", "v1.0.0", scheme="http") == DIGEST


@pytest.mark.parametrize("repository", ["127.0.0.1:1/team/server", "HOST/team/gone"])
def test_a_registry_that_does_not_answer_gives_no_digest(host: str, repository: str) -> None:
    with pytest.raises(RegistryError, match=r"team/"):
        resolve(repository.replace("HOST", host), "v1.0.0", scheme="http")


def test_only_what_was_resolved_is_written_and_the_rest_of_the_file_stays(host: str, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(ENTRY.replace("HOST", host))
    told: list[str] = []
    complete = lock(tmp_path, lambda repository, tag: resolve(repository, tag, scheme="http"), DAY, told.append)
    content = yaml.safe_load(file.read_text())
    assert not complete
    assert content["image"]["digest"] == DIGEST and content["image"]["digestDate"] == DAY
    assert "digest" not in content["sidecar"]["image"]
    assert file.read_text().startswith("# Kept: why this tag.\n")
    assert any(line.startswith("not locked") and "team/gone" in line for line in told)


def test_a_second_lock_of_the_same_digests_changes_nothing(host: str, tmp_path: Path) -> None:
    file = tmp_path / "release.yaml"
    file.write_text(ENTRY.replace("HOST", host))
    for day in (DAY, date(2027, 1, 1)):
        lock(tmp_path, lambda repository, tag: resolve(repository, tag, scheme="http"), day, lambda _: None)
    assert yaml.safe_load(file.read_text())["image"]["digestDate"] == DAY
