"""A pool that was tested with another image or installer is reported, and never taken for tested or for broken."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.manifests.nccl_preflight import preflight
from planning.plan import PreflightPlan
from tests.unit.serving import ONE_GPU, platform
from verification.job_checks import job_checks
from verification.kubectl import Kubectl
from verification.results import NotObservable

(PLAN,) = platform(ONE_GPU, nodes=2).preflights


def checked(folder: Path, plan: PreflightPlan, today: dict[str, str]) -> str:
    """What the check says of the Job that the plan makes, as a cluster would list it."""
    listed: dict[str, Any] = {"items": [preflight(plan, "0a1b2c3d")]}
    (folder / "jobs.json").write_text(json.dumps(listed), encoding="utf-8")
    kubectl = Kubectl(["sh", "-c", f"cat {folder / 'jobs.json'}", "kubectl"])
    (check,) = [check for name, check in job_checks(kubectl, today) if name.endswith("is current")]
    return check()


def test_it_names_image_and_installer() -> None:
    assert "nccl-plugin-gib-diagnostic:v1.1.1" in PLAN.tested_with and "nccl-plugin-gib:v1.1.1" in PLAN.tested_with


def test_the_same_software_is_current(tmp_path: Path) -> None:
    assert PLAN.tested_with in checked(tmp_path, PLAN, {PLAN.name: PLAN.tested_with})


@pytest.mark.parametrize("today", [{PLAN.name: "another image and another installer"}, {}])
def test_other_software_is_not_seen_at_work(tmp_path: Path, today: dict[str, str]) -> None:
    with pytest.raises(NotObservable, match="nobody tried here"):
        checked(tmp_path, PLAN, today)
