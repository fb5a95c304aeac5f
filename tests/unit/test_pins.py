"""What the catalogue and the sandbox pin apart from each other, each from its own source, is the same release."""

import re

from catalog import PINS
from tests.unit.google_rules import CHECKOUT


def test_the_sandbox_runs_the_leader_worker_set_that_stacks_get() -> None:
    module = (CHECKOUT / "sandbox" / "tools" / "cluster" / "go.mod").read_text(encoding="utf-8")
    assert re.findall(r"^\tsigs\.k8s\.io/lws v(\S+)", module, re.MULTILINE) == [PINS.lws]
