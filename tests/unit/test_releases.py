"""A release of vLLM is one entry: whole or refused, and what the plan took of it is what the server is told."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog import ACCELERATORS, PINS, VLLM_RELEASES, Entries, VllmRelease, engine_arguments
from catalog.engine import Engine
from catalog.engine_arguments import flag_table
from config import ConfigurationError, read_stack_file, stack_names
from planning import engine
from planning.engine import GraphRules, ServeSettings, capture_sizes, engine_of
from planning.plan import ModelServerPlan
from planning.platform import plan_platform
from tests.unit.google_rules import CHECKOUT
from tests.unit.serving import ONE_GPU, platform

NEW = "99.1.0"
MODELS = [
    pytest.param(model, id=f"{stack}-{model.name}")
    for stack in stack_names(CHECKOUT)
    for model in plan_platform(read_stack_file(CHECKOUT, stack), stack).models
]


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A new release as the catalogue's folder of it would have it: the pinned one's, under a number of its own."""
    folder, tables = tmp_path / "vllm", tmp_path / "engine_arguments"
    folder.mkdir()
    shutil.copytree(Path(engine_arguments.__file__).parent / "engine_arguments", tables)
    monkeypatch.setattr(engine, "VLLM_RELEASES", Entries(folder, VllmRelease))
    monkeypatch.setattr(engine_arguments, "_FOLDER", tables)
    pinned = CHECKOUT / "catalog" / "releases" / "vllm" / f"{PINS.vllm}.yaml"
    return {**yaml.safe_load(pinned.read_text()), "version": NEW}


def write(tmp_path: Path, entry: dict[str, Any], *, table: bool) -> None:
    (tmp_path / "vllm" / f"{NEW}.yaml").write_text(yaml.safe_dump(entry))
    if table:
        flags = (tmp_path / "engine_arguments" / f"{PINS.vllm}.json").read_text().replace(PINS.vllm, NEW)
        (tmp_path / "engine_arguments" / f"{NEW}.json").write_text(flags)


def refusal() -> str:
    with pytest.raises(ConfigurationError) as refused:
        platform({**ONE_GPU, "vllmVersion": NEW})
    (problem,) = refused.value.problems
    assert problem.path.endswith("models[0].vllmVersion")
    return str(refused.value)


def test_a_release_without_its_table_of_flags_is_refused_and_the_file_is_named(
    tmp_path: Path, entry: dict[str, Any]
) -> None:
    write(tmp_path, entry, table=False)
    assert f"catalog/engine_arguments/{NEW}.json, its table of flags, is missing" in refusal()


@pytest.mark.parametrize("key", ["defaults", "chargesV2Graphs", "v2Runner", "states", "memoryBasis", "measuredTensor"])
def test_a_release_that_does_not_say_how_it_behaves_is_refused_and_the_key_is_named(
    tmp_path: Path, entry: dict[str, Any], key: str
) -> None:
    del entry[key]
    write(tmp_path, entry, table=True)
    assert f"vllm/{NEW}.yaml: {key}: Field required" in refusal()


def test_no_behaviour_of_a_release_has_a_default() -> None:
    optional = {name for name, field in Engine.model_fields.items() if not field.is_required()}
    assert optional == {"tried"}
    assert all(field.is_required() for field in type(engine_of(PINS.vllm).defaults).model_fields.values())


def test_a_whole_release_is_planned_by_its_own_behaviour(tmp_path: Path, entry: dict[str, Any]) -> None:
    entry["defaults"] = {**entry["defaults"], "maxNumSeqs": 77}
    write(tmp_path, entry, table=True)
    (model,) = platform({**ONE_GPU, "vllmVersion": NEW}).models
    assert model.shape.settings.max_num_seqs == 77
    assert told(model, "--max-num-seqs", NEW) == "77"


@pytest.mark.parametrize("release", VLLM_RELEASES)
def test_every_release_of_the_catalogue_is_whole_and_its_table_has_its_defaults(release: str) -> None:
    whole, table = engine_of(release), flag_table(release).by_name
    assert table["--gpu-memory-utilization"].default == whole.defaults.gpu_memory_utilization
    assert table["--port"].default == whole.defaults.port
    assert flag_table(release).version == release
    assert whole.defaults.largest_graph_by_capability.keys() <= {
        entry.compute_capability for entry in ACCELERATORS.values()
    }


def told(model: ModelServerPlan, flag: str, release: str) -> str | None:
    """The flag's value on the command line, or else the default by the release's table; a switch is True or False."""
    entry = flag_table(release).by_name[flag]
    if flag in model.arguments:
        return "True" if entry.values == "none" else model.arguments[model.arguments.index(flag) + 1]
    return None if entry.default is None else str(entry.default)


@pytest.mark.parametrize("model", MODELS)
def test_the_server_is_told_every_value_that_its_memory_rests_on(model: ModelServerPlan) -> None:
    settings, shape = model.shape.settings, model.shape
    expected = {
        "--max-model-len": settings.max_model_len,
        "--gpu-memory-utilization": settings.gpu_memory_utilization,
        "--max-num-seqs": settings.max_num_seqs,
        "--max-num-batched-tokens": settings.max_num_batched_tokens,
        "--kv-cache-dtype": settings.kv_cache_dtype.value,
        "--enforce-eager": settings.enforce_eager,
        "--tensor-parallel-size": shape.tensor_parallel,
        "--pipeline-parallel-size": shape.pipeline_parallel,
        "--enable-expert-parallel": shape.expert_parallel,
        "--decode-context-parallel-size": 1,
        "--cpu-offload-gb": 0,
        "--enable-lora": None,
    }
    wrong = {
        flag: value
        for flag, value in ((flag, told(model, flag, shape.vllm)) for flag in expected)
        if value != (None if expected[flag] is None else str(expected[flag]))
    }
    assert wrong == {}


def test_a_preset_of_vllm_is_planned_and_told() -> None:
    (usual,) = platform(ONE_GPU).models
    (many,) = platform({**ONE_GPU, "engine": {"performanceMode": "throughput"}}).models
    (quick,) = platform({**ONE_GPU, "engine": {"performanceMode": "interactivity"}}).models
    seqs = usual.shape.settings.max_num_seqs
    assert (many.shape.settings.max_num_seqs, told(many, "--max-num-seqs", PINS.vllm)) == (2 * seqs, str(2 * seqs))
    assert len(capture_sizes(quick.shape.settings)) > len(capture_sizes(usual.shape.settings))
    assert quick.shape.memory.graphs_gib > usual.shape.memory.graphs_gib


def test_prompts_that_may_not_be_cut_have_room_in_a_step() -> None:
    (model,) = platform({**ONE_GPU, "maxModelLen": 16384, "engine": {"enableChunkedPrefill": False}}).models
    assert told(model, "--max-num-batched-tokens", PINS.vllm) == "16384"
    with pytest.raises(ConfigurationError, match="no prompt may be cut"):
        platform({**ONE_GPU, "maxNumBatchedTokens": 4096, "engine": {"enableChunkedPrefill": False}})


def served(seqs: int, batched: int, graphs: GraphRules, drafts: int = 0) -> ServeSettings:
    return ServeSettings(
        max_model_len=8192,
        gpu_memory_utilization=0.92,
        max_num_seqs=seqs,
        max_num_batched_tokens=batched,
        block_size=16,
        graphs=graphs,
        draft_tokens=drafts,
    )


USUAL = (1, 2, 4, *range(8, 256, 8), *range(256, 513, 16))


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        (served(1024, 8192, GraphRules(largest=512, whole_batches=False)), USUAL),
        (served(1024, 8192, GraphRules(largest=512, whole_batches=True)), USUAL),
        (served(1024, 8192, GraphRules(largest=1024, whole_batches=True)), (*USUAL, *range(528, 1025, 16))),
        (served(3, 8192, GraphRules(largest=512, whole_batches=False)), (1, 2, 4)),
        (served(3, 8192, GraphRules(largest=512, whole_batches=True)), (1, 2, 3, 4)),
        (served(64, 30, GraphRules(largest=512, whole_batches=True)), (1, 2, 4, 8, 16, 24, 30)),
        (served(4, 64, GraphRules(largest=512, whole_batches=True), drafts=2), (1, 2, 3, 4, 6, 8, 12, 16, 24)),
    ],
)
def test_graphs_are_captured_for_the_sizes_of_vllms_own_rule(settings: ServeSettings, sizes: tuple[int, ...]) -> None:
    assert capture_sizes(settings) == sizes


ROOMS = ("catalog", "config", "planning", "components", "stacks", "policy", "review", "verification")
TOOLS = ("maintenance", "oracle", "bench")
VERSION = re.compile(r"v?\d+\.\d+\.\d+(-gke\.\d+)?|v\d+\.\d+|0\.\d\d|1\.[23]\d")
NO_VERSIONS = {entry.compute_capability for entry in ACCELERATORS.values()}


def versions_in(file: Path) -> Iterator[str]:
    """Constants that are a version, and comparisons with a pair of numbers; not what a field has as an example."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    examples = {
        id(inner)
        for call in ast.walk(tree)
        if isinstance(call, ast.keyword) and call.arg == "examples"
        for inner in ast.walk(call)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in examples:
            if VERSION.fullmatch(node.value) and node.value not in NO_VERSIONS:
                yield f"{file.relative_to(CHECKOUT)}:{node.lineno}: {node.value}"
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE):
            for side in (node.left, *node.comparators):
                if re.fullmatch(r"\(\d+, \d+(, \d+)?\)", text := ast.unparse(side)):
                    yield f"{file.relative_to(CHECKOUT)}:{side.lineno}: {text}"


def test_no_version_stands_in_the_code_but_in_data_alone() -> None:
    files = [file for room in (*ROOMS, *TOOLS) for file in (CHECKOUT / room).rglob("*.py")]
    assert len(files) > 100
    assert [found for file in files for found in versions_in(file)] == []


def test_a_version_in_the_code_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.CHECKOUT", tmp_path)
    lines = ('A = "0.33.0"', "B = version >= (0, 33)", 'C = Field(examples=["1.36"])', 'D = "0.5 GiB"')
    (tmp_path / "a.py").write_text("\n".join(lines))
    assert [found.split(": ", 1)[1] for found in versions_in(tmp_path / "a.py")] == ["0.33.0", "(0, 33)"]
