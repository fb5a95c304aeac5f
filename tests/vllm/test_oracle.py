"""What was recorded is what the installed vLLM says; a sample, since all of it takes hours (make compare-models)."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from catalog import PINS
from catalog.recorded import Way, beside, file_of, read_record
from oracle import environment
from oracle.__main__ import main
from oracle.ask import ask
from oracle.compare import compare
from oracle.published import config_of
from oracle.question import Config, Question
from oracle.records import case_of
from planning.__main__ import main as plan
from tests.unit.test_oracle import OWN

pytestmark = pytest.mark.vllm

# Dense with windows, padded experts, states beside attention, latent attention in fp8, and a tower of images.
SAMPLE = (
    ("google/gemma-3-1b-it", 1),
    ("openai/gpt-oss-20b", 2),
    ("Qwen/Qwen3.6-35B-A3B", 4),
    ("deepseek-ai/DeepSeek-V3", 8),
    ("google/gemma-3-4b-it", 2),
)


def test_the_records_and_the_plan_say_what_vllm_says(tmp_path: Path) -> None:
    environment.make()
    sample = [Question(config_of(model), tensor) for model, tensor in SAMPLE]
    refused = Question(config_of("google/gemma-3-1b-it"), 8)
    unknown = Question(Config("nobody/knows", "a test", {"architectures": ["NobodyKnows"], "model_type": "nobody"}))
    answers = list(ask((*sample, refused, unknown), "9.0", tmp_path))
    for question, answer in answers[: len(SAMPLE)]:
        record = read_record(file_of(question.config.id, PINS.vllm))
        assert record.digest == question.config.digest
        said = record.case("9.0", Way(question.tensor, question.pipeline))
        fresh = case_of(question, answer)
        assert said is not None
        assert fresh is not None
        # A module that is loaded with a process's first model leaves a number or two on the GPU, of 512 bytes each.
        assert said.weights == pytest.approx(fresh.weights, abs=4096)
        assert said == fresh.model_copy(update={"weights": said.weights})
    assert "attention heads" in answers[-2][1]["refusal"]
    assert "NobodyKnows" in answers[-1][1]["refusal"]
    table = compare(answers[:-1], "9.0")
    assert table.holds, table.as_markdown()


def test_layers_found_alike_on_one_card_say_on_another_what_all_of_them_do(tmp_path: Path) -> None:
    environment.make()
    small, large = (config_of(f"Qwen/Qwen3-{size}") for size in ("0.6B", "1.7B"))
    whole, told = tmp_path / "whole", tmp_path / "told"
    alone = [said for _, said in ask([Question(large, 2)], "8.9", whole)]
    list(ask([Question(large, 2)], "9.0", told))
    by_kinds = [said for _, said in ask([Question(small, 2), Question(large, 2)], "8.9", told)]
    # A module that is loaded with a process's first model leaves a number or two on the GPU, of 512 bytes each.
    assert by_kinds[1].pop("weights") == pytest.approx(alone[0].pop("weights"), abs=4096)
    assert by_kinds[1] == alone[0]


def test_what_layers_of_another_kind_share_is_counted_once(tmp_path: Path) -> None:
    """Layers without an indexer keep the tokens that the one before them chose."""
    environment.make()
    every, some = (shortened(config_of(f"zai-org/GLM-{version}-FP8")) for version in ("5.1", "5.2"))
    whole, told = tmp_path / "whole", tmp_path / "told"
    alone = [said for _, said in ask([Question(some)], "10.0", whole)]
    list(ask([Question(some)], "9.0", told))
    by_kinds = [said for _, said in ask([Question(every), Question(some)], "10.0", told)]
    assert by_kinds[1].pop("weights") == pytest.approx(alone[0].pop("weights"), abs=4096)
    assert by_kinds[1] == alone[0]


def shortened(config: Config) -> Config:
    """The same with few layers and experts."""
    few = {"num_hidden_layers": 23, "n_routed_experts": 8}
    lists = {key: value[:23] for key, value in config.config.items() if isinstance(value, list) and len(value) == 78}
    return replace(config, config={**config.config, **few, **lists})


def test_a_config_of_ones_own_is_asked_about_and_the_plan_reads_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "my-model" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps(OWN))
    assert main(["record", "--quick", "--config", str(file)]) == 0
    assert beside(file, PINS.vllm).exists()
    capsys.readouterr()
    assert plan(["fit", "--config", str(file), "--accelerator", "h200", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["basis"] == "recorded"
