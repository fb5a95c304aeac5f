"""What the load client is asked for, what its answer means, and when an objective counts as met."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.objective import ServiceObjective
from planning.performance.expected import ExpectedService
from sandbox.models.behaviour import Behaviour
from verification.load import client as load_client
from verification.load.__main__ import main, pace
from verification.load.client import Seen, Target, command, read, write_word_tokenizer
from verification.load.environment import ClientUnavailable, client
from verification.load.verdict import table, verdict

CHECKOUT = Path(__file__).parents[2]
OBJECTIVE = ServiceObjective(
    time_to_first_token=500,
    time_per_output_token=30,
    requests_per_second=4,
    input_tokens=1000,
    output_tokens=200,
    cached_prefix_share=0.6,
)
EXPECTED = ExpectedService(
    objective=OBJECTIVE,
    first_token_ms=60.0,
    first_token_ms_at_worst=81.0,
    per_token_ms=20.0,
    per_token_ms_at_worst=21.6,
    requests_per_second=6.0,
    requests_per_second_at_worst=5.0,
    head_room=0.25,
    sequences=8,
    usd_per_million_output_tokens=0.5,
    estimated_by="library 1",
    tables_of_vllm="0.24.0",
    error_is_of="one card",
)
TARGET = Target("http://127.0.0.1:1", "/proxy/v1/completions", "acme/model", "acme/model")


def _seen(**changes: Any) -> Seen:
    figures: dict[str, Any] = {
        "requests": 240,
        "errors": 0,
        "first_token_ms": 62.0,
        "per_token_ms": 21.0,
        "request_ms": 4200.0,
        "seconds": 64.2,
    }
    return Seen(**{**figures, **changes})


def test_the_client_sends_the_objective_s_own_load_at_random() -> None:
    words = command(Path("aiperf"), TARGET, OBJECTIVE, 240, Path("out"))
    flags = dict(pairwise(words))
    assert flags["--request-rate"] == "4"
    assert flags["--arrival-pattern"] == "poisson"
    assert flags["--request-count"] == "240"
    assert flags["--synthetic-input-tokens-mean"] == "400"
    assert flags["--prompt-prefix-length"] == "600"
    assert flags["--output-tokens-mean"] == "200"
    assert flags["--endpoint"] == "/proxy/v1/completions"
    assert "ignore_eos:true" in words
    assert "--use-server-token-count" in words


@pytest.mark.parametrize("browser", [None, "/usr/bin/chromium"])
def test_the_client_draws_its_plots_where_it_can(monkeypatch: pytest.MonkeyPatch, browser: str | None) -> None:
    monkeypatch.setattr(load_client.shutil, "which", lambda _: browser)
    words = command(Path("aiperf"), TARGET, OBJECTIVE, 240, Path("out"))
    assert ("--auto-plot" in words) == (browser is not None)


def test_what_is_as_fast_as_expected_meets_the_objective() -> None:
    assert all(line.met for line in verdict(EXPECTED, _seen()))


@pytest.mark.parametrize(
    ("changes", "figure"),
    [
        ({"first_token_ms": 501.0}, "first token, ms (mean)"),
        ({"per_token_ms": 30.1}, "each further token, ms (mean)"),
        ({"seconds": 90.0}, "answers a second"),
        ({"errors": 1}, "requests that failed"),
    ],
)
def test_each_figure_alone_can_miss_it(changes: dict[str, Any], figure: str) -> None:
    missed = [line.figure for line in verdict(EXPECTED, _seen(**changes)) if not line.met]
    assert missed == [figure]


def test_figures_of_a_stand_in_are_never_called_measurements() -> None:
    lines = verdict(EXPECTED, _seen())
    assert "measured" not in table(lines, simulated=True)
    assert "simulated" in table(lines, simulated=True)
    assert "measured" in table(lines, simulated=False)


def test_the_client_s_export_is_read_and_a_strange_one_is_one_line(tmp_path: Path) -> None:
    export = {
        "request_count": {"avg": 20.0},
        "completed_request_count": {"avg": 21.0},
        "time_to_first_token": {"avg": 71.6},
        "inter_token_latency": {"avg": 23.0},
        "request_latency": {"avg": 1523.6},
        "benchmark_duration": {"avg": 8.6},
    }
    file = tmp_path / "profile_export_aiperf.json"
    file.write_text(json.dumps(export), encoding="utf-8")
    seen = read(tmp_path)
    assert (seen.requests, seen.errors, seen.first_token_ms) == (20, 1, 71.6)
    assert seen.requests_per_second == pytest.approx(20 / (8.6 - 1.5236))
    for content in ("", "[]", "{}", json.dumps({**export, "request_latency": None})):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(ClientUnavailable, match="does not say what was seen"):
            read(tmp_path)


def test_the_pace_of_the_plan_is_a_behaviour_of_the_stand_in() -> None:
    behaves = Behaviour.parse(pace(EXPECTED))
    assert (behaves.first_token, behaves.slow_tokens) == (0.06, 0.02)


def test_the_tokenizer_of_a_stand_in_takes_a_word_for_a_token(tmp_path: Path) -> None:
    folder = write_word_tokenizer(tmp_path / "tokenizer")
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    assert whole["pre_tokenizer"] == {"type": "WhitespaceSplit"}
    assert whole["model"]["vocab"] == {"word": 0}


def test_a_folder_without_pins_has_no_client(tmp_path: Path) -> None:
    with pytest.raises(ClientUnavailable, match=r"requirements-load\.txt cannot be read"):
        client(tmp_path)


def test_the_client_is_pinned_apart_from_the_program() -> None:
    pins = (CHECKOUT / "requirements-load.txt").read_text(encoding="utf-8")
    assert "aiperf==" in pins
    for other in ("requirements.txt", "requirements-dev.txt"):
        assert "aiperf" not in (CHECKOUT / other).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--stack", "h200", "--model", "nothing"], "serves no model called nothing"),
        (["--stack", "dev", "--model", "gemma-3-1b"], "has no serviceObjective"),
        (["--stack", "nowhere", "--model", "a"], "there is no such file"),
    ],
)
def test_a_load_that_cannot_be_tried_is_status_2_and_says_why(
    words: list[str], problem: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    assert main(words) == 2
    assert problem in capsys.readouterr().err
