"""What nobody has seen at Google is said, with its source and the row that will tell."""

import pytest

from catalog import sources
from catalog.assumption import Assumption, Confirmation, assumptions
from config import read_stack_file, stack_names
from maintenance import assumptions_page
from planning.platform import plan_platform
from tests.unit.google_rules import CHECKOUT
from verification.doctor.rows import Row
from verification.rows import VerifyRow

ROWS = {Confirmation.DOCTOR: set(map(str, Row)), Confirmation.VERIFY: set(map(str, VerifyRow))}
PAGE = CHECKOUT / "docs" / "assumptions.md"


@pytest.mark.parametrize("assumption", assumptions(), ids=lambda each: each.choice[:40])
def test_an_assumption_names_rows_and_sources_that_there_are(assumption: Assumption) -> None:
    assert assumption.seen and assumption.sources
    assert [each for each in assumption.seen if each.row not in ROWS[each.by]] == []
    assert [key for key in assumption.sources if key not in sources()] == []


def test_every_row_of_the_doctor_that_looks_at_google_tells_of_an_assumption() -> None:
    told = {each.row for assumption in assumptions() for each in assumption.seen if each.by is Confirmation.DOCTOR}
    # Of these nothing is assumed: they are as somebody made them.
    own = {Row.CREDENTIALS, Row.PROJECT, Row.CLUSTER, Row.SUBNETWORK, Row.SECRET, Row.SECRET_READER, Row.TOKEN}
    assert set(Row) - own == told


def test_a_preflights_row_begins_as_the_page_says() -> None:
    names = [
        preflight.name
        for stack in stack_names(CHECKOUT)
        for preflight in plan_platform(read_stack_file(CHECKOUT, stack), stack).preflights
    ]
    assert names and all(name.startswith(VerifyRow.PREFLIGHT) for name in names)


def test_the_page_is_todays_and_cites_only_what_it_lists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == assumptions_page.page()
    assert all(f"- `{key}`: " in text for key in assumptions_page.page_sources())
    assert assumptions_page.page_sources() <= sources().keys()
