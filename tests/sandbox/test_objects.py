"""Buckets hold objects: what is uploaded is what is read, and a bucket that holds any is not simply deleted."""

from pathlib import Path

import pytest

from sandbox.cloud import serve_cloud
from sandbox.objects import Objects
from tests.sandbox.cloud_client import Built, Client, Inputs, Refusal, h200_platform

BUCKET = h200_platform()["bucket"]


def put(objects: Objects, name: str, content: bytes) -> None:
    draft = objects.draft("h200-weights", "upload")
    draft.write_bytes(content)
    objects.put("h200-weights", name, draft, "text/plain", {"revision": "main"})


def test_an_object_is_kept_with_its_sums_and_another_of_its_name_takes_its_place(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    put(objects, "models/a b/config.json", b"123456789")
    found = objects.get("h200-weights", "models/a b/config.json")
    assert found and (found.size, found.crc32c, found.md5) == (9, "4waSgw==", "JfnnlDI7RTiF9RgfG2JNCw==")
    assert objects.content(found).read_bytes() == b"123456789" and found.metadata == {"revision": "main"}
    put(objects, "models/a b/config.json", b"")
    replaced = objects.get("h200-weights", "models/a b/config.json")
    assert replaced and replaced.size == 0 and replaced.generation > found.generation
    assert not objects.content(found).exists()
    put(objects, "logs", b"x")
    assert [each.name for each in objects.named("h200-weights", "models/")] == ["models/a b/config.json"]
    for each in objects.named("h200-weights"):
        objects.delete(each)
    assert objects.filled() == frozenset() and objects.get("h200-weights", "logs") is None


def made(client: Client, changes: Inputs) -> Built:
    return client.create(BUCKET.token, "bucket", {**BUCKET.inputs, **changes})


def test_a_bucket_with_objects_is_deleted_by_a_word_of_its_own_alone(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = made(client, {})
        put(objects, "models/config.json", b"{}")
        with pytest.raises(Refusal, match="h200-weights containing objects without `force_destroy` set to true"):
            client.delete(BUCKET.token, "bucket", built)
        forced = client.update(BUCKET.token, "bucket", built, {**BUCKET.inputs, "forceDestroy": True})
        client.delete(BUCKET.token, "bucket", forced)
        assert [each.name for each in tmp_path.iterdir()] == ["cloud.json"], "its objects are gone"
        client.delete(BUCKET.token, "bucket", made(client, {}))


def test_a_bucket_is_everybodys_name_and_its_answer_says_what_google_chose(tmp_path: Path) -> None:
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = made(client, {})
        assert (built.id, built.outputs["url"], built.outputs["location"]) == (
            "h200-weights",
            "gs://h200-weights",
            "US-CENTRAL1",
        )
        assert built.outputs["softDeletePolicy"]["retentionDurationSeconds"] == 604800
    other = {"project": "another-project", "region": "us-central1"}
    with (
        serve_cloud(tmp_path / "cloud.json") as port,
        Client(port, other) as client,
        pytest.raises(Refusal, match="already exists"),
    ):
        made(client, {})


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({"hierarchicalNamespace": {"enabled": False}}, ["hierarchicalNamespace"]),
        ({"location": "US"}, ["location"]),
        ({"forceDestroy": True}, []),
        ({"softDeletePolicy": {"retentionDurationSeconds": 0}}, []),
    ],
)
def test_what_a_bucket_is_cannot_change_but_how_it_is_kept_can(
    change: Inputs, replaces: list[str], tmp_path: Path
) -> None:
    with serve_cloud(tmp_path / "cloud.json") as port, Client(port) as client:
        built = made(client, {})
        answer = client.diff(BUCKET.token, "bucket", built, {**BUCKET.inputs, **change})
        assert list(answer.diffs) == list(change) and list(answer.replaces) == replaces
