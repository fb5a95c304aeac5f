"""What the catalogue knows of architectures, drivers and charts is checked, and refused where it is known to fail."""

from dataclasses import replace
from pathlib import Path

import pytest

from catalog import ACCELERATORS, CHART_RELEASES, PINS, VLLM_RELEASES, Architecture
from config import ConfigurationError, read_stack_file
from config.validate import validate
from planning import compatibility
from planning.compatibility import NodeDriver, check_architecture, check_driver
from planning.errors import Findings
from planning.platform import plan_platform
from planning.pools import resolve_pools

CHECKOUT = Path(__file__).parents[2]
RELEASE = VLLM_RELEASES[PINS.vllm]


def problems(findings: Findings) -> list[str]:
    return [str(problem) for problem in findings.problems]


def test_an_image_that_is_not_built_for_the_nodes_is_refused() -> None:
    for_amd64 = RELEASE.model_copy(update={"architectures": (Architecture.AMD64,)})
    findings = Findings()
    check_architecture(ACCELERATORS["h200"], for_amd64, "models[0].vllmVersion", findings)
    assert not findings.problems
    check_architecture(ACCELERATORS["gb200"], for_amd64, "models[0].vllmVersion", findings)
    (problem,) = problems(findings)
    assert "models[0].vllmVersion" in problem and "arm64" in problem and "another vllmVersion" in problem


def test_a_driver_below_what_the_gpu_needs_is_refused_even_where_the_image_would_run() -> None:
    undemanding = RELEASE.model_copy(update={"driver_branch_floor": 1})
    findings = Findings()
    pool, *_ = resolve_pools(read_stack_file(CHECKOUT, "gb200"), findings)
    driver = pool.accelerator.driver
    assert driver.minimum_branch == 580
    demanding = pool.accelerator.model_copy(update={"driver": driver.model_copy(update={"minimum_branch": 999})})
    check_driver(
        NodeDriver.of(replace(pool, accelerator=demanding), "1.36"),
        undemanding,
        "models[0]",
        findings,
        accept_compatibility=False,
    )
    (problem,) = problems(findings)
    assert "needs a driver of R999" in problem and "Write a newer cluster.version" in problem


def test_a_cluster_below_what_the_controllers_chart_needs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "region": "us-central1",
        "cluster": {"version": "1.35"},
        "nodePools": [
            {"name": "l4", "accelerator": "l4", "zone": "us-central1-a", "nodes": 1, "capacity": {"kind": "spot"}}
        ],
        "models": [{"name": "gemma", "model": "google/gemma-3-1b-it"}],
    }
    settings = validate("dev", values, frozenset(), to_deploy=False)
    plan_platform(settings, "dev")
    name = "lws"
    demanding = CHART_RELEASES[name].model_copy(update={"kubernetes_floor": "1.36"})
    monkeypatch.setattr(compatibility, "CHART_RELEASES", {**CHART_RELEASES, name: demanding})
    with pytest.raises(ConfigurationError, match=r"cluster\.version.* too old for the LeaderWorkerSet controller"):
        plan_platform(settings, "dev")
