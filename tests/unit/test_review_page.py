"""The page is the comment whole: the same blocks, drawn; and what lives on keeps its row and its colour."""

import re
from html import unescape

import pytest

from review import to_comment, to_html
from tests.review.changes import CHANGES
from tests.review.reports import review_of

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def words(text: str) -> list[str]:
    return re.findall(r"[\w.\[\]]+", unescape(_TAG.sub(" ", text)))


@pytest.mark.parametrize("change", CHANGES)
def test_the_page_says_every_line_of_the_comment_that_is_no_picture(change: str) -> None:
    review = review_of(change)
    page = " ".join(words(to_html(review)))
    lines = [line for line in _FENCE.sub("", to_comment(review)).splitlines() if not line.startswith("| ---")]
    missing = [line for line in lines if " ".join(words(line)) not in page and "stood before" not in line]
    assert len(lines) > 2 and missing == []


def test_the_page_says_what_stays_too() -> None:
    page = to_html(review_of("nothing-changed"))
    for title in ("Cost", "GPU memory", "Nodes", "Graph"):
        assert f"<h2>{title}</h2>" in page


def test_a_pool_that_grows_keeps_its_row_and_its_colour() -> None:
    review = review_of("pool-grown")
    rows = [line for line in to_comment(review).splitlines() if line.startswith("| pool large")]
    assert rows == ["| pool large: 2 x a3-ultragpu-8g, spot → 4 x a3-ultragpu-8g, spot | 101.75 USD | 203.50 USD |"]
    colours = re.findall(r'fill="(var\(--model-\d\))"><title>pool large:', to_html(review))
    assert len(colours) == 2 and len(set(colours)) == 1
