"""A service objective is put under its own load: met by servers that keep the plan's pace, missed by slow ones."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.sandbox.conftest import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STACK, MODEL = "load", "chat"
STACK_FILE: dict[str, Any] = {
    "config": {
        "pulumi:disable-default-providers": ["*"],
        "inference-platform:region": "us-central1",
        "inference-platform:nodePools": [
            {"name": "h200", "accelerator": "h200", "zone": "us-central1-b", "nodes": 1, "capacity": {"kind": "spot"}}
        ],
        "inference-platform:models": [
            {
                "name": MODEL,
                "model": "meta-llama/Llama-3.1-8B-Instruct",
                # Far from the pace that the plan expects, so that a busy machine does not miss it.
                "serviceObjective": {
                    "timeToFirstToken": 3000,
                    "timePerOutputToken": 200,
                    "requestsPerSecond": 1,
                    "inputTokens": 64,
                    "outputTokens": 24,
                },
            }
        ],
    }
}


class TestLoad:
    """The tests of this class build on each other, in this order."""

    def test_servers_that_keep_the_plan_s_pace_meet_the_objective(self, checkout: Checkout) -> None:
        file = checkout.folder / f"Pulumi.{STACK}.yaml"
        file.write_text(yaml.safe_dump(STACK_FILE, sort_keys=False), encoding="utf-8")
        checkout.succeed("up", STACK)
        output = checkout.succeed("load", STACK, MODEL=MODEL, SECONDS="30")
        assert "a stand-in's pace, no measurement: the objective is met" in output
        assert "simulated" in output
        assert "measured" not in output
        assert (checkout.folder / "load" / STACK / MODEL / "profile_export_aiperf.json").is_file()

    def test_servers_slowed_by_hand_miss_it(self, checkout: Checkout) -> None:
        words = ["behave", "--stack", STACK, "--model", MODEL, "slow-tokens=0.5s"]
        subprocess.run([sys.executable, "-m", "sandbox", *words], cwd=checkout.folder, check=True)
        missed = checkout.make("load", STACK, MODEL=MODEL, SECONDS="30")
        assert missed.returncode != 0
        (line,) = (line for line in missed.stdout.splitlines() if line.startswith("each further token"))
        assert line.endswith("MISSED")
        assert "the objective is MISSED" in missed.stdout

    def test_nothing_is_left(self, checkout: Checkout) -> None:
        checkout.succeed("destroy", STACK)
