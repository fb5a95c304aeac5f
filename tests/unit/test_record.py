"""`make record`: one command for all files that are made from the code."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maintenance import record
from maintenance.record import CHECKOUT, PARTS
from oracle import environment


def test_every_part_runs_modules_that_are_there_and_is_explained() -> None:
    page = (CHECKOUT / "docs" / "changing.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == [part.name for part in PARTS]
    for part in PARTS:
        for module, *_ in part.commands:
            assert importlib.util.find_spec(module), module


def test_pages_are_drawn_after_the_graphs_and_reports_written_after_the_previews() -> None:
    modules = [command[0] for part in PARTS for command in part.commands]
    assert modules.index("tests.graph.snapshots") < modules.index("maintenance.docs")
    assert modules.index("tests.review.record") < modules.index("tests.review.reports")


def test_a_part_that_is_none_is_told_the_ones_there_are() -> None:
    command = [sys.executable, "-m", "maintenance.record", "graph"]
    run = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stderr.endswith("there is no part graph; write stacks, graphs, reviews, docs, flags\n")


def test_flags_are_left_alone_and_it_says_so_where_vllm_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert record.record(["flags"]) == 0
    assert "flags: left as it is: vLLM's own environment is not on this machine" in capsys.readouterr().out
    assert environment.python() is None


def test_after_a_command_that_failed_nothing_more_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = (record.Part("one", "", (("no.such.module",),)), record.Part("two", "", (("also.none",),)))
    monkeypatch.setattr(record, "PARTS", parts)
    assert record.record([]) != 0
    said = capsys.readouterr()
    assert "error: one: python -m no.such.module ended with 1" in said.err
    assert "two" not in said.out + said.err
