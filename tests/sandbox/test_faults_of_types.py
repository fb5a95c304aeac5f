"""Every kind of Google's resources in `dev` meets every fault of Google's API: what a person reads names the resource
and Google's reason, and the next command goes on until all is done."""

from collections.abc import Mapping

import pytest
import yaml

from sandbox.cloud.resources import KINDS
from tests.graph.recorder import record
from tests.sandbox.conftest import Checkout

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

REASONS = {
    "fail": "googleapi: Error 503",
    "quota": "QUOTA_EXCEEDED",
    "denied": "googleapi: Error 403: The caller does not have permission",
    "expired": "googleapi: Error 401: Request had invalid authentication credentials",
}
WITHOUT_QUOTA = [kind for kind in REASONS if kind != "quota"]


def types_of_dev() -> list[str]:
    return sorted({each.type for each in record("dev", preview=False).registrations if each.type.startswith("gcp:")})


def meet(checkout: Checkout, target: str, stage: str, left: Mapping[str, list[str]]) -> None:
    """Runs the command until each type has met its faults, one kind of them a type and command.

    The Pulumi engine begins nothing new after a failure, so of a command only the first types fail.
    """
    while any(left.values()):
        faults = [{"stage": stage, "type": type_, "outcome": kinds[0]} for type_, kinds in left.items() if kinds]
        (checkout.folder / "faults.yaml").write_text(yaml.safe_dump({"faults": faults}))
        run = checkout.make(target, "dev", SANDBOX_SCENARIO="faults.yaml")
        said = run.stdout + run.stderr
        assert run.returncode != 0 and "Traceback" not in said, said
        met = [type_ for type_, kinds in left.items() if kinds and told(said, stage, type_, REASONS[kinds[0]])]
        assert met, said
        for type_ in met:
            print(f"{target}: {KINDS[type_].label}: {left[type_].pop(0)}", flush=True)


def told(said: str, stage: str, type_: str, reason: str) -> bool:
    label = KINDS[type_].label
    what = f"Error when reading or editing {label} " if stage == "read" else f"Error {stage[:-1]}ing {label} "
    return any(what in line and reason in line for line in said.splitlines())


def test_each_type_meets_each_fault_and_the_next_command_goes_on(checkout: Checkout) -> None:
    types = types_of_dev()
    assert len(types) > 7
    meet(checkout, "up", "create", {type_: list(REASONS) for type_ in types})
    assert "Stack dev is up" in checkout.succeed("up", "dev")
    # What was made between faults is as the program says: nothing doubled, nothing to change.
    assert " to create" not in (preview := checkout.succeed("preview", "dev")) and " to update" not in preview
    meet(checkout, "drift", "read", {type_: ["denied", "expired"] for type_ in types})
    checkout.succeed("drift", "dev")
    meet(checkout, "destroy", "delete", {type_: list(WITHOUT_QUOTA) for type_ in types})
    checkout.succeed("destroy", "dev")
    assert checkout.processes() == []
    assert not (checkout.folder / ".sandbox").exists()
