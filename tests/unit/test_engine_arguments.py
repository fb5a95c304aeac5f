"""A command line that vLLM would refuse, or misread, is refused here with a sentence that helps."""

import json
import re
from pathlib import Path

import pytest
import yaml

from catalog import engine_arguments
from catalog._entry import InvalidEntry
from catalog.engine_arguments import Takes, Values, flag_table
from catalog.release import VllmRelease
from tests.vllm.command_lines import ILLEGAL, LEGAL, STRICTER, illegal_lines, legal_lines

TABLE = flag_table("0.33.0")


@pytest.mark.parametrize("line", LEGAL, ids=" ".join)
def test_a_legal_command_line_has_no_problems(line: tuple[str, ...]) -> None:
    assert TABLE.check(line) == []


@pytest.mark.parametrize("line", ILLEGAL + STRICTER, ids=" ".join)
def test_an_illegal_command_line_has_a_problem(line: tuple[str, ...]) -> None:
    assert TABLE.check(line) != []


def test_every_flag_is_accepted_with_a_fitting_value_and_refused_with_another() -> None:
    assert [line for line in legal_lines(TABLE) if TABLE.check(line)] == []
    assert [line for line in illegal_lines(TABLE) if not TABLE.check(line)] == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--tensor-parallel-sizes", "2"],
            "--tensor-parallel-sizes is no flag of vLLM 0.33.0; did you mean --tensor-parallel-size",
        ),
        (["--tensor-par", "2"], "--tensor-par is no flag of vLLM 0.33.0; did you mean --tensor-parallel-size?"),
        (["--swap-space", "4"], "--swap-space is no flag of vLLM 0.33.0: preempted requests are computed again"),
        (["--swap_space=4"], "--swap-space is no flag"),
        (["--no-such-thing-at-all"], "--no-such-thing-at-all is no flag of vLLM 0.33.0"),
        (["--kv-cache-dtype", "fp9"], "--kv-cache-dtype does not know 'fp9' (the parser lets it through"),
        (["--quantization", "FP8"], "--quantization does not know 'FP8'"),
        (["--attention-backend", "flashinfer"], "use FLASHINFER"),
        (["--max-lora-rank", "17"], "use one of 1, 8, 16, 32"),
        (["--port", "http"], "--port needs an integer, not 'http'"),
        (["--port"], "--port needs a value"),
        (["--port", "--headless"], "--port needs a value"),
        (["--headless=yes"], "--headless takes no value; got 'yes'"),
        (["--headless", "yes"], "'yes' belongs to no flag"),
        (["--kv-transfer-config", '{"kv_conector": "x"}'], "--kv-transfer-config has no key 'kv_conector'; use kv_con"),
        (["--kv-transfer-config", "[]"], "--kv-transfer-config needs a JSON object, not []"),
        (["--kv-transfer-config.kv_rol=x"], "--kv-transfer-config has no key 'kv_rol'; use kv_role"),
        (["--kv-transfer-config.kv_role"], "--kv-transfer-config.kv_role needs a value"),
        (["--kv-transfer.kv_role", "x"], "--kv-transfer is no flag"),
        (["--port.number", "1"], "--port has no keys"),
        (["--config", "vllm.yaml"], "--config reads more arguments from a file"),
        (["--model", "m"], "--model is given as the first word"),
    ],
)
def test_the_problem_names_the_word_and_what_to_write(words: list[str], sentence: str) -> None:
    assert len(problems := TABLE.check_flags(words)) == 1
    assert sentence in problems[0]


def test_each_problem_is_reported_and_hides_no_other() -> None:
    problems = TABLE.check(["m", "--swap-space", "4", "--port", "http", "stray", "--headless=1", "--seed", "1"])
    assert len(problems) == 4


def test_a_part_of_a_line_needs_no_model_but_a_whole_line_does() -> None:
    assert TABLE.check_flags(["--seed", "1"]) == []
    assert TABLE.check(["--seed", "1"]) == ["the model comes first: vllm serve MODEL --flag ..."]
    assert TABLE.check([]) == ["the model comes first: vllm serve MODEL --flag ..."]


def test_underscores_are_read_as_vllm_reads_them() -> None:
    assert TABLE.check_flags(["--max_model_len", "8k", "--kv_transfer_config.kv_role=kv_both"]) == []
    assert TABLE.check_flags(["--kv-transfer-config.kv-role=kv_both"]) != []


def test_advice_about_gone_flags_names_flags_that_exist() -> None:
    for gone, advice in engine_arguments.GONE.items():
        assert gone not in TABLE.by_name
        named = re.findall(r"--[a-z-]+", advice)
        assert named and set(named) <= set(TABLE.by_name)


def test_no_two_flags_share_a_name() -> None:
    names = [name for flag in TABLE.flags for name in (*flag.names, *flag.negations)]
    assert len(names) == len(set(names)) == len(TABLE.by_name)
    assert len(TABLE.flags) > 300


def test_every_default_is_a_value_its_flag_accepts() -> None:
    for flag in TABLE.flags:
        if flag.values is Values.NONE:
            assert flag.default in (None, True, False)
        elif flag.default is not None and flag.takes is not Takes.JSON:
            assert flag.problem_with(str(flag.default)) is None or flag.default == ""


def test_the_table_knows_the_defaults_that_the_release_entry_states() -> None:
    release = Path(engine_arguments.__file__).parent / "releases" / "vllm" / "0.33.0.yaml"
    defaults = VllmRelease.model_validate(yaml.safe_load(release.read_text())).defaults
    assert TABLE.by_name["--gpu-memory-utilization"].default == defaults.gpu_memory_utilization
    assert TABLE.by_name["--port"].default == defaults.port


def test_deprecated_flags_are_marked_and_still_legal() -> None:
    assert TABLE.by_name["--disable-cascade-attn"].deprecated
    assert not TABLE.by_name["--shutdown-timeout"].deprecated


def test_environment_variables_are_vllms_own() -> None:
    known = TABLE.environment_variables
    assert {"VLLM_HOST_IP", "VLLM_LOGGING_LEVEL", "VLLM_CACHE_ROOT", "VLLM_ENGINE_READY_TIMEOUT_S"} <= known
    assert all(name.startswith("VLLM_") for name in known)
    assert "VLLM_ATTENTION_BACKEND" not in known


def test_a_release_without_a_table_is_a_key_error() -> None:
    with pytest.raises(KeyError, match=r"0\.1\.0"):
        flag_table("0.1.0")


def test_a_broken_table_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "9.9.9.json").write_text(json.dumps({"version": "9.9.9"}))
    monkeypatch.setattr(engine_arguments, "_FOLDER", tmp_path)
    with pytest.raises(InvalidEntry, match=r"9\.9\.9\.json"):
        flag_table("9.9.9")
