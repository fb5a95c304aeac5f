"""`python -m planning fit` and `choose`: what scripts can rely on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from planning.__main__ import main

ROOT = Path(__file__).parents[2]
TEXT_GEMMA = ROOT / "bench" / "measured" / "gemma-3-27b-text.json"


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a question which cannot be understood gets."""
    try:
        status = main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    streams = capsys.readouterr()
    assert status == 2
    assert streams.out == ""
    assert streams.err.count("\n") == 1
    return streams.err


def test_fit_tells_what_vllm_logged(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(
        capsys, "fit", "--config", str(TEXT_GEMMA), "--accelerator", "h200", "--tensor-parallel", "1",
        "--vllm-version", "0.24.0",
    )  # fmt: skip
    assert told["fits"] is True
    assert told["weights_gib"] == pytest.approx(50.74, abs=0.02)
    assert told["overhead_gib"] == pytest.approx(4.84, abs=0.02)
    assert told["kv_cache_gib"] == pytest.approx(73.03, abs=0.05)
    assert told["kv_cache_tokens"] == pytest.approx(672837, rel=0.001)
    assert told["max_model_len"] == 131072
    assert told["basis"] == "measured"
    assert told["reasons"]


def test_every_flag_changes_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    question = ("fit", "--model", "google/gemma-3-27b-it", "--accelerator", "h200", "--tensor-parallel", "1")
    plain = answer(capsys, *question)
    for flags in (
        ("--pipeline-parallel", "2"),
        ("--gpu-memory-utilization", "0.8"),
        ("--max-model-len", "8192"),
        ("--max-num-seqs", "128"),
        ("--max-num-batched-tokens", "16384"),
        ("--kv-cache-dtype", "fp8"),
        ("--vllm-version", "0.24.0"),
        ("--enforce-eager",),
    ):
        assert answer(capsys, *question, *flags)["kv_cache_tokens"] != plain["kv_cache_tokens"], flags


def test_the_pinned_release_is_measured_on_the_card_it_was_measured_on(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200")
    assert told["vllm_version"] == "0.33.0"
    assert told["basis"] == "measured"
    told = answer(capsys, "fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "gb300")
    assert told["basis"] == "recorded"


def test_what_does_not_start_is_an_answer_with_the_missing_gib_and_the_length_that_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    question = ("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h100", "--vllm-version", "0.24.0")
    told = answer(capsys, *question)
    assert told["fits"] is False
    assert told["missing_gib"] > 0
    assert 0 < told["max_model_len"] < 40960
    assert answer(capsys, *question, "--max-model-len", str(told["max_model_len"]))["fits"] is True
    assert answer(capsys, *question, "--max-model-len", str(told["max_model_len"] + 16))["fits"] is False


def test_a_model_that_is_too_large_has_no_length_that_starts(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "fit", "--model", "meta-llama/Llama-3.3-70B-Instruct", "--accelerator", "h200")
    assert (told["fits"], told["kv_cache_tokens"], told["max_model_len"], told["kv_cache_gib"]) == (False, 0, 0, 0)
    assert told["missing_gib"] > 40
    assert any("missing" in reason for reason in told["reasons"])


def test_a_shape_that_is_not_legal_does_not_fit_and_names_the_legal_ones(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(
        capsys, "fit", "--model", "meta-llama/Llama-3.3-70B-Instruct", "--accelerator", "h200", "--tensor-parallel", "6"
    )
    assert told["fits"] is False
    assert "64 attention heads" in told["reasons"][0]
    assert "legal values: 1, 2, 4, 8" in told["reasons"][0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "required"),
        (("fit",), "--accelerator"),
        (("fit", "--accelerator", "h200"), "--model"),
        (("fit", "--model", "google/gemma-3-27b", "--accelerator", "h200"), "google/gemma-3-27b-it"),
        (("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h300"), "h200"),
        (("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h100", "--machine-type", "x"), "a3-highgpu-1g"),
        (
            ("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200", "--tensor-parallel", "0"),
            "whole number from 1",
        ),
        (("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200", "--tensor-parallel", "two"), "two"),
        (("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200", "--gpu-memory-utilization", "9"), "between"),
        (("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200", "--kv-cache-dtype", "fp9"), "fp8"),
        (
            ("fit", "--model", "Qwen/Qwen3-32B", "--accelerator", "h200", "--vllm-version", "new"),
            "vLLM new is not",
        ),
        (("fit", "--config", "/nowhere/config.json", "--accelerator", "h200"), "No such file"),
        (("choose", "--model", "Qwen/Qwen3-32B", "--region", "mars-1"), "mars-1"),
        (("choose", "--model", "Qwen/Qwen3-32B", "--objective", "beauty"), "latency"),
    ],
)
def test_a_question_that_cannot_be_understood_gets_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    assert says in complaint(capsys, *arguments)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"hidden_size": []}', "\xff"])
def test_a_config_that_is_none_gets_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text.encode("latin-1"))
    assert complaint(capsys, "fit", "--config", str(file), "--accelerator", "h200")


def test_choose_ranks_accelerators_with_prices_sources_and_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "choose", "--model", "meta-llama/Llama-3.3-70B-Instruct", "--objective", "throughput")
    assert told["fits"] is True
    best = [choice for choice in told["choices"] if choice["best"]]
    assert best == told["choices"][: len(best)]
    on = {choice["shape"]["accelerator"]: choice for choice in best}
    assert len(on) == len(best)
    h200, unpriced = on["h200"], on["gb200"]
    assert (h200["shape"]["tensor_parallel"], h200["shape"]["pipeline_parallel"]) == (2, 1)
    assert h200["usd_per_hour"] == pytest.approx(84.806908 / 4, abs=0.01)
    assert h200["price"]["as_of"]
    assert h200["usd_per_million_tokens"]["source"]
    assert h200["usd_per_million_tokens"]["output_usd"] > 1
    assert h200["shape"]["reasons"]
    assert h200["shape"]["rejected"]
    assert unpriced["usd_per_hour"] is None
    assert all(refused["why"] for refused in told["refused"])
    assert set(on) | {refused["shape"] for refused in told["refused"]} >= {"l4", "h100"}


def test_choose_for_latency_takes_more_gpus_than_for_throughput(capsys: pytest.CaptureFixture[str]) -> None:
    question = ("choose", "--model", "google/gemma-3-27b-it", "--accelerator", "h200", "--min-context", "8192")
    fast = answer(capsys, *question, "--objective", "latency")["choices"][0]
    cheap = answer(capsys, *question, "--objective", "throughput")["choices"][0]
    assert fast["shape"]["tensor_parallel"] > cheap["shape"]["tensor_parallel"] == 1
    assert fast["weights_read_ms"] < cheap["weights_read_ms"]


def test_choose_answers_too_when_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, "choose", "--model", "deepseek-ai/DeepSeek-R1", "--accelerator", "l4")
    assert told["fits"] is False
    assert told["choices"] == []
    assert "missing" in told["refused"][0]["why"]


@pytest.mark.parametrize("question", ["fit", "choose"])
def test_people_get_a_text(capsys: pytest.CaptureFixture[str], question: str) -> None:
    assert main([question, "--model", "google/gemma-3-27b-it", "--accelerator", "h200"]) == 0
    text = capsys.readouterr().out
    assert "google/gemma-3-27b-it" in text
    assert "recorded: weights and cache blocks are by vLLM" in text


def test_the_command_needs_no_sdk_and_no_second() -> None:
    code = (
        "import sys; from planning.__main__ import main;"
        "main(['fit', '--model', 'google/gemma-3-27b-it', '--accelerator', 'h200', '--json']);"
        "print([name for name in sys.modules if name.split('.')[0].startswith('pulumi')], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    assert run.stderr.strip() == "[]"
    assert json.loads(run.stdout)["fits"] is True
