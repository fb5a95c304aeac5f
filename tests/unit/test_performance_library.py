"""The library that estimates speed: one pin, asked only where it is needed, its answers kept, its errors as we say."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bench.performance import allowed, comparisons, summary, worst
from catalog import MODELS, PINS
from catalog.performance import performance
from oracle.environment import CONFIGS_VERSION
from planning.__main__ import main
from planning.performance.kept import KeptAnswers, kept_folder
from planning.performance.library import LibrarySteps
from planning.performance.load import Replica, Traffic, operation
from planning.performance.steps import Deployment, Step, Unknown

CHECKOUT = Path(__file__).parents[2]
MODEL = MODELS["meta-llama/Llama-3.1-8B-Instruct"]
SYSTEM = performance().systems["h200"]
OBJECTIVE = "timeToFirstToken=500,timePerOutputToken=30,requestsPerSecond=40,inputTokens=1024,outputTokens=256"
HEAVY = {"aiconfigurator_core", "pandas", "pyarrow", "numpy", "scipy"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_the_release_of_the_library_is_pinned_once() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    group = project["dependency-groups"]["performance"]
    assert group == [f"{performance().library}=={PINS.aiconfigurator_core}"]
    assert PINS.aiconfigurator_core == CONFIGS_VERSION
    locked = (CHECKOUT / "requirements-performance.txt").read_text(encoding="utf-8")
    assert f"{group[0]} " in locked
    assert performance().library not in (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("question", "loads"),
    [
        (["choose", "--model", MODEL.id, "--accelerator", "h200"], False),
        (["choose", "--model", MODEL.id, "--accelerator", "h200", "--service-objective", OBJECTIVE], True),
        # Asked the second time, with the answers of the first kept.
        (["choose", "--model", MODEL.id, "--accelerator", "h200", "--service-objective", OBJECTIVE], False),
    ],
)
def test_the_library_is_loaded_only_for_an_objective_whose_answers_are_not_kept(
    question: list[str], loads: bool, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "shared"))
    program = (
        "import sys; from planning.__main__ import main; status = main(sys.argv[1:]); "
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr); "
        "sys.exit(status or 'planning.performance.library' in sys.modules and '--service-objective' not in sys.argv)"
    )
    run = subprocess.run([sys.executable, "-c", program, *question], capture_output=True, text=True, cwd=CHECKOUT)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stderr.split()) & HEAVY
    assert loaded == (HEAVY if loads else set()) or (loads and "aiconfigurator_core" in loaded)


def test_the_errors_that_the_plan_counts_in_are_the_worst_that_was_measured() -> None:
    found = comparisons()
    stated = allowed(performance().error)
    for figure, optimism in worst(found).items():
        assert stated[figure] - 0.02 < optimism <= stated[figure], figure
    unknown = {each.what.split(" TP")[0] for each in found if each.estimated is None}
    assert unknown == {"gemma-3-27b-text", "gemma-3-1b", "DeepSeek-V2-Lite"}


class _Counted:
    """A library whose steps take as many milliseconds as they have sequences."""

    asked = 0

    def milliseconds(self, step: Step) -> float:
        _Counted.asked += 1
        if step.sequences > 100:
            raise Unknown("no row")
        return float(step.sequences)


def test_answers_are_kept_with_their_reasons_and_asked_for_once() -> None:
    _Counted.asked = 0
    for _ in range(2):
        answers = KeptAnswers(MODEL, SYSTEM, lambda _: _Counted())
        steps = answers.of(Deployment(1))
        assert steps.milliseconds(Step(0, 5, 10, 10)) == 5
        with pytest.raises(Unknown, match="no row"):
            steps.milliseconds(Step(0, 500, 10, 10))
        answers.save()
    assert _Counted.asked == 2
    (file,) = kept_folder().rglob("*.json")
    assert file.parts[-3:-1] == (f"aiconfigurator-core-{PINS.aiconfigurator_core}", "h200_sxm-0.24.0")


def test_another_shape_or_format_of_a_model_has_answers_of_its_own() -> None:
    quantised = MODELS["Qwen/Qwen3-32B-FP8"].model_copy(update={"id": "Qwen/Qwen3-32B"})
    for model in (MODELS["Qwen/Qwen3-32B"], quantised):
        answers = KeptAnswers(model, SYSTEM, lambda _: _Counted())
        answers.of(Deployment(2)).milliseconds(Step(0, 1, 10, 10))
        answers.save()
    assert len(list(kept_folder().rglob("*.json"))) == 2


@pytest.mark.parametrize("content", ["", "{", '{"TP 1 PP 1 KV auto": 3}', "[]", '{"a": {"b": {"c": 1}}}'])
def test_a_kept_file_that_cannot_be_read_is_made_anew(content: str) -> None:
    answers = KeptAnswers(MODEL, SYSTEM, lambda _: _Counted())
    answers.of(Deployment(1)).milliseconds(Step(0, 1, 10, 10))
    answers.save()
    (file,) = kept_folder().rglob("*.json")
    whole = file.read_text(encoding="utf-8")
    file.write_text(content, encoding="utf-8")
    again = KeptAnswers(MODEL, SYSTEM, lambda _: _Counted())
    assert again.of(Deployment(1)).milliseconds(Step(0, 1, 10, 10)) == 1
    again.save()
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(whole)


def test_a_folder_that_cannot_be_written_keeps_nothing_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    answers = KeptAnswers(MODEL, SYSTEM, lambda _: _Counted())
    assert answers.of(Deployment(1)).milliseconds(Step(0, 1, 10, 10)) == 1
    answers.save()


def test_only_rows_that_were_timed_with_vllm_answer() -> None:
    steps = LibrarySteps(MODEL, SYSTEM, Deployment(1))
    engine: Any = steps._engine
    assert 4.5 < steps.milliseconds(Step(0, 1, 1024, 128)) < 5.2
    sources = {row[3] for row in engine.decode_step_per_op(1, 1024, 128)}
    assert sources <= {"silicon", "empirical"}
    assert engine.last_provenance() is None


def test_a_config_that_the_library_would_fetch_is_not_asked_for() -> None:
    with pytest.raises(Unknown, match="has no model with the facts"):
        LibrarySteps(MODELS["Qwen/Qwen3.5-122B-A10B"], SYSTEM, Deployment(8))


def test_a_replica_serves_no_more_prompts_than_its_steps_have_room_for() -> None:
    replica = Replica(_Counted(), step_tokens=8192, first_token_ms=0)
    settled = operation(replica, Traffic(8000, 10), 8)
    assert settled is not None
    assert operation(replica, Traffic(8000, 10), 32) is None
    assert operation(Replica(_Counted(), step_tokens=64, first_token_ms=0), Traffic(10, 10), 64) is None


def test_little_is_right_of_every_operation() -> None:
    """Requests at once are those that arrive in the time that one takes, to the half step that it waits."""
    for sequences in (1, 4, 16, 64):
        found = operation(Replica(_Counted(), step_tokens=8192, first_token_ms=0), Traffic(512, 100), sequences)
        assert found is not None
        seconds = found.per_token_ms * 100 / 1e3
        assert found.requests_per_second * seconds == pytest.approx(sequences, rel=0.01)


def test_choose_answers_for_all_accelerators_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["choose", "--model", MODEL.id, "--accelerator", "h200", "--service-objective", OBJECTIVE]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "Estimates, not measurements" in text
    assert "2 x TP 1" in text
    assert main([*words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["meets"] and answer["choices"][0]["shape"]["replicas"] == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("timeToFirstToken=500", "timePerOutputToken: Field required"),
        (OBJECTIVE + ",speed=3", "speed: Extra inputs are not permitted"),
        (OBJECTIVE.replace("40", "much"), "requestsPerSecond: Input should be a valid number"),
        ("", "timeToFirstToken: Field required"),
    ],
)
def test_an_objective_on_the_command_line_that_is_none_is_one_line(
    text: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["choose", "--model", MODEL.id, "--service-objective", text]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1


def test_the_page_has_the_errors_as_they_are() -> None:
    page = (CHECKOUT / "docs" / "objectives.md").read_text(encoding="utf-8")
    for figure, row in summary(comparisons()).items():
        assert f"| {row.known} | {100 * row.median:.1f} % | {100 * row.worst:+.1f} % |".replace("+-", "-") in page, (
            figure
        )
