"""The checked-in flag table against the vLLM it was made from."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.engine_arguments import flag_table
from tests.vllm import environment
from tests.vllm.command_lines import ILLEGAL, LEGAL, STRICTER, illegal_lines, legal_lines

pytestmark = pytest.mark.vllm

TABLE = flag_table(environment.VLLM_VERSION)


@pytest.fixture(scope="module")
def answers() -> dict[Sequence[str], str | None]:
    """The parser's answer to every line: its modules take half a minute to load, so all are asked at once."""
    lines = list({*LEGAL, *ILLEGAL, *STRICTER, *legal_lines(TABLE), *illegal_lines(TABLE)})
    return dict(zip(lines, environment.refusals(lines), strict=True))


@pytest.mark.parametrize("line", LEGAL, ids=" ".join)
def test_both_accept(line: tuple[str, ...], answers: dict[Sequence[str], str | None]) -> None:
    assert answers[line] is None
    assert TABLE.check(line) == []


@pytest.mark.parametrize("line", ILLEGAL, ids=" ".join)
def test_both_refuse(line: tuple[str, ...], answers: dict[Sequence[str], str | None]) -> None:
    assert answers[line] is not None
    assert TABLE.check(line) != []


@pytest.mark.parametrize("line", STRICTER, ids=" ".join)
def test_the_table_is_stricter_where_it_says_so(
    line: tuple[str, ...], answers: dict[Sequence[str], str | None]
) -> None:
    assert answers[line] is None
    assert TABLE.check(line) != []


def test_both_accept_every_flag(answers: dict[Sequence[str], str | None]) -> None:
    lines = list(legal_lines(TABLE))
    assert len(lines) > 2 * len(TABLE.flags)
    assert [(line, answers[line]) for line in lines if answers[line] is not None] == []
    assert [(line, found) for line in lines if (found := TABLE.check(line))] == []


def test_both_refuse_every_flag_used_wrongly(answers: dict[Sequence[str], str | None]) -> None:
    lines = list(illegal_lines(TABLE))
    assert len(lines) > len(TABLE.flags)
    assert [line for line in lines if answers[line] is None] == []
    assert [line for line in lines if not TABLE.check(line)] == []


def test_the_table_is_what_this_vllm_says(tmp_path: Path) -> None:
    environment.write_table(tmp_path / "table.json")
    assert (tmp_path / "table.json").read_text() == environment.TABLE.read_text()
