"""What vLLM's own code said is read where it was asked, for exactly that, and the plan says so."""

import json
from pathlib import Path

import pytest
import yaml

from catalog import ACCELERATORS, PINS, Basis, InvalidEntry
from catalog.model import MODELS, KvCacheDtype, Model, Quantization, WeightFormat
from catalog.recorded import (
    RECORDED,
    Record,
    RecordedCase,
    RecordedGroup,
    beside,
    digest_of,
    read_record,
    record_of,
    with_records_beside,
)
from config import ConfigurationError, read_stack_file
from planning.__main__ import main
from planning.engine import ServeSettings, engine_of, graph_rules
from planning.fit import fit
from planning.legality import attention_objection, cache_objection, tensor_objection
from planning.memory import GpuMemory, gpu_memory
from planning.server import Server
from planning.shape import GpuNode, ShapeRequest
from planning.weights import COMMUNICATOR, GIB, Sharding
from tests.unit.questions import node, question

ENGINE = engine_of(PINS.vllm)
PHI = MODELS["microsoft/phi-4"]
CONFIG = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
}


def case(tensor: int = 1, **said: object) -> RecordedCase:
    numbers = {"weights": (30 * GIB,), "block_bytes": (2**20,), "groups": (RecordedGroup(tokens=16),)}
    return RecordedCase(tensor=tensor, **(said if "refusal" in said else {**numbers, **said}))  # type: ignore[arg-type]


def said_of(model: Model, *cases: RecordedCase, capability: str = "9.0", vllm: str = PINS.vllm) -> Model:
    """The model with a record of its own."""
    record = Record(model=model.id, vllm=vllm, config="a test", digest="", capabilities={capability: cases})
    return model.with_records((record,))


def planned(model: Model, accelerator: str = "h200", sharding: Sharding | None = None, **flags: object) -> GpuMemory:
    card = node(accelerator).card
    settings = ServeSettings(
        max_model_len=32768,
        gpu_memory_utilization=0.92,
        max_num_seqs=256,
        max_num_batched_tokens=8192,
        block_size=ENGINE.defaults.block_size,
        graphs=graph_rules(card, ENGINE),
    )
    return gpu_memory(Server(model, card, sharding or Sharding(), settings.model_copy(update=flags), ENGINE))


def test_weights_and_blocks_are_those_that_vllm_said() -> None:
    groups = (RecordedGroup(kind="state", tables=3, tokens=1024, blocks=3), RecordedGroup(tokens=1024))
    memory = planned(said_of(PHI, case(groups=groups)))
    assert memory.weights_gib == 30
    assert memory.needed_kv_gib * GIB == (9 + 32) * 2**20
    assert memory.basis is Basis.RECORDED
    assert f"by vLLM {PINS.vllm}'s own code for compute capability 9.0" in memory.basis_reason


def test_tensor_parallel_adds_what_the_communicator_holds() -> None:
    memory = planned(said_of(PHI, case(tensor=2)), sharding=Sharding(2))
    assert memory.weights_gib * GIB == 30 * GIB + COMMUNICATOR


def test_a_larger_batch_than_was_asked_about_holds_more_where_a_class_sets_something_aside_for_it() -> None:
    images = MODELS["Qwen/Qwen3-VL-4B-Instruct"]
    assert images.vision is not None
    usual, larger, smaller = (
        planned(said_of(images, case()), max_num_batched_tokens=tokens).weights_gib * GIB
        for tokens in (8192, 16384, 4096)
    )
    assert usual == smaller == 30 * GIB
    assert larger - usual == images.vision.deepstack_levels * 8192 * images.hidden_size * 2 > 0


def test_windows_and_chunks_grow_as_vllm_counts_them() -> None:
    sliding = RecordedGroup(kind="sliding", tokens=16, window=1024)
    chunked = RecordedGroup(kind="chunked", tokens=16, window=8192)
    in_flight = 2 * 8192
    held = {
        kind: planned(said_of(PHI, case(groups=(group,))), max_model_len=131072).needed_kv_gib * GIB / 2**20
        for kind, group in (("sliding", sliding), ("chunked", chunked))
    }
    assert held == {"sliding": (1023 + in_flight + 15) // 16 + 1, "chunked": (8192 + in_flight) // 16}


@pytest.mark.parametrize(
    ("accelerator", "sharding", "flags"),
    [
        ("b200", Sharding(), {}),
        ("l4", Sharding(), {}),
        ("h200", Sharding(2), {}),
        ("h200", Sharding(1, 2), {}),
        ("h200", Sharding(), {"kv_cache_dtype": KvCacheDtype.FP8}),
        ("h200", Sharding(), {"block_size": 32}),
    ],
)
def test_what_was_said_of_something_else_is_not_read(
    accelerator: str, sharding: Sharding, flags: dict[str, object]
) -> None:
    told, plain = (planned(model, accelerator, sharding, **flags) for model in (said_of(PHI, case()), untold(PHI)))
    assert told == plain
    assert told.basis is Basis.EXTRAPOLATED
    assert "nor asked" in told.basis_reason


def untold(model: Model) -> Model:
    """The same of a name that nothing was recorded of."""
    return model.model_copy(update={"id": "nobody/asked"})


def test_another_release_is_not_read() -> None:
    assert planned(said_of(untold(PHI), case(), vllm="0.24.0")) == planned(untold(PHI))


def test_a_model_that_was_changed_is_no_longer_the_one_that_was_asked_about() -> None:
    told = said_of(PHI, case())
    changed = told.model_copy(update={"quantization": Quantization(format=WeightFormat.FP8)})
    assert planned(told).basis is Basis.RECORDED
    assert planned(changed).basis is Basis.EXTRAPOLATED
    entry = PHI.model_copy(update={"hidden_size": PHI.hidden_size + 128})
    assert record_of(entry, PINS.vllm) is None


def test_what_vllm_refuses_does_not_fit_in_its_own_words() -> None:
    model = said_of(PHI, case(tensor=2, refusal="64 is no multiple of 3"))
    answer = fit(question(model, "h200", ShapeRequest(PINS.vllm, tensor_parallel=2)))
    assert not answer.fits
    assert f"vLLM {PINS.vllm} refuses it: 64 is no multiple of 3" in " ".join(answer.reasons)


def test_a_record_beside_ones_own_config_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIG))
    write_record(beside(file, PINS.vllm), digest_of(CONFIG))
    assert main(["fit", "--config", str(file), "--accelerator", "h200", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["weights_gib"], told["basis"]) == (30, "recorded")
    assert main(["fit", "--config", str(file), "--accelerator", "l4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["basis"] == "extrapolated"


def test_a_record_of_another_config_is_an_error_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**CONFIG, "num_hidden_layers": 30}))
    write_record(beside(file, PINS.vllm), digest_of(CONFIG))
    assert main(["fit", "--config", str(file), "--accelerator", "h200"]) == 2
    assert "python -m oracle record" in capsys.readouterr().err
    with pytest.raises(InvalidEntry):
        with_records_beside(PHI, file)


def test_a_stack_that_names_a_config_reads_the_record_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(CONFIG))
    stack = yaml.safe_load((Path(__file__).parents[2] / "Pulumi.h200.yaml").read_text())
    stack["config"]["inference-platform:models"] = [{"name": "mine", "model": "me/mine", "configFile": "mine.json"}]
    (tmp_path / "Pulumi.mine.yaml").write_text(yaml.safe_dump(stack))
    record = beside(tmp_path / "mine.json", PINS.vllm)
    write_record(record, digest_of(CONFIG))
    (model,) = read_stack_file(tmp_path, "mine").models
    assert model.definition is not None
    assert record_of(model.definition, PINS.vllm) is not None
    write_record(record, digest_of({}))
    with pytest.raises(ConfigurationError, match="python -m oracle record"):
        read_stack_file(tmp_path, "mine")


def write_record(file: Path, digest: str) -> None:
    record = Record(model="mine", vllm=PINS.vllm, config="config.json", digest=digest, capabilities={"9.0": (case(),)})
    file.write_text(record.model_dump_json(by_alias=True))


RECORDS = sorted(RECORDED.glob("*/*.json"))


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_record_is_of_a_model_of_the_catalogue_and_small(file: Path) -> None:
    record = read_record(file)
    assert record.model in MODELS
    assert file == RECORDED / record.vllm / f"{record.model.replace('/', '--')}.json"
    assert file.stat().st_size < 64 * 1024
    assert record.capabilities["9.0"]


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_more_ranks_never_hold_more(file: Path) -> None:
    for cases in read_record(file).capabilities.values():
        plain = [c for c in cases if c.refusal is None and not c.expert_parallel and c.pipeline == 1]
        for cache in {(c.cache, c.draft_tokens) for c in plain}:
            weights = [
                max(c.weights) for c in sorted(plain, key=lambda c: c.tensor) if (c.cache, c.draft_tokens) == cache
            ]
            assert weights == sorted(weights, reverse=True)


@pytest.mark.parametrize("file", RECORDS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_no_rule_of_ours_refuses_what_vllm_builds(file: Path) -> None:
    record = read_record(file)
    model = MODELS[record.model]
    for capability, cases in record.capabilities.items():
        entry = next(entry for entry in ACCELERATORS.values() if entry.compute_capability == capability)
        largest = GpuNode.of(entry, max(entry.machine_types, key=lambda machine: machine.gpus))
        for said in cases:
            if said.refusal is None and said.tensor <= largest.tensor_domain:
                cuts = ENGINE.cuts_on(capability)
                objection = tensor_objection(model, largest, said.tensor, said.expert_parallel or None, cuts=cuts)
                assert objection is None, (capability, said.tensor, objection)
                kernels = ENGINE.kernels_on(capability)
                assert cache_objection(model, said.cache, kernels) is None
                assert attention_objection(model, kernels) is None
