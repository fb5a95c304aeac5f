"""The programs that fill a bucket and look whether it is full: run as they are in a pod, against a hub that serves real
files and the stand-in's Cloud Storage."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from components.manifests.programs import source
from components.manifests.programs.bucket_objects import streamed
from components.manifests.programs.hub_files import File
from tests.unit.bucket_of_objects import BUCKET, SERVE, BucketOfObjects
from tests.unit.bucket_of_objects import serve as serve_bucket
from tests.unit.hub_of_files import COMMIT, REPOSITORY, TOKEN, HubOfFiles
from tests.unit.hub_of_files import serve as serve_hub

FOLDER = "models/acme--tiny/main"
MARK = f"complete/{FOLDER}.json"
SHARDS = {f"model-0000{i}-of-00003.safetensors": random.Random(i).randbytes(700_000 + i) for i in (1, 2, 3)}
FILES = {
    **SHARDS,
    "config.json": b'{"model_type": "tiny"}',
    "model.safetensors.index.json": b"{}",
    "templates/chat.jinja": b"{{ messages }}",
    "pytorch_model.bin": b"the same weights again",
    "consolidated.safetensors": b"and in Mistral's layout",
    "original/consolidated.safetensors": b"and again",
    "empty.txt": b"",
}
LEFT = ("pytorch_model.bin", "consolidated.safetensors", "original/consolidated.safetensors")
WANTED = {name: data for name, data in FILES.items() if name not in LEFT}


@pytest.fixture
def hub() -> Generator[HubOfFiles]:
    with serve_hub(HubOfFiles(dict(FILES))) as served:
        yield served


@pytest.fixture
def bucket(tmp_path: Path) -> Generator[BucketOfObjects]:
    with serve_bucket(BucketOfObjects(tmp_path / "cloud")) as served:
        yield served


def start(program: str, bucket: BucketOfObjects, *words: str, hub: HubOfFiles | None = None) -> subprocess.Popen[str]:
    token = bucket.folder / "token"
    token.write_text(f"{TOKEN}\n")
    asked = {"HF_ENDPOINT": hub.address, "HF_TOKEN_PATH": str(token)} if hub else {}
    environment = {"PATH": os.environ["PATH"], **bucket.environment, **asked}
    command = [sys.executable, "-c", source(program), BUCKET, FOLDER, *words, "--pause=0.001"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        out, error = process.communicate()
    assert "Traceback" not in error, error
    return process.returncode, out + error


def fill(hub: HubOfFiles, bucket: BucketOfObjects, revision: str = "main") -> tuple[int, str]:
    return ended(start("fill_bucket", bucket, REPOSITORY, revision, hub=hub))


def check(bucket: BucketOfObjects, *words: str) -> tuple[int, str]:
    bucket.member = SERVE
    return ended(start("check_bucket", bucket, *words))


def test_everything_that_vllm_reads_is_copied_and_run_twice_it_moves_no_byte(
    hub: HubOfFiles, bucket: BucketOfObjects
) -> None:
    status, said = fill(hub, bucket)
    assert status == 0, said
    assert bucket.below(FOLDER) == WANTED
    assert set(hub.tokens_at_the_files) == {None}
    asked, written = len(hub.requests), [each for each in bucket.requests if not each.startswith("GET")]
    assert fill(hub, bucket) == (0, f"{REPOSITORY}: complete, nothing is asked for\n")
    assert len(hub.requests) == asked
    assert [each for each in bucket.requests if not each.startswith("GET")] == written
    assert check(bucket) == (0, f"gs://{BUCKET}/{FOLDER} is complete\n")


def test_killed_at_fifty_random_moments_it_ends_with_every_file_right(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    moments, killed, total = random.Random(17), 0, sum(map(len, WANTED.values()))
    while killed < 50:
        end = hub.sent + moments.randrange(total // 4)
        process = start("fill_bucket", bucket, REPOSITORY, "main", hub=hub)

        def kill(sent: int, end: int = end, victim: subprocess.Popen[str] = process) -> None:
            if sent >= end:
                victim.kill()

        hub.on_bytes = kill
        with process:
            process.communicate()
        whole = bucket.below(FOLDER)
        assert all(WANTED[name] == data for name, data in whole.items()), "no object is a half or a wrong file"
        if process.returncode == 0:
            # All of it was there before the moment came: begin again.
            assert whole == WANTED
            for name in bucket.objects:
                bucket.delete(name)
        else:
            killed += 1
            assert MARK not in bucket.objects or whole == WANTED
    hub.on_bytes = lambda _: None
    status, said = fill(hub, bucket)
    assert status == 0, said
    assert bucket.below(FOLDER) == WANTED and check(bucket)[0] == 0


def test_files_that_were_whole_before_an_interruption_are_not_copied_again(
    hub: HubOfFiles, bucket: BucketOfObjects
) -> None:
    bad = next(iter(SHARDS))
    hub.forbidden = {bad}
    assert fill(hub, bucket)[0] == 1
    there = bucket.below(FOLDER)
    hub.forbidden, before = set(), hub.sent
    assert fill(hub, bucket)[0] == 0
    assert hub.sent - before == sum(len(data) for name, data in WANTED.items() if name not in there)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("truncated", "is truncated: 699991 of 700001 bytes came"),
        ("corrupt", "is corrupt: its digest is not the hub's"),
        ("forbidden", "is forbidden (403): the token may not read it"),
    ],
)
def test_a_file_that_cannot_be_had_is_named_and_no_server_starts(
    hub: HubOfFiles, bucket: BucketOfObjects, fault: str, said: str
) -> None:
    bad = "model-00001-of-00003.safetensors"
    setattr(hub, fault, {bad})
    status, text = fill(hub, bucket)
    assert status == 1 and f"error: {REPOSITORY}: {bad} {said}" in text
    assert bad not in bucket.below(FOLDER) and MARK not in bucket.objects
    status, text = check(bucket)
    assert status == 1 and f"gs://{BUCKET}/{FOLDER} is not complete: run an update, which fills it" in text


def test_a_gated_model_names_the_page_of_its_licence(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    hub.gated = True
    status, said = fill(hub, bucket)
    assert status == 1 and f"accept the licence at https://huggingface.co/{REPOSITORY}" in said


def test_the_revision_stays_the_commit_that_it_was_at_first(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    hub.forbidden = {next(iter(SHARDS))}
    assert fill(hub, bucket)[0] == 1
    assert bucket.objects[f"commits/{FOLDER}"] == COMMIT.encode()
    hub.forbidden, before = set(), len(hub.requests)
    assert fill(hub, bucket)[0] == 0
    assert f"/api/models/{REPOSITORY}/revision/{COMMIT}" in hub.requests[before:]
    assert f"/api/models/{REPOSITORY}/revision/main" not in hub.requests[before:]
    assert json.loads(bucket.objects[MARK])["commit"] == COMMIT


def test_two_fills_of_a_bucket_at_once_end_with_every_file_right(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    both = [start("fill_bucket", bucket, REPOSITORY, "main", hub=hub) for _ in range(2)]
    for process in both:
        status, said = ended(process)
        assert status == 0, said
    assert bucket.below(FOLDER) == WANTED and check(bucket)[0] == 0


def test_an_object_that_is_lost_or_changed_is_copied_again(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    assert fill(hub, bucket)[0] == 0
    lost, changed = list(SHARDS)[:2]
    bucket.delete(f"{FOLDER}/{lost}")
    bucket.put(f"{FOLDER}/{changed}", SHARDS[changed][:-1] + b"?")
    bucket.put(f"{FOLDER}/stranger.safetensors", b"vLLM would read it")
    assert check(bucket)[0] == 1
    bucket.member = bucket.__class__(bucket.folder).member
    before = hub.sent
    assert fill(hub, bucket)[0] == 0
    assert bucket.below(FOLDER) == WANTED and hub.sent - before == len(SHARDS[lost]) + len(SHARDS[changed])


def test_a_bucket_that_refuses_for_a_while_is_waited_for(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    bucket.broken = 4
    status, said = fill(hub, bucket)
    assert status == 0, said
    assert bucket.below(FOLDER) == WANTED


def test_a_host_that_knows_no_ranges_costs_time_and_no_byte_is_wrong(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    hub.ignores_ranges, hub.broken = True, 2
    hub.truncated = {next(iter(SHARDS))}
    asked = 0

    def mend(_: int) -> None:
        nonlocal asked
        asked += 1
        if asked > 400:
            hub.truncated = set()

    hub.on_bytes = mend
    status, said = fill(hub, bucket)
    assert status == 0, said
    assert bucket.below(FOLDER) == WANTED


def test_who_may_not_write_is_told_so(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    bucket.member = SERVE
    status, said = fill(hub, bucket)
    assert status == 1 and f"bucket {BUCKET}: this pod may not write commits/{FOLDER} (403)" in said


def test_a_model_without_safetensors_is_refused_with_what_to_write(hub: HubOfFiles, bucket: BucketOfObjects) -> None:
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"x"}
    status, said = fill(hub, bucket)
    assert status == 1 and "write weights.kind: hub" in said and bucket.objects == {}


def test_the_use_of_compiled_kernels_is_marked(bucket: BucketOfObjects, tmp_path: Path) -> None:
    check(bucket, f"--kernels={tmp_path}/kernels/k1")
    assert (tmp_path / "kernels/k1").is_dir()


def names(*files: str) -> set[str]:
    return {file.name for file in streamed([File(name, 1, "0" * 40) for name in files])}


def test_the_hubs_own_layout_is_copied() -> None:
    assert names("config.json", "pytorch_model.bin") == set()
    assert names("consolidated.safetensors", "params.json") == set()
    assert names("consolidated.safetensors", "a.safetensors", "params.json") == {"a.safetensors", "params.json"}
