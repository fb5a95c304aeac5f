"""The half of the oracle that runs with the product: questions, records, the comparison and its exceptions."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from catalog import PINS
from catalog.model import MODELS, KvCacheDtype
from catalog.recorded import RECORDED, Way, read_record, record_of
from maintenance import models_page
from oracle import changes as between
from oracle.__main__ import main
from oracle.ask import Answer, Journal, Kinds
from oracle.card import CAPABILITIES, card_of
from oracle.compare import EXCEPTIONS, Table, compare, excuse
from oracle.published import unknown
from oracle.question import Config, Question, by_use, every_shape
from oracle.records import as_text, record
from oracle.worth import worth_asking
from planning.__main__ import main as plan
from planning.engine import engine_of
from planning.kv_cache import CacheSettings, kv_layout
from planning.weights import Sharding, stages_of, weight_bytes

CACHE = CacheSettings(16, engine_of("0.24.0").states)
QWEN = MODELS["Qwen/Qwen3-32B"]
CONFIG = Config(QWEN.id, "a test", {"model_type": "qwen3"})
OWN = {
    "architectures": ["Phi3ForCausalLM"],
    "model_type": "phi3",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "vocab_size": 51200,
    "max_position_embeddings": 40960,
}
"""The fields of a small model of one's own."""
GROUPS: Answer = {"groups": [{"kind": "full", "tokens": 16, "tables": 1}]}
MIXTURE = Config("a/mixture", "a test", {"text_config": {"num_experts": 8, "mtp_num_hidden_layers": 1}})


def answer(tensor: int = 1) -> Answer:
    """What vLLM would say if the plan's formulas were exact."""
    stage = stages_of(QWEN, 1)[0]
    layout = kv_layout(QWEN, CACHE, tensor, 1, stage)
    weights = round(weight_bytes(QWEN, Sharding(tensor), stage)) - (32 * 2**20 if tensor > 1 else 0)
    groups = [{"kind": "full", "tokens": 16, "tables": 1}]
    return {"weights": [weights], "block_bytes": [layout.block_bytes], "groups": groups}


def compared(*pairs: tuple[Question, Answer]) -> Table:
    return compare(pairs, "9.0", formulas=True)


def test_every_shape_that_a_plan_may_choose_is_asked() -> None:
    asked = list(every_shape(MIXTURE))
    assert len({question.key for question in asked}) == len(asked)
    assert {(q.tensor, q.pipeline) for q in asked} == {(t, p) for t in (1, 2, 4, 8) for p in (1, 2)}
    assert {q.tensor for q in asked if q.expert_parallel} == {2, 4, 8}
    assert {q.draft_tokens for q in asked} == {0, 1, 2, 3}
    assert {q.cache for q in asked} == {KvCacheDtype.AUTO, KvCacheDtype.FP8}
    assert not [q for q in every_shape(CONFIG) if q.expert_parallel or q.draft_tokens]
    assert len(list(every_shape(MIXTURE, thorough=False))) == 4


def test_every_capability_is_that_of_a_card_of_the_catalogue() -> None:
    for capability in CAPABILITIES:
        assert card_of(capability).memory > 20 * 2**30


def test_an_answer_is_kept_for_the_next_run_and_one_that_was_cut_off_is_asked_anew(tmp_path: Path) -> None:
    first, second = Question(CONFIG), Question(CONFIG, 2)
    Journal("9.0", tmp_path).keep(first, answer(), 1.0)
    (file,) = tmp_path.iterdir()
    with file.open("a") as handle:
        handle.write(f'{{"key": "{second.key}", "answer": {{"wei')
    again = Journal("9.0", tmp_path)
    assert (again.get(first), again.get(second)) == (answer(), None)
    assert Journal("8.9", tmp_path).get(first) is None


def test_layers_that_were_found_alike_are_told_for_every_card(tmp_path: Path) -> None:
    Kinds(tmp_path).keep(CONFIG, {"model.layers": [0, 0, 1]})
    (file,) = tmp_path.iterdir()
    with file.open("a") as handle:
        handle.write('{"config": "cut o')
    found = Kinds(tmp_path).of(CONFIG)
    assert found == {"model.layers": [0, 0, 1]}
    assert json.loads(Question(CONFIG).line(found))["kinds"] == found
    assert Kinds(tmp_path).of(MIXTURE) is None


def test_a_record_is_what_was_answered_and_keeps_other_cards(tmp_path: Path) -> None:
    target = tmp_path / "record.json"
    refused: Answer = {"refusal": "no"}
    silent: Answer = {"failure": "who knows"}
    record(CONFIG, "9.0", [(Question(CONFIG), answer()), (Question(CONFIG, 2), refused)], target)
    record(CONFIG, "8.9", [(Question(CONFIG), answer()), (Question(CONFIG, 4), silent)], target)
    made = read_record(target)
    assert target.read_text() == as_text(made)
    assert set(made.capabilities) == {"9.0", "8.9"}
    assert [case.tensor for case in made.capabilities["8.9"]] == [1]
    said = made.case("9.0", Way(tensor=2))
    assert said is not None
    assert said.refusal == "no"
    other = Config(QWEN.id, "a test", {"model_type": "qwen4"})
    record(other, "9.0", [(Question(other), answer())], target)
    assert set(read_record(target).capabilities) == {"9.0"}


def test_a_plan_that_says_the_same_holds() -> None:
    table = compared((Question(CONFIG), answer()), (Question(CONFIG, 2), answer(2)))
    assert table.holds
    assert "Cache blocks: 2 of 2 exact" in table.as_markdown()


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"weights": [round(answer()["weights"][0] * 1.02)]}, "weights -2.0 %"),
        ({"block_bytes": [answer()["block_bytes"][0] * 2]}, "cache -50.0 %"),
        ({"groups": [{"kind": "full", "tokens": 32, "tables": 1}]}, "cache +100.0 %"),
    ],
)
def test_a_difference_is_a_fault(said: Answer, fault: str) -> None:
    table = compared((Question(CONFIG), {**answer(), **said}))
    assert not table.holds
    assert fault in table.as_markdown()


def test_a_refusal_of_vllm_that_the_plan_does_not_know_is_a_fault() -> None:
    table = compared((Question(CONFIG, 2), {"refusal": "not on a Monday"}))
    assert not table.holds
    assert "not on a Monday" in table.as_markdown()


def test_a_shape_without_an_answer_says_what_the_plan_does() -> None:
    config = Config("google/gemma-3-1b-it", "a test", {})
    unknown = Config("nobody/knows", "a test", {"model_type": "nobody"})
    silent: Answer = {"failure": "who knows"}
    told = compared((Question(CONFIG), silent), (Question(config, 8), silent), (Question(unknown), silent)).unanswered
    assert told[0].endswith("who knows; the plan accepts it")
    assert "the plan refuses it: 4 attention heads" in told[1]
    assert "the plan refuses it: " in told[2]


def test_a_false_refusal_is_a_fault_and_a_shared_one_is_none() -> None:
    config = Config("google/gemma-3-1b-it", "a test", {})
    assert not compared((Question(config, 8), answer())).holds
    table = compared((Question(config, 8), {"refusal": "4 heads"}), (Question(CONFIG), answer()))
    assert (table.holds, table.refused_alike) == (True, 1)


@pytest.mark.parametrize(
    ("written", "said"),
    [("{broken", "is no JSON"), ("[1]", "holds no JSON object"), (None, "cannot be read: No such file or directory")],
)
def test_a_config_that_cannot_be_read_is_one_line_before_anything_is_made(
    written: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oracle.environment.make", lambda: pytest.fail("nothing is to be made"))
    file = tmp_path / "config.json"
    if written is not None:
        file.write_text(written)
    assert main(["record", "--config", str(file)]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith(f"python -m oracle: {file}")
    assert said in errors
    assert len(errors.splitlines()) == 1


def test_a_config_of_ones_own_is_recorded_beside_it_and_the_plan_reads_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(questions: list[Question], capability: str) -> Iterator[tuple[Question, Answer]]:
        assert capability == "9.0"
        for question in questions:
            yield (
                question,
                {"weights": [2**30] * question.pipeline, "block_bytes": [2**20] * question.pipeline} | GROUPS,
            )

    monkeypatch.setattr("oracle.environment.make", lambda: None)
    monkeypatch.setattr("oracle.__main__.ask", told)
    file = tmp_path / "my-model" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(OWN))
    assert main(["record", "--quick", "--config", str(file)]) == 0
    assert [found.name for found in file.parent.iterdir() if found != file] == [f"config.vllm-{PINS.vllm}.json"]
    assert plan(["fit", "--config", str(file), "--accelerator", "h200", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out.split("shapes\n", 1)[1])
    assert (planned["weights_gib"], planned["basis"]) == (1, "recorded")


def test_every_model_has_a_config_or_a_word_why_not() -> None:
    told = {model for model in MODELS if unknown(model) is not None}
    assert told <= MODELS.keys()
    assert not [model for model in told if record_of(MODELS[model], PINS.vllm) is not None]


def test_the_usual_shapes_of_all_models_come_first_and_drafts_last() -> None:
    asked = by_use([*every_shape(MIXTURE), *every_shape(CONFIG)])
    assert {q.config.id for q in asked[:8]} == {MIXTURE.id, CONFIG.id}
    assert all(q.shape == f"TP {q.tensor}, PP 1" for q in asked[:8])
    assert all(q.draft_tokens for q in asked[-12:])


def test_only_what_a_card_could_hold_is_worth_asking() -> None:
    assert [t for t in (1, 2, 4, 8) if worth_asking(Question(CONFIG, t), "8.9")] == [4, 8]
    assert worth_asking(Question(CONFIG), "9.0")
    assert not worth_asking(Question(CONFIG, 8, 2), "9.0")
    assert worth_asking(Question(Config("nobody/knows", "a test", {"model_type": "nobody"})), "8.9")


def test_the_page_lays_the_formulas_beside_every_record() -> None:
    text = models_page.page()
    assert (Path(__file__).parents[2] / "docs" / "models.md").read_text() == text
    for model in MODELS:
        assert f"| {model} |" in text


@pytest.mark.parametrize("capability", ["9.0", "8.9", "8.0", "10.0", "10.3", "12.0"])
def test_the_formulas_say_what_was_recorded_of_a_card_or_the_difference_has_a_cause(capability: str) -> None:
    (table,) = (table for table in models_page.tables() if table.capability == capability)
    assert table.rows
    assert not [f"{row.name}, {row.shape}: {row.fault}" for row in table.faults]


def test_every_exception_excuses_something() -> None:
    used = {excuse(row) for table in models_page.tables() for row in table.excused}
    assert {entry["because"] for entry in yaml.safe_load(EXCEPTIONS.read_text())} == used


def test_nothing_compared_does_not_hold() -> None:
    assert not compared((Question(CONFIG), {"failure": "who knows"})).holds


def test_the_changes_between_two_releases_are_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(between, "RECORDED", tmp_path)
    heavier: Answer = {**answer(), "weights": [round(answer()["weights"][0] * 1.1)]}
    record(CONFIG, "9.0", [(Question(CONFIG), answer()), (Question(CONFIG, 2), answer(2))], tmp_path / "1" / "a.json")
    record(
        CONFIG,
        "9.0",
        [(Question(CONFIG), heavier), (Question(CONFIG, 2), {"refusal": "no"})],
        tmp_path / "2" / "a.json",
    )
    table = between.changes("1", "2")
    assert "weights +10.00 %" in table
    assert "refused now: no" in table
    assert "Nothing, of 1 models" in between.changes("1", "1")


def test_records_are_of_the_pinned_release_or_of_one_that_the_catalogue_keeps() -> None:
    from catalog import VLLM_RELEASES

    assert {folder.name for folder in RECORDED.iterdir()} <= set(VLLM_RELEASES) | {PINS.vllm}
