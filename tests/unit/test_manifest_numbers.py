"""A manifest decides no number: it comes from the plan, or from the catalogue with its reason."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.workloads import workloads
from components.manifests import nccl_verdict
from tests.unit.google_rules import CHECKOUT
from tests.unit.serving import ONE_GPU, platform

MANIFESTS = CHECKOUT / "components" / "manifests"
AMOUNT = re.compile(r"\d+(\.\d+)?(m|s|Mi|Gi|%)?")
ALLOWED = {
    "labels.py": {"10": "characters of a hash", "0": "index of a group's leader"},
    "leader_worker_set.py": {"100": "the highest weight of a preference"},
    "nccl_installer.py": {"1": "the node's first process"},
    "nccl_preflight.py": {"0": "number of the first pod", "22": "port of SSH"},
    "nccl_verdict.py": {"42": "exit status that no program of the test ends with"},
    "network_policies.py": {"443": "port of TLS", "53": "port of DNS"},
    "server_pod.py": {
        "1": "yes, to the hub's client",
        "50": "half the highest weight of a preference",
        "100": "the highest one",
    },
    "token.py": {"288": "mode 0440 of a file"},
    "transport.py": {"0": "of a resource that must not be asked for, and root's id"},
}
"""Constants that are no decision, and what they are."""


def numbers_in(file: Path) -> Iterator[str]:
    """Numbers other than 0 and 1, and texts that are an amount."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            value = node.value
            if isinstance(value, int | float) and not isinstance(value, bool) and value not in (0, 1):
                yield str(value)
            elif isinstance(value, str) and AMOUNT.fullmatch(value):
                yield value


@pytest.mark.parametrize("file", sorted(MANIFESTS.glob("*.py")), ids=lambda file: file.name)
def test_no_manifest_holds_a_number_of_its_own(file: Path) -> None:
    assert set(numbers_in(file)) <= set(ALLOWED.get(file.name, {}))


def test_a_number_in_a_manifest_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('probe = {"periodSeconds": 5, "cpu": "16", "memory": "64Gi", "interval": "30s"}')
    assert sorted(numbers_in(tmp_path / "a.py")) == ["16", "30s", "5", "64Gi"]


def test_what_the_catalogue_says_reaches_the_pods() -> None:
    (plan,) = platform(ONE_GPU, nodes=2).preflights
    script = "\n".join(nccl_verdict.lines(plan))
    numbers = workloads().preflight
    assert f"timeout --kill-after={numbers.kill_after_seconds} {numbers.measure_seconds} " in script
    assert f"[ $tries -lt {numbers.tries} ]" in script and f"sleep {numbers.pause_seconds}" in script
