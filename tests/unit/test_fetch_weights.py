"""The program that fetches checkpoints to a node: run as it is in a pod, against a hub that serves real files."""

import os
import random
import resource
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from components.manifests.programs import source
from components.manifests.programs.hub_files import File, needed
from tests.unit.hub_of_files import COMMIT, REPOSITORY, TOKEN, HubOfFiles, serve

SHARDS = {f"model-0000{i}-of-00003.safetensors": random.Random(i).randbytes(150_000 + i) for i in (1, 2, 3)}
FILES = {
    **SHARDS,
    "config.json": b'{"model_type": "tiny"}',
    "model.safetensors.index.json": b"{}",
    "templates/chat.jinja": b"{{ messages }}",
    "pytorch_model.bin": b"the same weights again",
    "original/consolidated.safetensors": b"and again",
    "empty.txt": b"",
}
WANTED = {name for name in FILES if not name.startswith("original/") and name != "pytorch_model.bin"}


@pytest.fixture
def hub() -> Generator[HubOfFiles]:
    with serve(HubOfFiles(dict(FILES))) as served:
        yield served


def start(hub: HubOfFiles, folder: Path, *repositories: str, room: str = "1", **more: object) -> subprocess.Popen[str]:
    token = folder.parent / "token"
    token.write_text(f"{TOKEN}\n")
    words = [str(folder), *(repositories or (REPOSITORY,)), "--kernels=k1", f"--room={room}", "--pause=0.001"]
    environment = {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.address, "HF_TOKEN_PATH": str(token)}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", source("fetch_weights"), *words]
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, **more)  # type: ignore[call-overload]


def run(hub: HubOfFiles, folder: Path, *repositories: str, **more: object) -> tuple[int, str]:
    folder.mkdir(exist_ok=True)
    with start(hub, folder, *repositories, **more) as process:  # type: ignore[arg-type]
        out, error = process.communicate()
    assert "Traceback" not in error
    return process.returncode, out + error


def snapshot(folder: Path) -> dict[str, bytes]:
    """What the hub's own client would read of the revision main."""
    home = folder / "hub" / "models--acme--tiny"
    commit = (home / "refs" / "main").read_text()
    files = home / "snapshots" / commit
    return {str(path.relative_to(files)): path.read_bytes() for path in files.rglob("*") if path.is_file()}


def test_everything_that_vllm_reads_is_fetched_and_run_twice_it_asks_for_nothing(
    hub: HubOfFiles, tmp_path: Path
) -> None:
    status, said = run(hub, tmp_path / "node")
    assert status == 0, said
    assert snapshot(tmp_path / "node") == {name: FILES[name] for name in WANTED}
    assert set(hub.tokens_at_the_files) == {None}
    asked = len(hub.requests)
    assert run(hub, tmp_path / "node") == (0, f"{REPOSITORY}: complete, nothing is asked for\n")
    assert len(hub.requests) == asked


def test_killed_at_fifty_random_moments_it_ends_with_every_file_right(hub: HubOfFiles, tmp_path: Path) -> None:
    folder, moments = tmp_path / "node", random.Random(17)
    folder.mkdir()
    killed, total = 0, sum(len(FILES[name]) for name in WANTED)
    while killed < 50:
        end = hub.sent + moments.randrange(total // 20)
        with start(hub, folder) as process:

            def kill(sent: int, end: int = end, victim: subprocess.Popen[str] = process) -> None:
                if sent >= end:
                    victim.kill()

            hub.on_bytes = kill
            process.communicate()
        if process.returncode == 0:
            # All of it was there before the moment came: begin again on another node.
            assert snapshot(folder) == {name: FILES[name] for name in WANTED}
            folder = tmp_path / f"node-{killed}"
            folder.mkdir()
        else:
            killed += 1
            refs = folder / "hub" / "models--acme--tiny" / "refs" / "main"
            assert not refs.exists() or snapshot(folder) == {name: FILES[name] for name in WANTED}
    hub.on_bytes = lambda _: None
    status, said = run(hub, folder)
    assert status == 0, said
    assert snapshot(folder) == {name: FILES[name] for name in WANTED}


def test_what_came_before_an_interruption_is_not_fetched_again(hub: HubOfFiles, tmp_path: Path) -> None:
    hub.truncated = {next(iter(SHARDS))}
    folder = tmp_path / "node"
    assert run(hub, folder)[0] == 1
    hub.truncated, before = set(), hub.sent
    assert run(hub, folder)[0] == 0
    others = sum(len(data) for name, data in FILES.items() if name in WANTED and name not in SHARDS)
    assert hub.sent - before <= 10 + others + sum(map(len, SHARDS.values())) * 2 // 3 + 10


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("truncated", "is truncated: 149991 of 150001 bytes came"),
        ("corrupt", "is corrupt: its digest is not the hub's"),
        ("forbidden", "is forbidden (403): the token may not read it"),
    ],
)
def test_a_file_that_cannot_be_had_is_named_and_nothing_is_shown_to_vllm(
    hub: HubOfFiles, tmp_path: Path, fault: str, said: str
) -> None:
    bad = "model-00001-of-00003.safetensors"
    setattr(hub, fault, {bad})
    status, text = run(hub, tmp_path / "node")
    assert status == 1
    assert f"error: {REPOSITORY}: {bad} {said}" in text
    assert not (tmp_path / "node" / "hub" / "models--acme--tiny" / "refs").exists()
    setattr(hub, fault, set())
    assert run(hub, tmp_path / "node")[0] == 0


def test_a_gated_model_names_the_page_of_its_licence(hub: HubOfFiles, tmp_path: Path) -> None:
    hub.gated = True
    status, said = run(hub, tmp_path / "node")
    assert status == 1
    assert f"accept the licence at https://huggingface.co/{REPOSITORY} with the account of the token" in said


def test_a_full_disk_is_said_with_the_files_name(hub: HubOfFiles, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    status, said = run(hub, tmp_path / "node", preexec_fn=limit)
    assert status == 1
    assert "cannot be written: File too large" in said and ".safetensors" in said


def test_a_hub_that_is_overloaded_for_a_while_is_waited_for(hub: HubOfFiles, tmp_path: Path) -> None:
    hub.broken = 1
    status, said = run(hub, tmp_path / "node")
    assert status == 0 and f"{REPOSITORY}: the hub answers 503; trying again in 0 s\n" in said


def test_a_hub_that_stays_away_is_said(hub: HubOfFiles, tmp_path: Path) -> None:
    hub.broken = 10_000
    status, said = run(hub, tmp_path / "node")
    assert status == 1 and said.endswith(f"\nerror: {REPOSITORY}: the hub answers 503\n")
    assert len(hub.requests) == 2


def test_a_host_that_knows_no_ranges_costs_time_and_no_byte_is_wrong(hub: HubOfFiles, tmp_path: Path) -> None:
    hub.truncated = {"model-00002-of-00003.safetensors"}
    run(hub, tmp_path / "node")
    hub.truncated, hub.ignores_ranges = set(), True
    assert run(hub, tmp_path / "node")[0] == 0
    assert snapshot(tmp_path / "node") == {name: FILES[name] for name in WANTED}


def test_more_than_the_plan_has_room_for_is_refused_before_a_byte_is_fetched(hub: HubOfFiles, tmp_path: Path) -> None:
    status, said = run(hub, tmp_path / "node", room="0.0001")
    assert status == 1 and "write weights.sizeGib" in said and hub.sent == 0


def test_the_revision_stays_the_commit_that_it_was_at_first(hub: HubOfFiles, tmp_path: Path) -> None:
    assert run(hub, tmp_path / "node")[0] == 0
    hub.commit = "d" * 40
    assert run(hub, tmp_path / "node")[0] == 0
    assert (tmp_path / "node/hub/models--acme--tiny/refs/main").read_text() == COMMIT


def test_a_file_that_is_lost_on_the_node_is_fetched_again(hub: HubOfFiles, tmp_path: Path) -> None:
    assert run(hub, tmp_path / "node")[0] == 0
    blobs = tmp_path / "node/hub/models--acme--tiny/blobs"
    next(path for path in blobs.iterdir() if path.stat().st_size > 100_000).write_bytes(b"short")
    assert run(hub, tmp_path / "node")[0] == 0
    assert snapshot(tmp_path / "node") == {name: FILES[name] for name in WANTED}


@pytest.mark.parametrize("name", ["../escaped", "/etc/passwd", "a//b", "a/../../b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(hub: HubOfFiles, tmp_path: Path, name: str) -> None:
    hub.files[name] = b"x"
    status, said = run(hub, tmp_path / "node")
    assert status == 1 and "would lie outside of its folder" in said


def test_a_revision_that_leads_out_of_the_folder_is_refused(hub: HubOfFiles, tmp_path: Path) -> None:
    status, said = run(hub, tmp_path / "node", f"{REPOSITORY}@../../x")
    assert status == 1 and "is no name of a revision" in said and hub.requests == []


def test_two_pods_of_a_node_fetch_once(hub: HubOfFiles, tmp_path: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    with start(hub, folder) as one, start(hub, folder) as other:
        for process in (one, other):
            process.communicate()
            assert process.returncode == 0
    assert hub.sent == sum(len(FILES[name]) for name in WANTED)


def test_the_use_of_compiled_kernels_is_marked(hub: HubOfFiles, tmp_path: Path) -> None:
    run(hub, tmp_path / "node")
    assert (tmp_path / "node/kernels/k1").is_dir()


def names(*files: str) -> set[str]:
    return {file.name for file in needed([File(name, 1, "0" * 40) for name in files])}


def test_one_format_of_the_weights_is_fetched() -> None:
    assert names("config.json", "pytorch_model.bin") == {"config.json", "pytorch_model.bin"}
    assert names("a.safetensors", "pytorch_model.bin", "params.json") == {"a.safetensors", "params.json"}
    mistral = names("consolidated.safetensors", "model-1.safetensors", "config.json")
    assert mistral == {"consolidated.safetensors", "config.json"}
