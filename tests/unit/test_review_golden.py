"""The reports of ten prepared changes, as a reviewer reads them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from review import COMMENT_LIMIT, to_comment, to_html
from tests.review.changes import CHANGES
from tests.review.reports import GOLDEN, review_of
from tests.reviewed import assert_as_reviewed

FIRST = {
    "new-model": "Adds model `qwen3-32b`",
    "model-removed": "**Removes model `gemma-3-27b`**",
    "tensor-parallel-changed": "Restarts model `gemma-3-27b`: TP 2 → TP 4",
    "replicas-up": "Model `gemma-3-27b`: 1 → 3 replicas",
    "vllm-bumped": "Restarts model `gemma-3-27b`: vLLM 0.24.0 → 0.33.0",
    "pool-grown": "Node pool `large`: 2 → 4 nodes",
    "pool-replaced": "**Replaces node pool `small`**",
    "accelerator-swapped": "**Replaces node pool `large`**",
    "network-changed": "**Replaces the cluster `review-cluster`** because its `subnetwork` is replaced because of",
    "nothing-changed": "**Nothing changes**",
}


def test_there_is_an_expectation_of_every_change() -> None:
    assert FIRST.keys() == CHANGES.keys()


@pytest.mark.parametrize("change", CHANGES)
def test_a_report_says_first_what_matters_most(change: str) -> None:
    first = to_comment(review_of(change)).splitlines()[0]
    assert first.split(" ", 1)[1].startswith(FIRST[change]), first


@pytest.mark.parametrize("change", CHANGES)
def test_a_report_is_the_one_that_was_read_and_found_right(change: str) -> None:
    assert_as_reviewed(GOLDEN / f"{change}.md", to_comment(review_of(change)))


def test_nothing_changed_makes_the_shortest_comment_and_no_change_a_long_one() -> None:
    lengths = {change: len(to_comment(review_of(change))) for change in CHANGES}
    assert min(lengths, key=lengths.__getitem__) == "nothing-changed"
    assert lengths["nothing-changed"] < 300
    assert max(lengths.values()) < COMMENT_LIMIT


@pytest.mark.parametrize("change", ["pool-replaced", "network-changed"])
def test_a_replacement_of_pool_or_cluster_is_bold_and_says_which_property_causes_it(change: str) -> None:
    rows = [line for line in to_comment(review_of(change)).splitlines() if line.startswith("| **replace** |")]
    assert rows
    assert all(re.search(r"\| \*\*`[\w.\[\]]+`\*\*", row) for row in rows), rows


@pytest.mark.parametrize("change", CHANGES)
def test_a_page_loads_nothing_from_elsewhere(change: str) -> None:
    page = to_html(review_of(change))
    assert not re.search(r"<(script|link|iframe|img|object)\b|url\(|@import", page)
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_a_browser_shows_the_page_in_light_and_dark(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here (apt-get install chromium)")
    page = tmp_path / "report.html"
    page.write_text(to_html(review_of("accelerator-swapped")), encoding="utf-8")
    shots: list[bytes] = []
    for scheme in ("0", "1"):
        picture = tmp_path / f"{scheme}.png"
        command = [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--blink-settings=preferredColorScheme={scheme}",
            "--window-size=1100,2000",
            f"--screenshot={picture}",
            page.as_uri(),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert picture.is_file(), run.stderr[-2000:]
        shots.append(picture.read_bytes())
    assert all(len(shot) > 20_000 for shot in shots)
    assert shots[0] != shots[1]
