"""Whatever `python -m planning` is asked, and of whatever config.json, it answers or says in one line why it cannot.

`BAD_INPUT` in the environment is the number of broken configs of each published one, and ten times of argument lists.
"""

import datetime
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from planning.__main__ import main
from tests.hostile import broken

PUBLISHED = [
    json.loads(line) for line in (Path(__file__).parent / "configs" / "published.jsonl").read_text().splitlines()
]
TIMES = int(os.environ.get("BAD_INPUT", "2"))
WORDS = (
    *("fit", "choose", "stack", "schema", "dev", "nowhere", "--model", "--config", "--accelerator", "--machine-type"),
    *("--tensor-parallel", "--pipeline-parallel", "--expert-parallel", "--no-expert-parallel", "--max-model-len"),
    *("--gpu-memory-utilization", "--max-num-seqs", "--max-num-batched-tokens", "--kv-cache-dtype", "--enforce-eager"),
    *("--vllm-version", "--json", "--objective", "--min-context", "--min-concurrency", "--region", "--capacity"),
    *("--service-objective", "timeToFirstToken=500,requestsPerSecond=1", "=", ",,", "-1", "0", "1", "8", "1e9", "nan"),
    *("inf", "10" * 200, "h200", "l4", "a3-ultragpu-8g", "us-central1", "fp8", "spot", "latency", "", " ", "\u202e"),
    *("google/gemma-3-1b-it", "openai/gpt-oss-20b", "meta-llama/Llama-3.1-405B-Instruct", "..", "/", "/dev/null", "--"),
)


def asked(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status: Any = main(arguments)
    except SystemExit as left:
        status = left.code
    out, err = capsys.readouterr()
    which = f"{arguments}: {err}"
    assert status in (0, 1, 2), which
    if status == 2:
        assert not out and len(err.splitlines()) == 1 and len(err) < 4000, which
    else:
        assert bool(out) == (status == 0), which
    assert "Traceback" not in err and "pydantic" not in err.lower(), which


@pytest.mark.parametrize("entry", PUBLISHED, ids=[entry["id"] for entry in PUBLISHED])
def test_of_a_broken_config_it_answers_or_says_why_not(
    entry: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(TIMES):
        chance = random.Random(f"{entry['id']} {seed}")
        file = tmp_path / "config.json"
        file.write_text(json.dumps(broken(entry["config"], chance), default=written), encoding="utf-8")
        asked(["fit", "--config", str(file), "--accelerator", chance.choice(("h200", "l4", "b200"))], capsys)


def written(value: bytes | datetime.date) -> str:
    return value.hex() if isinstance(value, bytes) else value.isoformat()


@pytest.mark.parametrize("seed", range(10 * TIMES))
def test_of_any_words_it_answers_or_says_why_not(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(seed)
    asked([chance.choice(WORDS) for _ in range(chance.randrange(7))], capsys)
    model = ["--model", "google/gemma-3-1b-it"]
    question = chance.choice((["choose", *model], ["fit", *model, "--accelerator", "h200"]))
    asked([*question, *(chance.choice(WORDS) for _ in range(chance.randrange(1, 5)))], capsys)
