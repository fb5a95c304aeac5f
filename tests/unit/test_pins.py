"""What the catalogue and the sandbox pin apart from each other, each from its own source, is the same release."""

import re

import yaml

from catalog import ACCELERATORS, CHART_RELEASES, INSTALLER_RELEASES
from tests.unit.google_rules import CHECKOUT


def test_the_sandbox_runs_the_leader_worker_set_that_stacks_get() -> None:
    module = (CHECKOUT / "sandbox" / "tools" / "cluster" / "go.mod").read_text(encoding="utf-8")
    assert re.findall(r"^\tsigs\.k8s\.io/lws v(\S+)", module, re.MULTILINE) == [CHART_RELEASES["lws"].version]


def test_the_sandbox_has_the_nccl_tests_of_the_plugins_that_stacks_get() -> None:
    """At the same tags: another one may hold other scripts, programs and another NCCL."""
    table = yaml.safe_load((CHECKOUT / "sandbox" / "cluster" / "nccl" / "images.yaml").read_text(encoding="utf-8"))
    own = {(name, tag) for name, image in table["images"].items() for tag in image["tags"]}
    images = [installer.diagnostic.image for installer in INSTALLER_RELEASES.values() if installer.pinned]
    known = [max((n for n in table["images"] if image.repository.endswith(f"/{n}")), key=len) for image in images]
    assert {(name, image.tag) for name, image in zip(known, images, strict=True)} == own


def test_a_plugin_and_the_controller_are_pinned_in_one_place() -> None:
    """An accelerator's entry, or code, that named a version too could name another."""
    rooms = ("catalog/accelerators", "config", "planning", "components", "stacks", "verification")
    files = [file for room in rooms for file in (CHECKOUT / room).rglob("*.*") if file.suffix in (".py", ".yaml")]
    assert len(files) > len(ACCELERATORS)
    charts = [image.reference for chart in CHART_RELEASES.values() for image in chart.images]
    pinned = (*INSTALLER_RELEASES, *charts)
    assert [file.name for file in files if any(name in file.read_text(encoding="utf-8") for name in pinned)] == []
